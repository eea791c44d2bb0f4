"""A network that calls a function before each part of its work, so that a caller can stop it with an exception.

N rows, T positions, I input width, H units, X constant inputs.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from seq2seq.model.cell import Cell, CellState, Gates, WrappedCell, last_states
from seq2seq.model.network import Network, shared_copy

MAX_PRODUCTS = 2_000_000_000
"""Most multiplications per chunk: about 0.1 s on one core."""

MAX_POSITIONS = 128
"""Most positions per chunk: each position reads all weights of a cell, however few rows there are."""


class WatchedCell(WrappedCell):
    """A cell that runs through a sequence in chunks; states are equal to those of one run up to rounding.

    Args:
        cell: the cell that computes.
        on_chunk: called without arguments before each chunk, and before each single step.
    """

    def __init__(self, cell: Cell, on_chunk: Callable[[], None]) -> None:
        super().__init__(cell)
        self.on_chunk = on_chunk

    def step(self, inputs_NI: Tensor, state: CellState, weights: list[Tensor] | None = None) -> tuple[CellState, Gates]:
        """Compute one position."""
        self.on_chunk()
        return self.cell.step(inputs_NI, state, weights)

    def run(
        self,
        inputs_NTI: Tensor,
        state: CellState | None = None,
        padding_NT: Tensor | None = None,
        weights: list[Tensor] | None = None,
        constant_NX: Tensor | None = None,
    ) -> tuple[Tensor, CellState]:
        """Compute T positions in chunks."""
        products = self.blocks * self.hidden_size * (self.input_size + self.hidden_size)
        size = max(1, min(MAX_POSITIONS, MAX_PRODUCTS // (products * inputs_NTI.size(0))))
        chunks = []
        for begin in range(0, inputs_NTI.size(1), size):
            self.on_chunk()
            window = slice(begin, begin + size)
            padding = None if padding_NT is None else padding_NT[:, window]
            states, state = self.cell.run(inputs_NTI[:, window], state, padding, weights, constant_NX)
            chunks.append(states)
        assert state is not None, "there is at least one position"
        states_NTH = torch.cat(chunks, 1)
        if padding_NT is not None:  # a row may end before the last chunk
            state = state._replace(hidden_NH=last_states(states_NTH, padding_NT))
        return states_NTH, state


def watched(network: Network, on_chunk: Callable[[], None]) -> Network:
    """A `shared_copy` of the network whose cells call ``on_chunk``; an exception from it stops the pass."""
    copy = shared_copy(network)

    def call() -> None:  # deepcopy does not copy functions, so copies of the network call the same ``on_chunk``
        on_chunk()

    if copy.encoder is not None:
        for layer in copy.encoder.layers:
            for name in ("forward_cell", "reversed_cell"):
                if isinstance(cell := getattr(layer, name), Cell):
                    setattr(layer, name, WatchedCell(cell, call))
    for depth, cell in enumerate(copy.decoder.cells):
        copy.decoder.layers[depth] = WatchedCell(cell, call)
    return copy
