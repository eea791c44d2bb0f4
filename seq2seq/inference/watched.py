"""A network that is watched from outside: whoever has it read a text may end that before any part of it.

N rows, T positions, I input width, H units, X constant inputs.
"""

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor

from seq2seq.model.network import Network
from seq2seq.model.padding import last_states
from seq2seq.model.recurrence import Cell, CellState, Gates

PRODUCTS = 2_000_000_000
"""Multiplications of a part, at most: about 0.1 s of a core."""

POSITIONS = 128
"""Of a part, at most: at each of them all weights of a cell are read, however few rows there are."""


class WatchedCell(Cell):
    """A cell that runs through a sequence in parts; states are equal to those of one run up to rounding.

    Args:
        cell: whose weights and equations these are.
        on_part: called without arguments before each part, and before each single step.
    """

    def __init__(self, cell: Cell, on_part: Callable[[], None]) -> None:
        super().__init__()
        self.cell, self.on_part = cell, on_part
        self.input_size, self.hidden_size, self.blocks = cell.input_size, cell.hidden_size, cell.blocks
        self.recurrent_dropout = cell.recurrent_dropout

    def step(self, inputs_NI: Tensor, state: CellState, weights: list[Tensor] | None = None) -> tuple[CellState, Gates]:
        """One position."""
        self.on_part()
        return self.cell.step(inputs_NI, state, weights)

    def run(
        self,
        inputs_NTI: Tensor,
        state: CellState | None = None,
        padding_NT: Tensor | None = None,
        weights: list[Tensor] | None = None,
        constant_NX: Tensor | None = None,
    ) -> tuple[Tensor, CellState]:
        """T positions, some at a time."""
        numbers = self.blocks * self.hidden_size * (self.input_size + self.hidden_size)
        size = max(1, min(POSITIONS, PRODUCTS // (numbers * inputs_NTI.size(0))))
        parts = []
        for begin in range(0, inputs_NTI.size(1), size):
            self.on_part()
            window = slice(begin, begin + size)
            padding = None if padding_NT is None else padding_NT[:, window]
            states, state = self.cell.run(inputs_NTI[:, window], state, padding, weights, constant_NX)
            parts.append(states)
        assert state is not None  # there is a position
        states_NTH = torch.cat(parts, 1)
        if padding_NT is not None:  # a row may have ended before the last part
            state = state._replace(hidden_NH=last_states(states_NTH, padding_NT))
        return states_NTH, state

    def weights(self) -> list[Tensor]:
        """The cell's own."""
        return self.cell.weights()


def watched(network: Network, on_part: Callable[[], None]) -> Network:
    """A copy as of `shared_copy` whose cells call ``on_part``; what that raises ends the reading."""
    copy = shared_copy(network)

    def call() -> None:  # a function, for what it belongs to is not copied with the network
        on_part()

    if copy.encoder is not None:
        for layer in copy.encoder.layers:
            for name in ("forward_cell", "reversed_cell"):
                if isinstance(cell := getattr(layer, name), Cell):
                    setattr(layer, name, WatchedCell(cell, call))
    for depth, cell in enumerate(copy.decoder.cells):
        copy.decoder.layers[depth] = WatchedCell(cell, call)
    return copy


def shared_copy(network: Network) -> Network:
    """A copy in evaluation mode, to be changed at will, with the very same weights."""
    weights = {id(tensor): tensor for tensor in [*network.parameters(), *network.buffers()]}
    copy: Network = deepcopy(network, weights)  # what the memo knows is not copied
    return copy.eval()
