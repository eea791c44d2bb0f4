"""What a recurrent cell is: its state, its two ways to run, its dropout.

N rows (sentences or hypotheses), T positions, I input width, H units, G = blocks · H rows of the stacked weights.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

Gates = dict[str, Tensor]
"""What a step opened and proposed, (N, H) each, by name: input, forget, output, reset, update, candidate."""


class CellState(NamedTuple):
    """What a cell hands from one position to the next."""

    hidden_NH: Tensor
    cell_NH: Tensor | None
    """None for a cell without a cell state."""


class Cell(nn.Module):
    """Interface of a recurrent cell. Its weights W are stacked as torch stacks them: ``blocks`` matrices of H rows.

    With recurrent dropout, `run` silences entries of the recurrent matrix in training, the same ones at all positions
    (DropConnect, Merity et al. 2018): the fused kernels stay in use.
    """

    input_size: int
    hidden_size: int
    blocks: int
    recurrent_dropout: float

    def step(self, inputs_NI: Tensor, state: CellState, weights: list[Tensor] | None = None) -> tuple[CellState, Gates]:
        """One position: the next state and the gates that made it.

        ``weights``: as `thinned` drew them for a whole sequence; None: the cell's own, nothing silenced.
        """
        raise NotImplementedError

    def run(
        self,
        inputs_NTI: Tensor,
        state: CellState | None = None,
        padding_NT: Tensor | None = None,
        weights: list[Tensor] | None = None,
        constant_NX: Tensor | None = None,
    ) -> tuple[Tensor, CellState]:
        """T positions from ``state`` on, from zero where it is None.

        Args:
            inputs_NTI: right-padded sequences; with ``constant_NX``, without the last X inputs.
            state: before the first position.
            padding_NT: True on padding; every row has at least one position without. None: there is no padding.
            weights: as `thinned` drew them, where one sequence takes several calls; None: drawn anew.
            constant_NX: the last X inputs, where they are the same at every position.

        Returns:
            hidden states (N, T, H), zero on padding, and the state after each row's own last position.
        """
        raise NotImplementedError

    def weights(self) -> list[Tensor]:
        """W_ih (G, I) and W_hh (G, H); then the biases b_ih and b_hh (G,) of a cell that has a fused kernel."""
        raise NotImplementedError


def with_constant(inputs_NTI: Tensor, constant_NX: Tensor | None) -> Tensor:
    """The inputs, each followed by what is the same at every position."""
    if constant_NX is None:
        return inputs_NTI
    return torch.cat([inputs_NTI, constant_NX.unsqueeze(1).expand(-1, inputs_NTI.size(1), -1)], dim=2)


def thinned(cell: Cell) -> list[Tensor]:
    """The cell's weights, in training with its share of recurrent ones silenced and the others scaled up."""
    W_ih, W_hh, *biases = cell.weights()
    return [W_ih, dropout(W_hh, cell.recurrent_dropout, cell.training), *biases]


def cell_of(state: CellState) -> Tensor:
    """The cell state (N, H) that an LSTM must find."""
    assert state.cell_NH is not None, "an LSTM needs a cell state"
    return state.cell_NH
