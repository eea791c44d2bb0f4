"""What a decoder that search steps needs and carries.

B sentences, K beam rows of a sentence, N = B·K rows, S source positions, E embedding width, D encoder width, H units,
L layers, F width of the features, G gates of the first layer.
"""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from seq2seq.model.state import Attended, Memory, State


class PreparedMemory(NamedTuple):
    """What every step may look at, one entry a sentence."""

    attended: Attended | None
    context_BD: Tensor | None = None
    """A context vector fed to every step, as it is."""
    gates_BG: Tensor | None = None
    """Or what it adds to the first layer's gates."""
    readout_BF: Tensor | None = None
    """And to the readout."""

    def select(self, sentences_B: Tensor) -> "PreparedMemory":
        """The memory of these sentences, in this order."""
        parts = (None if part is None else part.index_select(0, sentences_B) for part in self[1:])
        return PreparedMemory(self.attended and self.attended.select(sentences_B), *parts)


class PreparedState(NamedTuple):
    """A `State` in as few tensors as may be: a search reorders all of them at every step."""

    states_ZNH: Tensor
    """Hidden states of all layers, then their cell states, where there are any."""
    fed_NX: Tensor | None
    coverage_NS: Tensor | None

    @classmethod
    def of(cls, state: State) -> "PreparedState":
        """The same state."""
        hidden, cell, fed, coverage = state
        return cls(hidden if cell is None else torch.cat([hidden, cell]), fed, coverage)

    def unpacked(self, layers: int) -> State:
        """The same state, of this many layers."""
        hidden, cell = self.states_ZNH.tensor_split([layers])
        return State(hidden, cell if len(cell) else None, self.fed_NX, self.coverage_NS)

    def select(self, rows_N: Tensor) -> "PreparedState":
        """These rows, in this order."""
        fed, coverage = (None if part is None else part.index_select(0, rows_N) for part in self[1:])
        return PreparedState(self.states_ZNH.index_select(1, rows_N), fed, coverage)

    def repeated(self, times: int, dtype: torch.dtype) -> "PreparedState":
        """Every row so many times in a row, in this precision; coverage keeps its own."""
        states_ZNH = self.states_ZNH.to(dtype).repeat_interleave(times, dim=1)
        fed = None if self.fed_NX is None else self.fed_NX.to(dtype).repeat_interleave(times, dim=0)
        coverage = None if self.coverage_NS is None else self.coverage_NS.repeat_interleave(times, dim=0)
        return PreparedState(states_ZNH, fed, coverage)


class Steps(Protocol):
    """A copy of a decoder that reads one piece a row."""

    def memory(self, memory: Memory) -> PreparedMemory:
        """What the steps need of an encoded batch."""

    def step(self, inputs_NE: Tensor, memory: PreparedMemory, state: PreparedState) -> tuple[Tensor, PreparedState]:
        """Features (N, F) after one piece a row, and the next state. Rows n·K … n·K + K-1 belong to sentence n."""
