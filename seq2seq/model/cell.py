"""The recurrent cells: one step as the textbook writes it, and a whole sequence through a fused kernel.

N rows (sentences or hypotheses), T positions, I input width, H units, G rows of the stacked weights.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from seq2seq.model.choices import CellKind
from seq2seq.model.kernel import run_kernel
from seq2seq.model.layer_norm_lstm import LayerNormLSTM
from seq2seq.model.lstm_training import faster, run_lstm
from seq2seq.model.padding import flag_padding, last_states
from seq2seq.model.recurrence import Cell, CellState, Gates, cell_of, thinned, with_constant

__all__ = ["GRU", "LSTM", "RNN", "Cell", "CellState", "Gates", "LayerNormLSTM", "cell_of", "make_cell", "thinned"]


class FusedCell(Cell, nn.RNNBase):
    """A cell whose weights a torch module of one layer holds, for a kernel of torch to run."""

    def weights(self) -> list[Tensor]:
        """W_ih (G, I), W_hh (G, H), b_ih and b_hh (G,)."""
        return list(self.all_weights[0])


class LSTM(FusedCell, nn.LSTM):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000). Blocks: i, f, g, o."""

    blocks = 4

    def __init__(self, input_size: int, size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__(input_size, size, batch_first=True)
        self.recurrent_dropout = recurrent_dropout

    def step(self, inputs_NI: Tensor, state: CellState, weights: list[Tensor] | None = None) -> tuple[CellState, Gates]:
        """One position: c' = f · c + i · g, h' = o · tanh(c')."""
        W_ih, W_hh, b_ih, b_hh = weights or self.weights()
        i, f, g, o = (linear(inputs_NI, W_ih, b_ih) + linear(state.hidden_NH, W_hh, b_hh)).chunk(4, dim=1)
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
        """T positions in one call; on padding the cell state of a row that has ended is kept."""
        if state is None:
            zeros = _zeros(self, inputs_NTI)
            state = CellState(zeros, zeros)
        run = self._by_steps if faster(inputs_NTI, constant_NX is not None) else self._fused
        states, last = run(inputs_NTI, state, padding_NT, weights or thinned(self), constant_NX)
        if padding_NT is None:
            return states, last
        return states.masked_fill(padding_NT.unsqueeze(2), 0), last._replace(hidden_NH=last_states(states, padding_NT))

    def _by_steps(
        self,
        inputs_NTI: Tensor,
        state: CellState,
        padding_NT: Tensor | None,
        weights: list[Tensor],
        constant_NX: Tensor | None,
    ) -> tuple[Tensor, CellState]:
        """By `run_lstm`."""
        W_ih, W_hh, b_ih, b_hh = weights
        constant_NG = (b_ih + b_hh).expand(inputs_NTI.size(0), -1)
        if constant_NX is not None:
            W_ih, W_constant = torch.split_with_sizes(W_ih, [inputs_NTI.size(2), constant_NX.size(1)], dim=1)
            constant_NG = linear(constant_NX, W_constant, b_ih + b_hh)
        states, *last = run_lstm(inputs_NTI, constant_NG, state.hidden_NH, cell_of(state), W_ih, W_hh, padding_NT)
        return states, CellState(*last)

    def _fused(
        self,
        inputs_NTI: Tensor,
        state: CellState,
        padding_NT: Tensor | None,
        weights: list[Tensor],
        constant_NX: Tensor | None,
    ) -> tuple[Tensor, CellState]:
        """By torch's kernel, which knows nothing of padding or constant inputs."""
        inputs_NTI, (W_ih, *others) = with_constant(inputs_NTI, constant_NX), weights
        if padding_NT is not None:
            inputs_NTI, W_ih = flag_padding(inputs_NTI, padding_NT, W_ih)
        initial = _stacked(state.hidden_NH), _stacked(cell_of(state))
        states, hidden, cell = run_kernel(torch.lstm, inputs_NTI, initial, [W_ih, *others], self.training)
        return states, CellState(hidden.squeeze(0), cell.squeeze(0))


class HiddenStateCell(FusedCell):
    """A fused cell without a cell state: what it hands on is its hidden state."""

    kernel: Callable[..., tuple[Tensor, Tensor]]
    """Torch's function for whole sequences: all states (N, T, H) and the last (1, N, H)."""

    def run(
        self,
        inputs_NTI: Tensor,
        state: CellState | None = None,
        padding_NT: Tensor | None = None,
        weights: list[Tensor] | None = None,
        constant_NX: Tensor | None = None,
    ) -> tuple[Tensor, CellState]:
        """T positions in one fused call; padding on the right has changed nothing before it, and is masked."""
        inputs_NTI = with_constant(inputs_NTI, constant_NX)
        initial = _stacked(_zeros(self, inputs_NTI) if state is None else state.hidden_NH)
        states, last = run_kernel(self.kernel, inputs_NTI, initial, weights or thinned(self), self.training)
        if padding_NT is None:
            return states, CellState(last.squeeze(0), None)
        return states.masked_fill(padding_NT.unsqueeze(2), 0), CellState(last_states(states, padding_NT), None)


class GRU(HiddenStateCell, nn.GRU):
    """Gated recurrent unit (Cho et al. 2014), its reset gate behind the product as in cuDNN. Blocks: r, z, n."""

    blocks = 3

    def __init__(self, input_size: int, size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__(input_size, size, batch_first=True)
        self.recurrent_dropout = recurrent_dropout
        self.kernel = torch.gru

    def step(self, inputs_NI: Tensor, state: CellState, weights: list[Tensor] | None = None) -> tuple[CellState, Gates]:
        """One position: h' = (1 - z) · n + z · h, where n = tanh(W x + b + r · (W h + b))."""
        W_ih, W_hh, b_ih, b_hh = weights or self.weights()
        r_x, z_x, n_x = linear(inputs_NI, W_ih, b_ih).chunk(3, dim=1)
        r_h, z_h, n_h = linear(state.hidden_NH, W_hh, b_hh).chunk(3, dim=1)
        r, z = (r_x + r_h).sigmoid(), (z_x + z_h).sigmoid()
        n = (n_x + r * n_h).tanh()
        return CellState((1 - z) * n + z * state.hidden_NH, None), {"reset": r, "update": z, "candidate": n}


class RNN(HiddenStateCell, nn.RNN):
    """The simple recurrent network (Elman 1990); with ``relu``, that of Le et al. 2015."""

    blocks = 1

    def __init__(self, input_size: int, size: int, recurrent_dropout: float = 0.0, relu: bool = False) -> None:
        super().__init__(input_size, size, nonlinearity="relu" if relu else "tanh", batch_first=True)
        self.recurrent_dropout = recurrent_dropout
        self.relu = relu
        self.kernel = torch.rnn_relu if relu else torch.rnn_tanh

    def step(self, inputs_NI: Tensor, state: CellState, weights: list[Tensor] | None = None) -> tuple[CellState, Gates]:
        """One position: h' = tanh(W x + W h + b), or ReLU in place of tanh. There are no gates."""
        W_ih, W_hh, b_ih, b_hh = weights or self.weights()
        sum_NH = linear(inputs_NI, W_ih, b_ih) + linear(state.hidden_NH, W_hh, b_hh)
        return CellState(sum_NH.relu() if self.relu else sum_NH.tanh(), None), {}


def make_cell(kind: CellKind, input_size: int, size: int, recurrent_dropout: float = 0.0) -> Cell:
    """A cell of ``size`` units over inputs of ``input_size``, with weights as torch draws them."""
    sizes = input_size, size, recurrent_dropout
    match kind:
        case CellKind.lstm:
            return LSTM(*sizes)
        case CellKind.gru:
            return GRU(*sizes)
        case CellKind.rnn_tanh:
            return RNN(*sizes)
        case CellKind.rnn_relu:
            return RNN(*sizes, relu=True)
        case CellKind.layer_norm_lstm:
            return LayerNormLSTM(*sizes)


def _zeros(cell: Cell, inputs_NTI: Tensor) -> Tensor:
    return inputs_NTI.new_zeros(inputs_NTI.size(0), cell.hidden_size)


def _stacked(state_NH: Tensor) -> Tensor:
    """As the fused kernels take it: one layer (1, N, H) in one piece of memory."""
    return state_NH.unsqueeze(0).contiguous()
