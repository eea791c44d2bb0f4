"""An LSTM layer for training on a CPU, with its own backward pass: one product a step, the others over all positions.

It is used where it is faster than torch's kernel (`faster`). What that kernel cannot do: inputs that are the same at
every position of a sentence, such as a fixed context vector, are multiplied once, forward and backward.

N rows, T positions, I input width, H units, G = 4H stacked gates (input, forget, candidate, output).
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from seq2seq.model.padding import padding_column


def faster(inputs_NTI: Tensor, has_constant: bool) -> bool:
    """True where `run_lstm` is faster than torch.lstm on these inputs.

    Measured with gradients, 80 to 280 rows and 256 or 512 units, times of torch.lstm divided by this one's. With a
    constant input of 512: 1.4 in float32 with AVX2 or AVX512, 1.4 in bfloat16 without AMX, 1.0 with it. Without: 1.0 to
    1.1 in float32, 0.65 to 1.0 in bfloat16. Without gradients torch.lstm has a faster kernel.
    """
    if inputs_NTI.device.type != "cpu":
        return False
    return has_constant or (torch.is_grad_enabled() and product_dtype(inputs_NTI) is not torch.bfloat16)


def product_dtype(tensor: Tensor) -> torch.dtype:
    """The type in which products are taken: autocast's, or the tensor's own."""
    device = tensor.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else tensor.dtype


def run_lstm(
    inputs_NTI: Tensor,
    constant_NG: Tensor,
    hidden_NH: Tensor,
    cell_NH: Tensor,
    W_ih: Tensor,
    W_hh: Tensor,
    padding_NT: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Hidden states (N, T, H), and the last hidden and cell states (N, H).

    Args:
        inputs_NTI: sequences.
        constant_NG: added to the gates at every position: biases, and the product of inputs that do not change.
        hidden_NH: hidden state before the first position.
        cell_NH: cell state before the first position.
        W_ih: weights (G, I) of the inputs.
        W_hh: weights (G, H) of the hidden state.
        padding_NT: True where a row has ended: its cell state stays as it is. Hidden states there mean nothing.
    """
    dtype = product_dtype(inputs_NTI)
    state_dtype = torch.float32 if dtype is torch.bfloat16 else dtype
    inputs_TNI, W_ih, W_hh = inputs_NTI.transpose(0, 1).to(dtype), W_ih.to(dtype), W_hh.to(dtype)
    initial = hidden_NH.to(dtype), cell_NH.to(state_dtype)
    with torch.autocast(inputs_NTI.device.type, enabled=False):
        states_TNH, hidden_NH, cell_NH = LSTMFunction.apply(  # type: ignore[no-untyped-call]
            inputs_TNI.contiguous(), constant_NG.to(state_dtype), *initial, W_ih, W_hh, padding_NT
        )
    return states_TNH.transpose(0, 1), hidden_NH, cell_NH


class LSTMFunction(torch.autograd.Function):
    """What `LSTM.step` computes, at every position, time first.

    Products are taken in the type of the inputs, gates and cell states in float32 or above. The weights' gradients are
    one product over all positions.
    """

    @staticmethod
    def forward(  # noqa: D102
        context: Any,
        inputs_TNI: Tensor,
        constant_NG: Tensor,
        hidden_NH: Tensor,
        cell_NH: Tensor,
        W_ih: Tensor,
        W_hh: Tensor,
        padding_NT: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        steps, rows, _ = inputs_TNI.shape
        gates_TNG = (inputs_TNI @ W_ih.t()).to(constant_NG.dtype)
        if padding_NT is not None:
            _hold_cells(gates_TNG, padding_NT)
        hidden_TNH = W_hh.new_empty(steps + 1, rows, W_hh.size(1))
        cells_TNH = cell_NH.new_empty(hidden_TNH.shape)
        squashed_TNH = cells_TNH.new_empty(steps, *cell_NH.shape)
        hidden_TNH[0], cells_TNH[0] = hidden_NH, cell_NH
        for step in range(steps):
            gates_NG, after_NH = gates_TNG[step].add_(constant_NG), cells_TNH[step + 1]
            _add_product(gates_NG, hidden_TNH[step], W_hh.t())
            i, f, g, o, i_and_f = _parts(gates_NG)
            i_and_f.sigmoid_(), g.tanh_(), o.sigmoid_()
            torch.mul(f, cells_TNH[step], out=after_NH).addcmul_(i, g)
            torch.tanh(after_NH, out=squashed_TNH[step])
            torch.mul(o, squashed_TNH[step], out=hidden_TNH[step + 1])
        context.save_for_backward(inputs_TNI, W_ih, W_hh, gates_TNG, hidden_TNH, cells_TNH, squashed_TNH)
        return hidden_TNH[1:], hidden_TNH[-1].clone(), cells_TNH[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(  # noqa: D102
        context: Any, states_slope_TNH: Tensor, hidden_slope_NH: Tensor, cell_slope_NH: Tensor
    ) -> tuple[Tensor | None, ...]:
        inputs_TNI, W_ih, W_hh, gates_TNG, hidden_TNH, cells_TNH, squashed_TNH = context.saved_tensors
        slopes_TNG = W_hh.new_empty(gates_TNG.shape)
        slopes_NG = gates_TNG.new_empty(gates_TNG.shape[1:])
        constant_slope_NG = torch.zeros_like(slopes_NG)
        to_hidden_NH, to_cell_NH = hidden_slope_NH, cell_slope_NH
        for step in reversed(range(len(gates_TNG))):
            i, f, g, o, i_and_f = _parts(gates_TNG[step])
            to_i, to_f, to_g, to_o, to_i_and_f = _parts(slopes_NG)
            to_hidden_NH = (to_hidden_NH + states_slope_TNH[step]).to(slopes_NG.dtype)
            squashed_NH = squashed_TNH[step]
            torch.mul(to_hidden_NH, squashed_NH, out=to_o)
            to_cell_NH = to_cell_NH + torch.ops.aten.tanh_backward(to_hidden_NH.mul_(o), squashed_NH)
            torch.mul(to_cell_NH, g, out=to_i)
            torch.mul(to_cell_NH, cells_TNH[step], out=to_f)
            torch.mul(to_cell_NH, i, out=to_g)
            torch.ops.aten.sigmoid_backward(to_i_and_f, i_and_f, grad_input=to_i_and_f)
            torch.ops.aten.tanh_backward(to_g, g, grad_input=to_g)
            torch.ops.aten.sigmoid_backward(to_o, o, grad_input=to_o)
            to_cell_NH.mul_(f)
            constant_slope_NG.add_(slopes_NG)
            slopes_TNG[step] = slopes_NG
            to_hidden_NH = slopes_TNG[step] @ W_hh
        slopes_XG = slopes_TNG.flatten(0, 1)
        inputs_slope = slopes_XG @ W_ih if context.needs_input_grad[0] else None
        return (
            None if inputs_slope is None else inputs_slope.view_as(inputs_TNI),
            constant_slope_NG,
            to_hidden_NH,
            to_cell_NH,
            slopes_XG.t() @ inputs_TNI.flatten(0, 1),
            slopes_XG.t() @ hidden_TNH[:-1].flatten(0, 1),
            None,
        )


def _parts(gates_NG: Tensor) -> tuple[Tensor, ...]:
    """Views of input gate, forget gate, candidate and output gate (N, H), and of the first two side by side (N, 2H)."""
    return *gates_NG.chunk(4, dim=1), gates_NG[:, : gates_NG.size(1) // 2]


def _add_product(gates_NG: Tensor, hidden_NH: Tensor, weight_HG: Tensor) -> None:
    """Add hidden · weight to the gates, which may be of a wider type."""
    if gates_NG.dtype is hidden_NH.dtype:
        gates_NG.addmm_(hidden_NH, weight_HG)
    else:
        gates_NG.add_(hidden_NH @ weight_HG)


def _hold_cells(gates_TNG: Tensor, padding_NT: Tensor) -> None:
    """Shut the input gate and open the forget gate where a row has ended."""
    ended_X = padding_NT.t().flatten().nonzero().squeeze(1)
    column_G1 = padding_column(gates_TNG.size(2) // 4).to(gates_TNG)
    gates_TNG.flatten(0, 1).index_add_(0, ended_X, column_G1.t().expand(len(ended_X), -1))
