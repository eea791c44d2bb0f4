"""The layer-normalised LSTM: no fused kernel knows it, so it runs position by position.

N rows, T positions, I input width, H units, G = 4H stacked gates.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from seq2seq.model.recurrence import Cell, CellState, Gates, cell_of, thinned, with_constant


class LayerNormLSTM(Cell):
    """An LSTM whose gates, each by itself, and cell on its way out are layer-normalised. Blocks: i, f, g, o.

    The normalisation of the cell is equation 22 of Ba et al. 2016, that of each gate before it closes is RNMT+'s
    (Chen et al. 2018). The biases are those of the normalisations.
    """

    blocks = 4

    def __init__(self, input_size: int, size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = size
        self.recurrent_dropout = recurrent_dropout
        self.weight_ih = nn.Parameter(torch.empty(4 * size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(4 * size, size))
        for weight in self.weights():
            nn.init.uniform_(weight, -(size**-0.5), size**-0.5)
        # Normalising in four groups is a layer normalisation of every gate.
        self.gate_norm = nn.GroupNorm(4, 4 * size)
        self.cell_norm = nn.LayerNorm(size)

    def step(self, inputs_NI: Tensor, state: CellState, weights: list[Tensor] | None = None) -> tuple[CellState, Gates]:
        """One position: c' = f · c + i · g, h' = o · tanh(LN(c'))."""
        W_ih, W_hh = weights or self.weights()
        return self._step(linear(inputs_NI, W_ih), state, W_hh)

    def _step(self, products_NG: Tensor, state: CellState, W_hh: Tensor) -> tuple[CellState, Gates]:
        # Under autocast the products are bfloat16: what is normalised, and the cell, are not.
        sum_NG = (products_NG + linear(state.hidden_NH, W_hh)).to(self.weight_hh.dtype)
        i, f, g, o = self.gate_norm(sum_NG).chunk(4, dim=1)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        cell_NH = f * cell_of(state) + i * g
        hidden_NH = o * self.cell_norm(cell_NH).tanh()
        return CellState(hidden_NH, cell_NH), {"input": i, "forget": f, "candidate": g, "output": o}

    def run(
        self,
        inputs_NTI: Tensor,
        state: CellState | None = None,
        padding_NT: Tensor | None = None,
        weights: list[Tensor] | None = None,
        constant_NX: Tensor | None = None,
    ) -> tuple[Tensor, CellState]:
        """T steps; only the products of the inputs are taken at once. A row that has ended keeps its state."""
        W_ih, W_hh = weights or thinned(self)
        if state is None:
            zeros = self.weight_hh.new_zeros(inputs_NTI.size(0), self.hidden_size)
            state = CellState(zeros, zeros)
        ended = None if padding_NT is None else padding_NT.unsqueeze(2).unbind(1)
        hidden = []
        products_NTG = linear(with_constant(inputs_NTI, constant_NX), W_ih)
        for position, products_NG in enumerate(products_NTG.unbind(1)):
            after, _ = self._step(products_NG, state, W_hh)
            state = after if ended is None else _where(ended[position], state, after)
            hidden.append(state.hidden_NH)
        states_NTH = torch.stack(hidden, dim=1)
        if padding_NT is not None:
            states_NTH = states_NTH.masked_fill(padding_NT.unsqueeze(2), 0)
        return states_NTH, state

    def weights(self) -> list[Tensor]:
        """W_ih (4H, I) and W_hh (4H, H)."""
        return [self.weight_ih, self.weight_hh]


def _where(ended_N1: Tensor, before: CellState, after: CellState) -> CellState:
    """The state before for rows that have ended, that after for the others."""
    hidden_NH = torch.where(ended_N1, before.hidden_NH, after.hidden_NH)
    return CellState(hidden_NH, torch.where(ended_N1, cell_of(before), cell_of(after)))
