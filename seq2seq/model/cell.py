"""Recurrent cells: `step` is the textbook's equation for one position, `run` takes a whole sequence.

The interface, the LSTM, the GRU and the simple cells; `seq2seq.model.cells` has the later ones, one per file.

N rows (sentences or hypotheses), T positions, I input width, X width of an input that is the same at all positions,
H units, C width of the cell state, G = blocks · H rows of the stacked weights.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, linear

from seq2seq.model.kernels import CLOSED, faster_than_torch, flag_padding, run_kernel, run_lstm
from seq2seq.model.repeated_products import repeated_products, trains_in_16_bits

Gates = dict[str, Tensor]
"""Gate activations and candidate of one step, (N, H) each: input, forget, output, reset, update, candidate.

Gates lie in [0, 1]; forget, or update of a GRU, is the share of the state before that is kept.
"""


class CellState(NamedTuple):
    """State that a cell passes from one position to the next."""

    hidden_NH: Tensor
    cell_NH: Tensor | None
    """(N, C), where C is `Cell.state_size`, H for most cells; None for cells without a cell state."""


def cell_of(state: CellState) -> Tensor:
    """The cell state (N, C) of an LSTM, or of another cell that has one."""
    assert state.cell_NH is not None, "an LSTM needs a cell state"
    return state.cell_NH


class Cell(nn.Module):
    """Interface of a recurrent cell. Its weights are stacked as in torch: ``blocks`` matrices of H rows each."""

    input_size: int
    hidden_size: int
    blocks: int
    recurrent_dropout: float
    """Share of recurrent weights that `run` drops in training, the same at all positions (see `weight_dropped`)."""
    has_recurrent_weights: bool = True
    """Whether there is a W_hh: gates depend on the hidden state before."""
    has_cell_state: bool = False
    """Whether the first H numbers of the cell state are one per unit."""
    zeroing_biases: tuple[float | None, ...]
    """For each block the bias with which `zero_unit` zeroes a unit whose weights are 0; None: the block stays."""

    @property
    def state_size(self) -> int:
        """Width C of the cell state, if there is one."""
        return self.hidden_size

    def start(self, hidden_NH: Tensor, cell_NH: Tensor | None) -> CellState:
        """The state before the first position, from the bridge's vectors; `CellTraits` says whether there are two."""
        return CellState(hidden_NH, cell_NH)

    def unit_state(self, state: CellState) -> Tensor | None:
        """The cell state of one number per unit (N, H); None for cells without one."""
        return cell_of(state)[:, : self.hidden_size] if self.has_cell_state else None

    def shown(self, state: CellState) -> Tensor:
        """The hidden state (N, H) if the output gate were open; the hidden state itself in cells without that gate."""
        units_NH = self.unit_state(state)
        return state.hidden_NH if units_NH is None else units_NH.tanh()

    def fill_forget_bias(self, bias: float) -> None:
        """Set the biases of the forget gate, which keeps more of the state the higher they are; else do nothing."""

    def zero_unit(self, unit: int) -> None:
        """Change the weights so that a unit's hidden and cell states are 0 after every step.

        The gates that keep or show the unit's state are closed, and its candidate is 0.
        """
        raise NotImplementedError

    def zeroed_rows(self, unit: int) -> list[tuple[int, float]]:
        """The rows of the stacked weights that `zero_unit` sets to 0 for a unit, each with its bias."""
        biases = enumerate(self.zeroing_biases)
        return [(block * self.hidden_size + unit, bias) for block, bias in biases if bias is not None]

    def step(self, inputs_NI: Tensor, state: CellState, weights: list[Tensor] | None = None) -> tuple[CellState, Gates]:
        """Compute one position.

        Args:
            inputs_NI: the inputs at this position.
            state: the state before it.
            weights: from `weight_dropped`, for a sequence that takes several calls; None: the cell's own, none dropped.

        Returns:
            The next state, and the gates.
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
        """Compute T positions.

        Args:
            inputs_NTI: right-padded sequences; with ``constant_NX``, without the last X inputs.
            state: the state before the first position; None: zeros.
            padding_NT: True on padding; every row has at least one position without. None: there is no padding.
            weights: from `weight_dropped`, for a sequence that takes several calls; None: dropped in this call.
            constant_NX: the last X inputs, if they are the same at every position.

        Returns:
            Hidden states (N, T, H), zero on padding, and the state after each row's own last position.
        """
        raise NotImplementedError

    def weights(self) -> list[Tensor]:
        """W_ih (G, I), then W_hh (G, H) of cells that have it, then the biases of cells that have some."""
        raise NotImplementedError


class WrappedCell(Cell):
    """A cell that runs another one in its own way: sizes and weights are those of the other."""

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell
        self.input_size, self.hidden_size, self.blocks = cell.input_size, cell.hidden_size, cell.blocks
        self.recurrent_dropout, self.has_cell_state = cell.recurrent_dropout, cell.has_cell_state
        self.has_recurrent_weights = cell.has_recurrent_weights

    @property
    def state_size(self) -> int:
        """That of the other cell."""
        return self.cell.state_size

    def start(self, hidden_NH: Tensor, cell_NH: Tensor | None) -> CellState:
        """The initial state of the other cell."""
        return self.cell.start(hidden_NH, cell_NH)

    def shown(self, state: CellState) -> Tensor:
        """What the other cell shows."""
        return self.cell.shown(state)

    def weights(self) -> list[Tensor]:
        """The weights of the other cell."""
        return self.cell.weights()


class FusedCell(Cell, nn.RNNBase):
    """A cell with the weights of a torch module of one layer, which a fused kernel runs."""

    def weights(self) -> list[Tensor]:
        """W_ih (G, I), W_hh (G, H), b_ih and b_hh (G,)."""
        return list(self.all_weights[0])

    def zero_unit(self, unit: int) -> None:
        """See `Cell.zero_unit`."""
        _, W_hh, b_ih, _ = self.weights()
        W_hh[:, unit] = 0
        for row, bias in self.zeroed_rows(unit):
            for weight in self.weights():
                weight[row] = 0
            b_ih[row] = bias


class LSTM(FusedCell, nn.LSTM):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000). Blocks: i, f, g, o."""

    blocks = 4
    has_cell_state = True
    zeroing_biases = (None, CLOSED, 0, CLOSED)

    def __init__(self, input_size: int, size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__(input_size, size, batch_first=True)
        self.recurrent_dropout = recurrent_dropout

    def step(self, inputs_NI: Tensor, state: CellState, weights: list[Tensor] | None = None) -> tuple[CellState, Gates]:
        """One position: c' = f · c + i · g, h' = o · tanh(c')."""
        W_ih, W_hh, b_ih, b_hh = weights or self.weights()
        sums_NG = linear(inputs_NI, W_ih, b_ih) + linear(state.hidden_NH, W_hh, b_hh)
        # Under autocast the products have 16 bits; gates and cell states do not.
        i, f, g, o = sums_NG.to(b_hh.dtype).chunk(4, dim=1)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        cell_NH = f * cell_of(state) + i * g
        return CellState(o * cell_NH.tanh(), cell_NH), {"input": i, "forget": f, "candidate": g, "output": o}

    def run(
        self,
        inputs_NTI: Tensor,
        state: CellState | None = None,
        padding_NT: Tensor | None = None,
        weights: list[Tensor] | None = None,
        constant_NX: Tensor | None = None,
    ) -> tuple[Tensor, CellState]:
        """Compute T positions in one call, by torch's kernel or `run_lstm`; padding keeps the cell state."""
        W_ih, W_hh, b_ih, b_hh = weights or weight_dropped(self)
        state = zero_state(self, len(inputs_NTI), inputs_NTI) if state is None else state
        hidden_NH, cell_NH = state.hidden_NH, cell_of(state)
        if faster_than_torch(inputs_NTI, constant_NX is not None):
            constant_NG = (b_ih + b_hh).expand(inputs_NTI.size(0), -1)
            if constant_NX is not None:
                W_ih, W_constant = torch.split_with_sizes(W_ih, [inputs_NTI.size(2), constant_NX.size(1)], dim=1)
                constant_NG = linear(constant_NX, W_constant, b_ih + b_hh)
            states_NTH, hidden_NH, cell_NH = run_lstm(
                inputs_NTI, constant_NG, hidden_NH, cell_NH, W_ih, W_hh, padding_NT
            )
        else:
            inputs_NTI = with_constant(inputs_NTI, constant_NX)
            if padding_NT is not None:
                inputs_NTI, W_ih = flag_padding(inputs_NTI, padding_NT, W_ih)
            initial = _one_layer(hidden_NH), _one_layer(cell_NH)
            states_NTH, hidden_1NH, cell_1NH = run_kernel(
                torch.lstm, inputs_NTI, initial, [W_ih, W_hh, b_ih, b_hh], self.training
            )
            hidden_NH, cell_NH = hidden_1NH.squeeze(0), cell_1NH.squeeze(0)
        if padding_NT is None:
            return states_NTH, CellState(hidden_NH, cell_NH)
        states = states_NTH.masked_fill(padding_NT.unsqueeze(2), 0)
        return states, CellState(last_states(states_NTH, padding_NT), cell_NH)

    def fill_forget_bias(self, bias: float) -> None:
        """Set the forget gate's first bias; the second is added to it."""
        self.weights()[2][self.hidden_size : 2 * self.hidden_size].fill_(bias)


class HiddenStateCell(FusedCell):
    """A fused cell without a cell state."""

    kernel: Callable[..., tuple[Tensor, Tensor]]
    """Torch's function for whole sequences: returns all states (N, T, H) and the last (1, N, H)."""

    def run(
        self,
        inputs_NTI: Tensor,
        state: CellState | None = None,
        padding_NT: Tensor | None = None,
        weights: list[Tensor] | None = None,
        constant_NX: Tensor | None = None,
    ) -> tuple[Tensor, CellState]:
        """Compute T positions in one fused call, or in T steps when training in 16 bits on a CPU.

        States on padding, which comes last, are set to zero.
        """
        inputs_NTI = with_constant(inputs_NTI, constant_NX)
        state = zero_state(self, len(inputs_NTI), inputs_NTI) if state is None else state
        weights = weights or weight_dropped(self)
        if inputs_NTI.device.type == "cpu" and trains_in_16_bits(inputs_NTI.device):
            # Torch's kernel makes one product per position too, but sums the gradients of weights in 16 bits.
            return run_steps(
                lambda inputs, before: self.step(inputs, before, weights)[0], inputs_NTI, state, padding_NT
            )
        states_NTH, last_1NH = run_kernel(self.kernel, inputs_NTI, _one_layer(state.hidden_NH), weights, self.training)
        if padding_NT is None:
            return states_NTH, CellState(last_1NH.squeeze(0), None)
        states = states_NTH.masked_fill(padding_NT.unsqueeze(2), 0)
        return states, CellState(last_states(states_NTH, padding_NT), None)


class GRU(HiddenStateCell, nn.GRU):
    """Gated recurrent unit (Cho et al. 2014); the reset gate follows the product, as in cuDNN. Blocks: r, z, n."""

    blocks = 3
    zeroing_biases = (None, CLOSED, 0)

    def __init__(self, input_size: int, size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__(input_size, size, batch_first=True)
        self.recurrent_dropout = recurrent_dropout
        self.kernel = torch.gru

    def step(self, inputs_NI: Tensor, state: CellState, weights: list[Tensor] | None = None) -> tuple[CellState, Gates]:
        """One position: h' = (1 - z) · n + z · h, where n = tanh(W x + b + r · (W h + b))."""
        W_ih, W_hh, b_ih, b_hh = weights or self.weights()
        # Under autocast the products have 16 bits; gates and states do not.
        r_x, z_x, n_x = linear(inputs_NI, W_ih, b_ih).to(b_ih.dtype).chunk(3, dim=1)
        r_h, z_h, n_h = linear(state.hidden_NH, W_hh, b_hh).to(b_hh.dtype).chunk(3, dim=1)
        r, z = (r_x + r_h).sigmoid(), (z_x + z_h).sigmoid()
        n = (n_x + r * n_h).tanh()
        return CellState((1 - z) * n + z * state.hidden_NH, None), {"reset": r, "update": z, "candidate": n}


class RNN(HiddenStateCell, nn.RNN):
    """The simple recurrent network (Elman 1990); with ``relu``, that of Le et al. 2015."""

    blocks = 1
    zeroing_biases = (0,)

    def __init__(self, input_size: int, size: int, recurrent_dropout: float = 0.0, relu: bool = False) -> None:
        super().__init__(input_size, size, nonlinearity="relu" if relu else "tanh", batch_first=True)
        self.recurrent_dropout = recurrent_dropout
        self.relu = relu
        self.kernel = torch.rnn_relu if relu else torch.rnn_tanh

    def step(self, inputs_NI: Tensor, state: CellState, weights: list[Tensor] | None = None) -> tuple[CellState, Gates]:
        """One position: h' = tanh(W x + W h + b), or ReLU in place of tanh. There are no gates."""
        W_ih, W_hh, b_ih, b_hh = weights or self.weights()
        sum_NH = (linear(inputs_NI, W_ih, b_ih) + linear(state.hidden_NH, W_hh, b_hh)).to(b_hh.dtype)
        return CellState(sum_NH.relu() if self.relu else sum_NH.tanh(), None), {}


def run_steps(
    step: Callable[[Tensor, CellState], CellState], inputs_NTX: Tensor, state: CellState, padding_NT: Tensor | None
) -> tuple[Tensor, CellState]:
    """Call ``step`` at each position and return what `Cell.run` returns: on padding a row keeps its state."""
    hidden = []
    with repeated_products(inputs_NTX.device):
        for position, inputs_NX in enumerate(inputs_NTX.unbind(1)):
            after = step(inputs_NX, state)
            if padding_NT is not None:
                padding_N1 = padding_NT[:, position, None]
                after = CellState(
                    torch.where(padding_N1, state.hidden_NH, after.hidden_NH),
                    None if after.cell_NH is None else torch.where(padding_N1, cell_of(state), after.cell_NH),
                )
            state = after
            hidden.append(state.hidden_NH)
    states_NTH = torch.stack(hidden, dim=1)
    if padding_NT is not None:
        states_NTH = states_NTH.masked_fill(padding_NT.unsqueeze(2), 0)
    return states_NTH, state


def weight_dropped(cell: Cell) -> list[Tensor]:
    """The cell's weights, in training with recurrent dropout of W_hh (DropConnect, Merity et al. 2018).

    One mask serves all positions of a sequence, so that fused kernels can be used.
    """
    if not cell.has_recurrent_weights:
        return cell.weights()
    W_ih, W_hh, *biases = cell.weights()
    return [W_ih, dropout(W_hh, cell.recurrent_dropout, cell.training), *biases]


def zero_state(cell: Cell, rows: int, like: Tensor) -> CellState:
    """Zeros as hidden (N, H) and cell state (N, C), of the type and on the device of ``like``."""
    return CellState(like.new_zeros(rows, cell.hidden_size), like.new_zeros(rows, cell.state_size))


def with_constant(inputs_NTI: Tensor, constant_NX: Tensor | None) -> Tensor:
    """The inputs, with ``constant_NX`` appended at every position."""
    if constant_NX is None:
        return inputs_NTI
    return torch.cat([inputs_NTI, constant_NX.unsqueeze(1).expand(-1, inputs_NTI.size(1), -1)], dim=2)


def last_states(states_NTH: Tensor, padding_NT: Tensor) -> Tensor:
    """The state (N, H) at every row's last position; for a row that is all padding, the first state."""
    last_N = (padding_NT.logical_not().sum(1) - 1).clamp(min=0)
    return states_NTH.gather(1, last_N.view(-1, 1, 1).expand(-1, 1, states_NTH.size(2))).squeeze(1)


def _one_layer(state_NH: Tensor) -> Tensor:
    """The state as a fused kernel takes it: one layer (1, N, H), contiguous."""
    return state_NH.unsqueeze(0).contiguous()
