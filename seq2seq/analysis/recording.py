"""A network run by its equations, with every gate written down.

What runs is the network's own code, residuals, bridge, attention and feeding included; only its cells are exchanged for
ones that take `Cell.step` position by position and keep what came of it. So a replay cannot drift from the network.

B sentences, S source positions, T positions of a side, N rows, I input width, H units.
"""

from enum import StrEnum
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.model import Network
from seq2seq.model.cell import Cell, CellState, Gates, run_steps, with_constant, zero_state
from seq2seq.model.decoder import DecoderOutput, Memory, State
from seq2seq.model.encoder import reverse_sentences
from seq2seq.model.network import shared_copy


class Side(StrEnum):
    """Which half of the network."""

    encoder = "encoder"
    decoder = "decoder"


class Reading(StrEnum):
    """Which way a cell goes through the sentence."""

    forward = "forward"
    reversed = "reversed"


class Place(NamedTuple):
    """Where in the network a cell stands."""

    side: Side
    layer: int
    """The lowest is 1."""
    reading: Reading

    def __str__(self) -> str:
        return f"{self.side}.{self.layer}.{self.reading}"


class Step(NamedTuple):
    """What a cell did at one position, (N, H) each."""

    gates: Gates
    after: CellState


class LayerRecord(NamedTuple):
    """What a cell did at all positions, in the order of the sentence whichever way it reads; padding has no meaning."""

    place: Place
    gates: dict[str, Tensor]
    """(B, T, H) each: input, forget, candidate and output of an LSTM; reset, update and candidate of a GRU."""
    hidden_BTH: Tensor
    cell_BTH: Tensor | None
    """None for a cell without a cell state."""

    @property
    def carried(self) -> Tensor:
        """What the cell remembers by: its cell state, or its hidden state where there is none."""
        return self.hidden_BTH if self.cell_BTH is None else self.cell_BTH


class Replay(NamedTuple):
    """A teacher-forced pass, all of it."""

    layers: tuple[LayerRecord, ...]
    """The encoder's from the lowest on, forward before reversed; then the decoder's."""
    memory: Memory
    initial: State
    """What the decoder begins with."""
    decoded: DecoderOutput


class RecordedCell(Cell):
    """A cell, run by its equation alone; every step is added to ``steps``."""

    def __init__(self, cell: Cell, steps: list[Step]) -> None:
        super().__init__()
        self.cell = cell
        self.steps = steps
        self.input_size, self.hidden_size, self.blocks = cell.input_size, cell.hidden_size, cell.blocks
        self.recurrent_dropout = cell.recurrent_dropout

    def step(self, inputs_NI: Tensor, state: CellState, weights: list[Tensor] | None = None) -> tuple[CellState, Gates]:
        """One position, written down."""
        after, gates = self.cell.step(inputs_NI, state, weights)
        self.steps.append(Step(gates, after))
        return after, gates

    def run(
        self,
        inputs_NTI: Tensor,
        state: CellState | None = None,
        padding_NT: Tensor | None = None,
        weights: list[Tensor] | None = None,
        constant_NX: Tensor | None = None,
    ) -> tuple[Tensor, CellState]:
        """Compute T positions one by one, by `step`."""
        state = zero_state(self, len(inputs_NTI), inputs_NTI) if state is None else state
        inputs_NTI = with_constant(inputs_NTI, constant_NX)
        return run_steps(lambda inputs, before: self.step(inputs, before, weights)[0], inputs_NTI, state, padding_NT)

    def weights(self) -> list[Tensor]:
        """The cell's own."""
        return self.cell.weights()


def replay(network: Network, source_BS: Tensor, lengths_B: Tensor, target_BT: Tensor) -> Replay:
    """Read a batch with the target given (from the beginning mark on) as `Network.forward` does, in evaluation mode.

    Equal to the fused pass to rounding. Gradients flow as they do there, unless the caller turns them off. The network
    is not changed, so threads may share it.
    """
    copy, notes = recorded(network)
    memory, initial = copy.encode(source_BS, lengths_B)
    decoded = copy.decoder(copy.target_embedding(target_BT), memory, initial)
    layers = tuple(_collected(place, steps, lengths_B) for place, steps in notes.items())
    return Replay(layers, memory, initial, decoded)


def recorded(network: Network) -> tuple[Network, dict[Place, list[Step]]]:
    """A copy as of `shared_copy` whose cells write down their steps; and where they do."""
    copy = shared_copy(network)
    notes: dict[Place, list[Step]] = {}
    if copy.encoder is not None:
        for depth, layer in enumerate(copy.encoder.layers, 1):
            for name, reading in (("forward_cell", Reading.forward), ("reversed_cell", Reading.reversed)):
                if isinstance(cell := getattr(layer, name), Cell):
                    steps = notes.setdefault(Place(Side.encoder, depth, reading), [])
                    setattr(layer, name, RecordedCell(cell, steps))
    for depth, cell in enumerate(copy.decoder.cells, 1):
        steps = notes.setdefault(Place(Side.decoder, depth, Reading.forward), [])
        copy.decoder.layers[depth - 1] = RecordedCell(cell, steps)
    return copy, notes


def _collected(place: Place, steps: list[Step], lengths_B: Tensor) -> LayerRecord:
    """The steps of a cell side by side; those of one that reads backwards put in the order of the sentence.

    They are taken out of ``steps``: kept both ways, those of all cells would need twice the memory.
    """

    def ordered(parts: list[Tensor]) -> Tensor:
        stacked_BTH = torch.stack(parts, 1)
        return reverse_sentences(stacked_BTH, lengths_B) if place.reading is Reading.reversed else stacked_BTH

    cells = [step.after.cell_NH for step in steps if step.after.cell_NH is not None]
    record = LayerRecord(
        place,
        {name: ordered([step.gates[name] for step in steps]) for name in steps[0].gates},
        ordered([step.after.hidden_NH for step in steps]),
        ordered(cells) if cells else None,
    )
    steps.clear()
    return record
