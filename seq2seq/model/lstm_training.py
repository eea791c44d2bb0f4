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

BLOCK = 2**20
"""Gates whose backward pass is prepared together: many small operations in one, few enough to stay in the cache."""


def faster(inputs_NTI: Tensor, has_constant: bool) -> bool:
    """True where `run_lstm` is faster than torch.lstm on these inputs.

    Measured with gradients, 80 to 280 rows and 256 or 512 units, times of torch.lstm divided by this one's. With a
    constant input of 512: 1.4 in float32 with AVX2 or AVX512, 1.4 in bfloat16 without AMX, 1.0 with it. Without: 1.0 to
    1.1 in float32, 0.65 to 1.0 in bfloat16. Without gradients torch.lstm has a faster kernel.
    """
    if inputs_NTI.device.type != "cpu":
        return False
    dtype = product_dtype(inputs_NTI)
    if has_constant or dtype is torch.float16:  # few processors have a kernel of oneDNN for it
        return True
    return torch.is_grad_enabled() and dtype is not torch.bfloat16


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
    state_dtype = torch.promote_types(dtype, torch.float32)
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
        gates_TNG = (inputs_TNI @ W_ih.t()).to(constant_NG.dtype).add_(constant_NG)
        if padding_NT is not None:
            _hold_cells(gates_TNG, padding_NT)
        hidden_TNH = W_hh.new_empty(steps + 1, rows, W_hh.size(1))
        cells_TNH = cell_NH.new_empty(hidden_TNH.shape)
        squashed_TNH = cells_TNH.new_empty(steps, *cell_NH.shape)
        hidden_TNH[0], cells_TNH[0] = hidden_NH, cell_NH
        hidden, cells, weight_HG = hidden_TNH.unbind(), cells_TNH.unbind(), W_hh.t()
        for step, (gates_NG, squashed_NH) in enumerate(zip(gates_TNG.unbind(), squashed_TNH.unbind(), strict=True)):
            i, f, g, o = gates_NG.chunk(4, dim=1)
            _add_product(gates_NG, hidden[step], weight_HG)
            g.mul_(2)  # tanh(x) = 2 · sigmoid(2 x) - 1: one pass over all gates, and three times as fast as tanh
            gates_NG.sigmoid_()
            g.mul_(2).sub_(1)
            torch.mul(f, cells[step], out=cells[step + 1]).addcmul_(i, g)
            torch.mul(cells[step + 1], 2, out=squashed_NH).sigmoid_().mul_(2).sub_(1)
            torch.mul(o, squashed_NH, out=hidden[step + 1])
        context.save_for_backward(inputs_TNI, W_ih, W_hh, gates_TNG, hidden_TNH, cells_TNH, squashed_TNH)
        return hidden_TNH[1:], hidden_TNH[-1].clone(), cells_TNH[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(  # noqa: D102
        context: Any, states_slope_TNH: Tensor, hidden_slope_NH: Tensor, cell_slope_NH: Tensor
    ) -> tuple[Tensor | None, ...]:
        inputs_TNI, W_ih, W_hh, gates_TNG, hidden_TNH, cells_TNH, squashed_TNH = context.saved_tensors
        slopes_TNG = W_hh.new_empty(gates_TNG.shape)
        constant_slope_NG = torch.zeros_like(gates_TNG[0])
        same_type, cell_slope_NH = slopes_TNG.dtype is gates_TNG.dtype, cell_slope_NH.clone()
        block = max(1, BLOCK // constant_slope_NG.numel())
        for end in range(len(gates_TNG), 0, -block):
            part = slice(max(0, end - block), end)
            wide_TNG = slopes_TNG[part] if same_type else torch.empty_like(gates_TNG[part])
            to_cell_TNH = _factors(gates_TNG[part], cells_TNH[part], squashed_TNH[part], wide_TNG)
            forget_TNH = gates_TNG[part].chunk(4, dim=2)[1]
            steps = zip(wide_TNG, slopes_TNG[part], to_cell_TNH, forget_TNH, states_slope_TNH[part], strict=True)
            for wide_NG, slopes_NG, to_cell_NH, f_NH, states_slope_NH in reversed(list(steps)):
                hidden_slope_NH = (hidden_slope_NH + states_slope_NH).to(wide_NG.dtype)
                cell_slope_NH.addcmul_(hidden_slope_NH, to_cell_NH)
                wide_N4H = wide_NG.unflatten(1, (4, -1))
                wide_N4H[:, :3].mul_(cell_slope_NH.unsqueeze(1))
                wide_N4H[:, 3].mul_(hidden_slope_NH)
                constant_slope_NG.add_(wide_NG)
                cell_slope_NH.mul_(f_NH)
                if not same_type:
                    slopes_NG.copy_(wide_NG)
                hidden_slope_NH = slopes_NG @ W_hh
        slopes_XG = slopes_TNG.flatten(0, 1)
        inputs_slope = slopes_XG @ W_ih if context.needs_input_grad[0] else None
        return (
            None if inputs_slope is None else inputs_slope.view_as(inputs_TNI),
            constant_slope_NG,
            hidden_slope_NH,
            cell_slope_NH,
            slopes_XG.t() @ inputs_TNI.flatten(0, 1),
            slopes_XG.t() @ hidden_TNH[:-1].flatten(0, 1),
            None,
        )


def _factors(gates_TNG: Tensor, before_TNH: Tensor, squashed_TNH: Tensor, factors_TNG: Tensor) -> Tensor:
    """What slopes are multiplied by on their way back through a step, for T steps at once.

    ``factors_TNG`` is filled with those from the cell state after the step to input gate, forget gate and candidate
    before they are squashed, and from the hidden state to the output gate. Returns those from the hidden state to the
    cell state, (T, N, H).
    """
    i, f, g, o = gates_TNG.chunk(4, dim=2)
    to_i, to_f, to_g, to_o = factors_TNG.chunk(4, dim=2)
    torch.ops.aten.sigmoid_backward(g, i, grad_input=to_i)
    torch.ops.aten.sigmoid_backward(before_TNH, f, grad_input=to_f)
    torch.ops.aten.tanh_backward(i, g, grad_input=to_g)
    torch.ops.aten.sigmoid_backward(squashed_TNH, o, grad_input=to_o)
    to_cell_TNH: Tensor = torch.ops.aten.tanh_backward(o, squashed_TNH)
    return to_cell_TNH


def _add_product(gates_NG: Tensor, hidden_NH: Tensor, weight_HG: Tensor) -> None:
    """Add hidden · weight to the gates, which may be of a wider type."""
    if gates_NG.dtype is hidden_NH.dtype:
        gates_NG.addmm_(hidden_NH, weight_HG)
    else:
        gates_NG.add_(hidden_NH @ weight_HG)


def _hold_cells(gates_TNG: Tensor, padding_NT: Tensor) -> None:
    """Shut the input gate and open the forget gate where a row has ended."""
    ended_X = padding_NT.t().flatten().nonzero().squeeze(1)
    column_G1 = padding_column(gates_TNG[0].t())
    gates_TNG.flatten(0, 1).index_add_(0, ended_X, column_G1.t().expand(len(ended_X), -1))
