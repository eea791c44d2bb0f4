"""What the cells in this folder have in common: one product of the input, and an equation for the rest.

N rows, T positions, I input width, X width of an input that is the same at all positions, H units, C width of the cell
state, G rows of the stacked weights.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from seq2seq.model.cell import Cell, CellState, Gates, cell_of, last_states, run_steps, weight_dropped, zero_state
from seq2seq.model.cells.scan import linear_scan
from seq2seq.model.choices import CellKind


class StackedCell(Cell):
    """A cell whose gates and candidates are sums W x + b, or W x + R h + b, and whose equation is `advance`.

    A subclass defines `kind`, `zeroing_biases` and `advance`. Where gates depend on the inputs only, `run` can compute
    all positions at once; this class computes the sums of the inputs at once, and the rest position by position.
    """

    kind: ClassVar[CellKind]
    """Its row in `CELL_TRAITS` says which parameters it has."""

    def __init__(self, input_size: int, size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__()
        traits = self.kind.traits
        self.input_size, self.hidden_size, self.recurrent_dropout = input_size, size, recurrent_dropout
        self.blocks, self.has_cell_state = traits.blocks, traits.has_cell_state
        self.has_recurrent_weights = traits.has_recurrent_weights
        self.weight_ih = self.new_weight(traits.blocks * size, input_size)
        if self.has_recurrent_weights:
            self.weight_hh = self.new_weight(traits.blocks * size, size)
        self.bias = nn.Parameter(torch.zeros(traits.blocks * size))

    def new_weight(self, rows: int, columns: int) -> nn.Parameter:
        """A matrix in the range of torch's recurrent cells."""
        weight = nn.Parameter(torch.empty(rows, columns))
        nn.init.uniform_(weight, -(self.hidden_size**-0.5), self.hidden_size**-0.5)
        return weight

    def advance(self, sums_NG: Tensor, state: CellState) -> tuple[CellState, Gates]:
        """Compute one position from the sums, the state before it included where gates depend on it."""
        raise NotImplementedError

    def weights(self) -> list[Tensor]:
        """W (G, I), R (G, H) of cells that have it, and b (G,)."""
        return [self.weight_ih, *([self.weight_hh] if self.has_recurrent_weights else []), self.bias]

    def input_weight(self, weights: list[Tensor]) -> Tensor:
        """W (G, I) of all sums."""
        return weights[0]

    def step(self, inputs_NI: Tensor, state: CellState, weights: list[Tensor] | None = None) -> tuple[CellState, Gates]:
        """Compute one position; the equation is `advance`."""
        weights = weights or self.weights()
        sums_NG = linear(inputs_NI, self.input_weight(weights), weights[-1])
        return self.advance(self._with_hidden(sums_NG, state, weights), state)

    def run(
        self,
        inputs_NTI: Tensor,
        state: CellState | None = None,
        padding_NT: Tensor | None = None,
        weights: list[Tensor] | None = None,
        constant_NX: Tensor | None = None,
    ) -> tuple[Tensor, CellState]:
        """Compute T positions: the products of the inputs at once, the rest one by one."""
        weights = weights or weight_dropped(self)
        sums_NTG, state = self.begin(inputs_NTI, state, constant_NX, weights)
        return run_steps(
            lambda sums, before: self.advance(self._with_hidden(sums, before, weights), before)[0],
            sums_NTG,
            state,
            padding_NT,
        )

    def begin(
        self, inputs_NTI: Tensor, state: CellState | None, constant_NX: Tensor | None, weights: list[Tensor]
    ) -> tuple[Tensor, CellState]:
        """The sums of the inputs at all positions (N, T, G), and the state before the first one: zeros if None."""
        sums_NTG = self.input_sums(inputs_NTI, constant_NX, weights)
        return sums_NTG, zero_state(self, len(inputs_NTI), sums_NTG) if state is None else state

    def input_sums(self, inputs_NTI: Tensor, constant_NX: Tensor | None, weights: list[Tensor]) -> Tensor:
        """W x + b at all positions (N, T, G), in the type of the weights; a constant input is multiplied once."""
        weight_GI, bias_G = self.input_weight(weights), weights[-1]
        if constant_NX is None:
            return linear(inputs_NTI, weight_GI, bias_G).to(bias_G.dtype)
        weight_GI, weight_GX = weight_GI.tensor_split([inputs_NTI.size(2)], dim=1)
        constant_NG = linear(constant_NX, weight_GX, bias_G).to(bias_G.dtype)
        return linear(inputs_NTI, weight_GI).to(bias_G.dtype) + constant_NG.unsqueeze(1)

    def _with_hidden(self, sums_NG: Tensor, state: CellState, weights: list[Tensor]) -> Tensor:
        # Under autocast products have 16 bits; sums and states do not.
        if self.has_recurrent_weights:
            sums_NG = sums_NG + linear(state.hidden_NH, weights[1])
        return sums_NG.to(self.bias.dtype)

    def fill_forget_bias(self, bias: float) -> None:
        """Set the bias of the second block, the forget gate."""
        self.bias[self.hidden_size : 2 * self.hidden_size].fill_(bias)

    def zero_unit(self, unit: int) -> None:
        """See `Cell.zero_unit`."""
        if self.has_recurrent_weights:
            self.weight_hh[:, unit] = 0
        for row, bias in self.zeroed_rows(unit):
            self.weight_ih[row] = 0
            if self.has_recurrent_weights:
                self.weight_hh[row] = 0
            self.bias[row] = bias


class LinearCell(StackedCell):
    """A cell with c' = a · c + b, where a and b depend on the input only: all positions are computed at once.

    The state c is the cell state; in cells without one it is the hidden state itself.
    """

    def coefficients(self, sums_XG: Tensor) -> tuple[Tensor, Tensor, Gates]:
        """The factor a in [0, 1], the term b, and the gates, (..., H) each, of sums (..., G)."""
        raise NotImplementedError

    def output(self, state_XH: Tensor) -> Tensor:
        """The hidden state, from c."""
        return state_XH

    def advance(self, sums_NG: Tensor, state: CellState) -> tuple[CellState, Gates]:
        """One position: c' = a · c + b."""
        kept_NH, added_NH, gates = self.coefficients(sums_NG)
        return self._state(kept_NH * self._recurrent(state) + added_NH), gates

    def run(
        self,
        inputs_NTI: Tensor,
        state: CellState | None = None,
        padding_NT: Tensor | None = None,
        weights: list[Tensor] | None = None,
        constant_NX: Tensor | None = None,
    ) -> tuple[Tensor, CellState]:
        """Compute T positions by `linear_scan`; padding keeps the state: a = 1, b = 0."""
        sums_NTG, state = self.begin(inputs_NTI, state, constant_NX, weights or self.weights())
        kept_NTH, added_NTH, _ = self.coefficients(sums_NTG)
        if padding_NT is not None:
            padding_NT1 = padding_NT.unsqueeze(2)
            kept_NTH, added_NTH = kept_NTH.masked_fill(padding_NT1, 1), added_NTH.masked_fill(padding_NT1, 0)
        recurrent_NTH = linear_scan(kept_NTH, added_NTH, self._recurrent(state).to(kept_NTH.dtype))
        states_NTH, last = self.output(recurrent_NTH), self._state(recurrent_NTH[:, -1])
        if padding_NT is not None:
            states_NTH = states_NTH.masked_fill(padding_NT1, 0)
        return states_NTH, last

    def start(self, hidden_NH: Tensor, cell_NH: Tensor | None) -> CellState:
        """The bridge's vector is the initial c."""
        return self._state(hidden_NH)

    def shown(self, state: CellState) -> Tensor:
        """The hidden state: there is no output gate."""
        return state.hidden_NH

    def _recurrent(self, state: CellState) -> Tensor:
        return cell_of(state) if self.has_cell_state else state.hidden_NH

    def _state(self, recurrent_NH: Tensor) -> CellState:
        return CellState(self.output(recurrent_NH), recurrent_NH if self.has_cell_state else None)


def padded_result(states_NTH: Tensor, padding_NT: Tensor | None, cell_NC: Tensor) -> tuple[Tensor, CellState]:
    """What `Cell.run` returns, from hidden states that are anything on padding and the last cell state."""
    if padding_NT is None:
        return states_NTH, CellState(states_NTH[:, -1], cell_NC)
    last = CellState(last_states(states_NTH, padding_NT), cell_NC)
    return states_NTH.masked_fill(padding_NT.unsqueeze(2), 0), last
