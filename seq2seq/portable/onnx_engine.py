"""The engine on onnxruntime: encoder.onnx encodes a sentence, step.onnx reads a token in each beam row.

N rows, S source tokens, V target vocabulary size, Z width of a row's state.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from seq2seq.portable.engine import Floats, Integers
from seq2seq.portable.errors import PortableError
from seq2seq.portable.folder import ENCODER_GRAPH, STEP_GRAPH

SOURCE = "source"
"""Input of the encoder: token ids with EOS (S), int64."""

STATE = ("state", "coverage")
"""A row's state: outputs of the encoder, of one row, and inputs of the step; ``coverage`` only in models that have it.

All are float32: ``state`` (N, Z) and ``coverage`` (N, S). All other outputs of the encoder are the sentence's memory,
and inputs of the step.
"""

NEXT = "next_"
"""Prefix of the names of `STATE` as outputs of the step."""

TOKENS = "tokens"
"""Input of the step: the token that each row reads (N), int64."""

LOG_PROBABILITIES, ATTENTION = "log_probabilities", "attention"
"""Outputs of the step: log-probabilities (N, V) of the next token; attention weights (N, S), only with attention."""

Arrays = dict[str, NDArray[Any]]
"""Inputs or outputs of a graph, by name."""


class OnnxEngine:
    """A network in an exported folder, run by onnxruntime on the CPU: an `Engine`."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        """Load both graphs.

        Args:
            folder: the exported folder.
            threads: processor threads for one product; in a small model more than one costs more than it gains.

        Raises:
            PortableError: a graph or the weights are missing or damaged.
        """
        self.encoder, self.decoder = (load_graph(folder / name, threads) for name in (ENCODER_GRAPH, STEP_GRAPH))
        self.memory = [output.name for output in self.encoder.get_outputs() if output.name not in STATE]
        self.outputs = [output.name for output in self.decoder.get_outputs()]

    def encode(self, source: Sequence[int]) -> tuple[Arrays, Arrays]:
        """Same as `Engine.encode`."""
        values = run(self.encoder, {SOURCE: np.array(source, np.int64)})
        return {name: values.pop(name) for name in self.memory}, values

    def step(self, tokens_N: Integers, memory: Arrays, state: Arrays) -> tuple[Floats, Arrays, Floats | None]:
        """Same as `Engine.step`."""
        values = run(self.decoder, {TOKENS: tokens_N, **memory, **state})
        after = {name: values[NEXT + name] for name in state}
        return values[LOG_PROBABILITIES], after, values.get(ATTENTION)

    def select(self, state: Arrays, rows: Integers) -> Arrays:
        """Same as `Engine.select`."""
        return {name: values.take(rows, axis=0) for name, values in state.items()}


def run(session: onnxruntime.InferenceSession, inputs: Arrays) -> Arrays:
    """The outputs of a graph."""
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def load_graph(file: Path, threads: int) -> onnxruntime.InferenceSession:
    """Load a graph.

    Raises:
        PortableError: the file is missing or damaged, or the weights beside it are.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise PortableError(f"{file} cannot be loaded ({error}): copy or export the folder again") from None
