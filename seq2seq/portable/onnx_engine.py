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
from seq2seq.portable.folder import ENCODER_GRAPH, STEP_GRAPH, WEIGHTS, read_tensors

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
        read_tensors(folder / WEIGHTS)  # a graph refers to bytes of this file, and checks nothing
        graphs = [load_graph(folder / name, threads) for name in (ENCODER_GRAPH, STEP_GRAPH)]
        self.encoder, self.decoder = graphs
        self.encoded, self.decoded = ([output.name for output in graph.get_outputs()] for graph in graphs)

    def encode(self, source: Sequence[int]) -> tuple[Arrays, Arrays]:
        """Same as `Engine.encode`."""
        values = self.encoder.run(self.encoded, {SOURCE: np.array(source, np.int64)})
        memory = dict(zip(self.encoded, values, strict=True))
        state = {name: memory.pop(name) for name in STATE if name in memory}
        return memory, state

    def step(self, tokens_N: Integers, memory: Arrays, state: Arrays) -> tuple[Floats, Arrays, Floats | None]:
        """Same as `Engine.step`."""
        values = self.decoder.run(self.decoded, {TOKENS: tokens_N, **memory, **state})
        results = dict(zip(self.decoded, values, strict=True))
        after = {name: results[NEXT + name] for name in state}
        return results[LOG_PROBABILITIES], after, results.get(ATTENTION)

    def select(self, state: Arrays, rows: Integers) -> Arrays:
        """Same as `Engine.select`."""
        return {name: values.take(rows, axis=0) for name, values in state.items()}


def load_graph(file: Path, threads: int) -> onnxruntime.InferenceSession:
    """Load a graph.

    Raises:
        PortableError: the file is missing or damaged, or the weights beside it are.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised
    if not file.is_file():
        raise PortableError(f"{file} is missing: copy or export the folder again, or use engine=numpy")
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of many classes, which onnxruntime does not export
        reason = " ".join(str(error).split()).rsplit(" : ", 1)[-1]
        raise PortableError(
            f"{file} cannot be loaded ({reason}): copy or export the folder again, or use engine=numpy"
        ) from None
