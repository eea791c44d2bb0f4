"""A trace: everything that a network computes for one sentence, as named arrays.

All arrays are float32 on the CPU; token ids are int64. S source tokens including EOS, T target tokens (including EOS if
the translation has one), H units of a cell, D width of the context vector, L decoder layers, A alternatives.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from seq2seq.analysis.beam_tree import Node, Outcome
from seq2seq.analysis.replay import CellDirection, CellLocation, Side
from seq2seq.errors import RunError
from seq2seq.system.lock import output_file

FORMAT = "seq2seq trace 1"


@dataclass(frozen=True)
class LayerTrace:
    """Gates and states of one cell. Row t is position t of the sentence, whatever direction the cell reads in.

    Encoder rows are the source tokens [S, H]. Decoder rows are the input tokens, which predict the target tokens
    [T, H].
    """

    location: CellLocation
    gates: dict[str, Tensor]
    """``input``, ``forget``, ``candidate``, ``output`` of an LSTM; ``reset``, ``update``, ``candidate`` of a GRU."""
    hidden: Tensor
    cell: Tensor | None
    """The cell state; None for a cell without one."""

    @property
    def recurrent_state(self) -> Tensor:
        """The cell state, or the hidden state of a cell without one."""
        return self.hidden if self.cell is None else self.cell


@dataclass(frozen=True)
class Trace:
    """One sentence with one translation; for a language model, one sentence."""

    model: str
    """Run folder of the network."""
    source: str
    """Empty for a language model."""
    text: str
    """The translation; for a language model, the sentence."""
    source_tokens: tuple[str, ...]
    """Includes EOS; empty for a language model."""
    target_tokens: tuple[str, ...]
    """The token predicted at each step; includes EOS unless the search reached its maximum length."""
    input_tokens: tuple[str, ...]
    """The token that the decoder reads at each step: BOS, then all target tokens but the last."""
    layers: tuple[LayerTrace, ...]
    """Encoder layers from the lowest up, forward before reversed; then decoder layers."""
    context: Tensor
    """The context vector [D], the summary of the encoder's top layer; [0] for a language model."""
    initial_hidden: Tensor
    """Initial hidden states of the decoder [L, H]."""
    initial_cell: Tensor | None
    """Initial cell states of the decoder [L, H]; None for cells without a cell state."""
    attention: Tensor | None
    """Attention weights [T, S], averaged over heads; None without attention."""
    log_probabilities: Tensor
    """Log-probability of each target token given the previous ones [T], in nats, by this network, unrestricted."""
    alternative_tokens: tuple[tuple[str, ...], ...]
    """The most probable other tokens at each step, best first: T tuples of A."""
    alternative_ids: Tensor
    """Their ids [T, A]."""
    alternative_log_probabilities: Tensor
    """Their log-probabilities [T, A], in nats."""
    tree: tuple[Node, ...]
    """The hypotheses of the search, parents before children; empty for a given translation."""
    tree_tokens: tuple[str, ...]
    """The token of every node."""
    copied_share: Tensor | None = None
    """The part of the probability at each step [T] that is copied from the source; None without a copy mechanism."""

    def layer(self, side: Side, number: int = 1, direction: CellDirection = CellDirection.forward) -> LayerTrace:
        """Return the trace of one cell; the lowest layer is 1.

        Raises:
            KeyError: the network has no such cell.
        """
        layers = {layer.location: layer for layer in self.layers}
        return layers[CellLocation(Side(side), number, CellDirection(direction))]

    def tokens_of(self, layer: LayerTrace) -> tuple[str, ...]:
        """Return the tokens that a cell reads, one per row of its arrays."""
        return self.source_tokens if layer.location.side is Side.encoder else self.input_tokens

    def arrays(self) -> dict[str, Tensor]:
        """Return every array by its name in the file: ``encoder.1.forward.forget``, ``attention``, …"""
        attributes = {name: getattr(self, attribute) for attribute, name in ARRAYS.items()}
        arrays = {name: array for name, array in attributes.items() if array is not None}
        for layer in self.layers:
            parts = {**layer.gates, "hidden": layer.hidden, "cell": layer.cell}
            arrays |= {f"{layer.location}.{name}": array for name, array in parts.items() if array is not None}
        for field, name in TREE_COLUMNS.items() if self.tree else ():
            values = [getattr(node, field) for node in self.tree]
            arrays[name] = torch.tensor([OUTCOMES.index(value) for value in values] if field == "outcome" else values)
        return arrays

    def save(self, path: str | Path) -> None:
        """Write `arrays` as safetensors, with all text as JSON under ``trace`` in the metadata.

        Raises:
            RunError: the file cannot be written.
        """
        texts: dict[str, Any] = {name: getattr(self, attribute) for attribute, name in TEXTS.items()}
        texts["layers"] = [[*layer.location, [*layer.gates]] for layer in self.layers]
        metadata = {"format": FORMAT, "fates": ",".join(OUTCOMES), "trace": json.dumps(texts, ensure_ascii=False)}
        arrays = {name: array.contiguous() for name, array in self.arrays().items()}
        with output_file(Path(path).expanduser()) as temporary:
            save_file(arrays, temporary, metadata)

    @classmethod
    def load(cls, path: str | Path) -> "Trace":
        """Read a trace that `save` has written. Nothing in the file is executed.

        Raises:
            RunError: the file is missing, damaged, or not a trace.
        """
        path = Path(path).expanduser()
        try:
            with safe_open(path, "pt") as file:
                metadata = file.metadata() or {}
                # Copies: Windows cannot replace a memory-mapped file, and this trace may be saved again.
                arrays = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
            if metadata.get("format") != FORMAT:
                raise ValueError(f"its format is not {FORMAT}")
            texts = json.loads(metadata["trace"])
            return cls(
                **{attribute: _tuples(texts[name]) for attribute, name in TEXTS.items()},
                **{attribute: arrays.get(name) for attribute, name in ARRAYS.items()},  # type: ignore[arg-type]
                layers=tuple(_layer(arrays, *row) for row in texts["layers"]),
                tree=_tree(arrays) if texts[TEXTS["tree_tokens"]] else (),
            )
        except (OSError, SafetensorError, ValueError, KeyError, TypeError, IndexError) as error:
            reason = " ".join(str(error).split())
            raise RunError(f"{path} cannot be read as a trace ({reason}): write it again with Trace.save") from None


# Attributes with their names in files; files written before the attributes were renamed stay readable.
TEXTS = {
    "model": "model",
    "source": "source",
    "text": "text",
    "source_tokens": "source_pieces",
    "target_tokens": "target_pieces",
    "input_tokens": "read_pieces",
    "alternative_tokens": "runner_up_pieces",
    "tree_tokens": "tree_pieces",
}
ARRAYS = {
    "context": "context",
    "initial_hidden": "initial_hidden",
    "initial_cell": "initial_cell",
    "attention": "attention",
    "copied_share": "copied_share",
    "log_probabilities": "log_probabilities",
    "alternative_ids": "runner_up_ids",
    "alternative_log_probabilities": "runner_up_log_probabilities",
}
TREE_COLUMNS = {
    "step": "tree.step",
    "parent": "tree.parent",
    "token": "tree.piece",
    "log_probability": "tree.log_probability",
    "outcome": "tree.fate",
    "chosen": "tree.chosen",
}
OUTCOMES = list(Outcome)


def _tuples(value: Any) -> Any:
    """Turn the lists that JSON returns into tuples."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _layer(arrays: dict[str, Tensor], side: str, layer: int, direction: str, gates: list[str]) -> LayerTrace:
    location = CellLocation(Side(side), layer, CellDirection(direction))
    by_name = {name: arrays[f"{location}.{name}"] for name in gates}
    return LayerTrace(location, by_name, arrays[f"{location}.hidden"], arrays.get(f"{location}.cell"))


def _tree(arrays: dict[str, Tensor]) -> tuple[Node, ...]:
    columns = {field: arrays[name].tolist() for field, name in TREE_COLUMNS.items()}
    columns["outcome"] = [OUTCOMES[number] for number in columns["outcome"]]
    return tuple(Node(*values) for values in zip(*columns.values(), strict=True))
