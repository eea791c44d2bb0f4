"""A trace: everything a network computed for one sentence, as named arrays.

All arrays are float32 on the CPU, but for piece ids (int64). S source pieces with the end mark, T target pieces (the
end mark with them, where the translation has one), H units of a cell, D width of the context vector, L decoder layers,
R runners-up.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from seq2seq.analysis.beam_tree import Fate, Node
from seq2seq.analysis.recording import Place, Reading, Side
from seq2seq.errors import RunError
from seq2seq.system.lock import output_file

FORMAT = "seq2seq trace 1"


@dataclass(frozen=True)
class LayerTrace:
    """What one cell did. Row t is position t of the sentence, whichever way the cell reads.

    In the encoder the positions are the source pieces [S, H]; in the decoder they are the pieces read, which lead to
    the target pieces [T, H].
    """

    place: Place
    gates: dict[str, Tensor]
    """``input``, ``forget``, ``candidate``, ``output`` of an LSTM; ``reset``, ``update``, ``candidate`` of a GRU."""
    hidden: Tensor
    cell: Tensor | None
    """The cell state; None for a cell without one."""

    @property
    def carried(self) -> Tensor:
        """What it remembers by: the cell state, or the hidden state where there is none."""
        return self.hidden if self.cell is None else self.cell


@dataclass(frozen=True)
class Trace:
    """One sentence and one translation of it, seen from inside; of a language model, a sentence alone."""

    model: str
    """The folder the network comes from."""
    source: str
    """Empty for a language model."""
    text: str
    """The translation; of a language model, the sentence."""
    source_pieces: tuple[str, ...]
    """The end mark last; empty for a language model."""
    target_pieces: tuple[str, ...]
    """What was predicted at each step; the end mark last, unless the search was cut before."""
    read_pieces: tuple[str, ...]
    """What the decoder read at each step: the beginning mark, then the target pieces but the last."""
    layers: tuple[LayerTrace, ...]
    """The encoder's from the lowest on, forward before reversed; then the decoder's."""
    context: Tensor
    """The context vector [D], the summary of the encoder's top layer; [0] for a language model."""
    initial_hidden: Tensor
    """What the decoder begins with [L, H]."""
    initial_cell: Tensor | None
    """And its cell states [L, H]; None for cells without."""
    attention: Tensor | None
    """Weights [T, S], the mean of all heads'; None without attention."""
    log_probabilities: Tensor
    """Of each target piece given those before [T], in nats, by this network alone and over all pieces."""
    runner_up_pieces: tuple[tuple[str, ...], ...]
    """The likeliest other pieces at each step, likeliest first: T tuples of R."""
    runner_up_ids: Tensor
    """Their ids [T, R]."""
    runner_up_log_probabilities: Tensor
    """[T, R], in nats."""
    tree: tuple[Node, ...]
    """The hypotheses of the search, parents before children; empty where the translation was given."""
    tree_pieces: tuple[str, ...]
    """The piece of every node."""

    def layer(self, side: Side, number: int = 1, reading: Reading = Reading.forward) -> LayerTrace:
        """The cell at a place; the lowest layer is 1.

        Raises:
            KeyError: there is none.
        """
        found = {layer.place: layer for layer in self.layers}
        return found[Place(Side(side), number, Reading(reading))]

    def pieces_of(self, layer: LayerTrace) -> tuple[str, ...]:
        """The pieces a cell read, one a row of its arrays."""
        return self.source_pieces if layer.place.side is Side.encoder else self.read_pieces

    def arrays(self) -> dict[str, Tensor]:
        """Every array by its name in the file: ``encoder.1.forward.forget``, ``attention``, …"""
        named = {name: getattr(self, name) for name in ARRAYS if getattr(self, name) is not None}
        for layer in self.layers:
            parts = {**layer.gates, "hidden": layer.hidden, "cell": layer.cell}
            named |= {f"{layer.place}.{name}": array for name, array in parts.items() if array is not None}
        if self.tree:
            named["tree.step"] = torch.tensor([node.step for node in self.tree])
            named["tree.parent"] = torch.tensor([node.parent for node in self.tree])
            named["tree.piece"] = torch.tensor([node.piece for node in self.tree])
            named["tree.log_probability"] = torch.tensor([node.log_probability for node in self.tree])
            named["tree.fate"] = torch.tensor([FATES.index(node.fate) for node in self.tree])
            named["tree.chosen"] = torch.tensor([node.chosen for node in self.tree])
        return named

    def save(self, path: str | Path) -> None:
        """Write it as safetensors: `arrays`, and all text as JSON under ``trace`` in the file's metadata.

        Raises:
            RunError: the file cannot be written.
        """
        told: dict[str, Any] = {name: getattr(self, name) for name in TEXTS}
        told["layers"] = [[*layer.place, [*layer.gates]] for layer in self.layers]
        metadata = {"format": FORMAT, "fates": ",".join(FATES), "trace": json.dumps(told, ensure_ascii=False)}
        arrays = {name: array.contiguous() for name, array in self.arrays().items()}
        with output_file(Path(path).expanduser()) as temporary:
            save_file(arrays, temporary, metadata)

    @classmethod
    def load(cls, path: str | Path) -> "Trace":
        """Read what `save` wrote; nothing in it is executed.

        Raises:
            RunError: the file is missing, damaged, or no trace.
        """
        place = Path(path).expanduser()
        try:
            with safe_open(place, "pt") as file:
                metadata = file.metadata() or {}
                # Copies: Windows replaces no file that is mapped, and this may be saved again.
                arrays = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
            if metadata.get("format") != FORMAT:
                raise ValueError(f"it is no {FORMAT}")
            told = json.loads(metadata["trace"])
            return cls(
                **{name: _tuples(told[name]) for name in TEXTS},
                **{name: arrays.get(name) for name in ARRAYS},  # type: ignore[arg-type]
                layers=tuple(_layer(arrays, *row) for row in told["layers"]),
                tree=_tree(arrays) if told["tree_pieces"] else (),
            )
        except (OSError, SafetensorError, ValueError, KeyError, TypeError, IndexError) as error:
            reason = " ".join(str(error).split())
            raise RunError(f"{place} cannot be read as a trace ({reason}): make it again with Trace.save") from None


TEXTS = (
    "model",
    "source",
    "text",
    "source_pieces",
    "target_pieces",
    "read_pieces",
    "runner_up_pieces",
    "tree_pieces",
)
ARRAYS = (
    "context",
    "initial_hidden",
    "initial_cell",
    "attention",
    "log_probabilities",
    "runner_up_ids",
    "runner_up_log_probabilities",
)
FATES = list(Fate)


def _tuples(value: Any) -> Any:
    """What JSON made lists of."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _layer(arrays: dict[str, Tensor], side: str, layer: int, reading: str, gates: list[str]) -> LayerTrace:
    place = Place(Side(side), layer, Reading(reading))
    named = {name: arrays[f"{place}.{name}"] for name in gates}
    return LayerTrace(place, named, arrays[f"{place}.hidden"], arrays.get(f"{place}.cell"))


def _tree(arrays: dict[str, Tensor]) -> tuple[Node, ...]:
    makes: dict[str, Callable[[Any], Any]] = {"fate": FATES.__getitem__}
    columns = [map(makes.get(name, lambda value: value), arrays[f"tree.{name}"].tolist()) for name in Node._fields]
    return tuple(Node(*values) for values in zip(*columns, strict=True))
