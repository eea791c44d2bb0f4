"""The layer-normalized LSTM of RNMT+ (Chen et al. 2018)."""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from seq2seq.model.cell import (
    LSTM,
    Cell,
    CellState,
    Gates,
    cell_of,
    run_steps,
    weight_dropped,
    with_constant,
    zero_state,
)


class LayerNormLSTM(Cell):
    """An LSTM with layer normalization of each gate and of the cell state before its tanh. Blocks: i, f, g, o.

    The normalization of the cell state is equation 22 of Ba et al. 2016; that of each gate before its sigmoid is
    RNMT+'s (Chen et al. 2018). The biases are those of the normalizations. It has no fused kernel.
    """

    blocks = 4
    has_cell_state = True
    zeroing_biases = LSTM.zeroing_biases

    def __init__(self, input_size: int, size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = size
        self.recurrent_dropout = recurrent_dropout
        self.weight_ih = nn.Parameter(torch.empty(4 * size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(4 * size, size))
        for weight in self.weights():
            nn.init.uniform_(weight, -(size**-0.5), size**-0.5)
        self.gate_norm = nn.GroupNorm(4, 4 * size)  # a layer normalization of each of the four gates
        self.cell_norm = nn.LayerNorm(size)

    def step(self, inputs_NI: Tensor, state: CellState, weights: list[Tensor] | None = None) -> tuple[CellState, Gates]:
        """One position: c' = f · c + i · g, h' = o · tanh(LN(c'))."""
        W_ih, W_hh = weights or self.weights()
        return self._step(linear(inputs_NI, W_ih), state, W_hh)

    def _step(self, products_NG: Tensor, state: CellState, W_hh: Tensor) -> tuple[CellState, Gates]:
        # Under autocast the products have 16 bits; the normalized sums and the cell state do not.
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
        """Compute T positions one by one; only the products of the inputs are computed at once."""
        W_ih, W_hh = weights or weight_dropped(self)
        state = zero_state(self, len(inputs_NTI), self.weight_hh) if state is None else state
        products_NTG = linear(with_constant(inputs_NTI, constant_NX), W_ih)
        return run_steps(
            lambda products, before: self._step(products, before, W_hh)[0], products_NTG, state, padding_NT
        )

    def weights(self) -> list[Tensor]:
        """W_ih (4H, I) and W_hh (4H, H)."""
        return [self.weight_ih, self.weight_hh]

    def shown(self, state: CellState) -> Tensor:
        """tanh(LN(c))."""
        normalized_NH: Tensor = self.cell_norm(cell_of(state))
        return normalized_NH.tanh()

    def fill_forget_bias(self, bias: float) -> None:
        """Set the bias of the forget gate's normalization."""
        self.gate_norm.bias[self.hidden_size : 2 * self.hidden_size].fill_(bias)

    def zero_unit(self, unit: int) -> None:
        """See `Cell.zero_unit`; the other units' normalizations still include the unit's sums."""
        self.weight_hh[:, unit] = 0
        for row, bias in self.zeroed_rows(unit):
            self.gate_norm.weight[row] = 0
            self.gate_norm.bias[row] = bias
