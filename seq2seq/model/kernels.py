"""Kernels that run a recurrent layer over a whole sequence: torch's fused ones, and an LSTM for training on a CPU.

`run_kernel` calls `torch.lstm`, `torch.gru` and the like under autocast. `flag_padding` makes such a kernel respect
padding. `run_lstm` is an LSTM layer with its own backward pass, for the cases in which it is faster than torch's
(`faster_than_torch`): one product per position, all other products over all positions at once. Inputs that are the same
at every position, such as a fixed context vector, are multiplied only once, forward and backward.

N rows, T positions, I input width, H units, G = 4H stacked gates (input, forget, candidate, output).
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

from seq2seq.system.capability import recurrent_dtype

# Expected: the padding flag and the cast to another type create new weight matrices in each update.
warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk of memory")

CLOSED, OPEN = -1e4, 1e4
"""Values added to a gate before its sigmoid that set it to exactly 0 or 1."""

BLOCK = 2**20
"""Gates whose backward pass is prepared together: few enough to stay in the cache."""


def run_kernel(
    kernel: Callable[..., Any],
    inputs_NTI: Tensor,
    initial: Tensor | tuple[Tensor, Tensor],
    weights: Sequence[Tensor],
    training: bool,
) -> Any:
    """Run one layer by ``kernel`` (`torch.lstm`, `torch.gru` and the like) and return what it returns.

    On a GPU, PyTorch's autocast casts inputs of cuDNN's recurrent layers to float16, even if it is set to bfloat16.
    Most gradients of a mean over thousands of target tokens are so small that float16 keeps few of their digits, unless
    the loss is scaled. So under autocast everything is cast here to `recurrent_dtype`, and autocast is off in the call.
    """
    settings = True, 1, 0.0, training, False, True  # biases, layers, dropout, training, both directions, batch first
    device = inputs_NTI.device.type
    if device == "cpu" or not (torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)):
        return kernel(inputs_NTI, initial, weights, *settings)
    dtype = recurrent_dtype(inputs_NTI.device, torch.get_autocast_dtype(device))
    state = tuple(part.to(dtype) for part in initial) if isinstance(initial, tuple) else initial.to(dtype)
    with torch.autocast(device, enabled=False):
        return kernel(inputs_NTI.to(dtype), state, [weight.to(dtype) for weight in weights], *settings)


def flag_padding(inputs_NTI: Tensor, padding_NT: Tensor, W_ih: Tensor) -> tuple[Tensor, Tensor]:
    """Append a padding flag to the inputs (N, T, I + 1 or more) and its column to the weights (4H, I + 1 or more).

    The fused kernels have no argument for lengths. With the flag, the last cell state of an LSTM is that of each row's
    own last position, as for a packed sequence. Zeros make the width a multiple of `width_multiple`.
    """
    zeros = -(inputs_NTI.size(2) + 1) % width_multiple(inputs_NTI.device)
    flagged = torch.cat([inputs_NTI, padding_NT.unsqueeze(2).to(inputs_NTI.dtype)], dim=2)
    return pad(flagged, (0, zeros)), pad(torch.cat([W_ih, padding_column(W_ih)], dim=1), (0, zeros))


def padding_column(weight_GI: Tensor) -> Tensor:
    """Input weights (4H, 1) of a padding flag for an LSTM of H units, on the device of its other weights.

    They close the input gate and open the forget gate: on padding c' = 1·c + 0·g exactly, and no gradient reaches
    the gates.
    """
    size = weight_GI.size(0) // 4
    # Filled on the device: a copy from the host would make it wait for a GPU.
    gates = [weight_GI.new_full((size, 1), value) for value in (CLOSED, OPEN)]
    return torch.cat([*gates, weight_GI.new_zeros(2 * size, 1)])


def width_multiple(device: torch.device) -> int:
    """The number that should divide the input width.

    oneDNN's AMX kernel takes two inputs at a time: with 257 inputs and 256 units it was 2.3 times slower than with 258.
    Tensor cores of a GPU want rows of 16 bytes: 8 numbers of 16 bits.
    """
    return 2 if device.type == "cpu" else 8


def faster_than_torch(inputs_NTI: Tensor, has_constant: bool) -> bool:
    """Return True if `run_lstm` is faster than torch.lstm on these inputs.

    Speed relative to torch.lstm, measured with gradients, 80 to 280 rows and 256 or 512 units. With a constant input of
    512: 1.4 in float32 with AVX2 or AVX512, 1.4 in bfloat16 without AMX, 1.0 with it. Without constant input: 1.0 to
    1.1 in float32, 0.65 to 1.0 in bfloat16. Without gradients torch.lstm has a faster kernel.
    """
    if inputs_NTI.device.type != "cpu":
        return False
    dtype = product_dtype(inputs_NTI)
    if has_constant or dtype is torch.float16:  # few processors have a kernel of oneDNN for it
        return True
    return torch.is_grad_enabled() and dtype is not torch.bfloat16


def product_dtype(tensor: Tensor) -> torch.dtype:
    """The type of matrix products: autocast's, or the tensor's own."""
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
    """Run an LSTM layer over T positions, with gradients.

    Args:
        inputs_NTI: right-padded sequences.
        constant_NG: added to the gates at every position: biases, and the product of inputs that do not change.
        hidden_NH: hidden state before the first position.
        cell_NH: cell state before the first position.
        W_ih: weights (G, I) of the inputs.
        W_hh: weights (G, H) of the hidden state.
        padding_NT: True on padding, where the cell state is kept and the hidden state is undefined.

    Returns:
        Hidden states (N, T, H), and the last hidden and cell states (N, H).
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
    """The equations of `LSTM.step` at every position, time first.

    Products have the type of the inputs; gates and cell states are float32 or wider. The gradient of the weights is one
    product over all positions.
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
            _keep_cells_on_padding(gates_TNG, padding_NT)
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
        context: Any, grad_states_TNH: Tensor, grad_hidden_NH: Tensor, grad_cell_NH: Tensor
    ) -> tuple[Tensor | None, ...]:
        inputs_TNI, W_ih, W_hh, gates_TNG, hidden_TNH, cells_TNH, squashed_TNH = context.saved_tensors
        grad_TNG = W_hh.new_empty(gates_TNG.shape)
        grad_constant_NG = torch.zeros_like(gates_TNG[0])
        same_type, grad_cell_NH = grad_TNG.dtype is gates_TNG.dtype, grad_cell_NH.clone()
        block = max(1, BLOCK // grad_constant_NG.numel())
        for end in range(len(gates_TNG), 0, -block):
            part = slice(max(0, end - block), end)
            wide_TNG = grad_TNG[part] if same_type else torch.empty_like(gates_TNG[part])
            to_cell_TNH = _local_gradients(gates_TNG[part], cells_TNH[part], squashed_TNH[part], wide_TNG)
            forget_TNH = gates_TNG[part].chunk(4, dim=2)[1]
            steps = zip(wide_TNG, grad_TNG[part], to_cell_TNH, forget_TNH, grad_states_TNH[part], strict=True)
            for wide_NG, grad_NG, to_cell_NH, f_NH, grad_states_NH in reversed(list(steps)):
                grad_hidden_NH = (grad_hidden_NH + grad_states_NH).to(wide_NG.dtype)
                grad_cell_NH.addcmul_(grad_hidden_NH, to_cell_NH)
                wide_N4H = wide_NG.unflatten(1, (4, -1))
                wide_N4H[:, :3].mul_(grad_cell_NH.unsqueeze(1))
                wide_N4H[:, 3].mul_(grad_hidden_NH)
                grad_constant_NG.add_(wide_NG)
                grad_cell_NH.mul_(f_NH)
                if not same_type:
                    grad_NG.copy_(wide_NG)
                grad_hidden_NH = grad_NG @ W_hh
        grad_XG = grad_TNG.flatten(0, 1)
        grad_inputs = grad_XG @ W_ih if context.needs_input_grad[0] else None
        return (
            None if grad_inputs is None else grad_inputs.view_as(inputs_TNI),
            grad_constant_NG,
            grad_hidden_NH,
            grad_cell_NH,
            grad_XG.t() @ inputs_TNI.flatten(0, 1),
            grad_XG.t() @ hidden_TNH[:-1].flatten(0, 1),
            None,
        )


def _local_gradients(gates_TNG: Tensor, before_TNH: Tensor, squashed_TNH: Tensor, local_TNG: Tensor) -> Tensor:
    """The derivatives within a step, for T steps at once.

    ``local_TNG`` is filled with the derivatives by the gates before their nonlinearities: of the next cell state by
    input gate, forget gate and candidate, and of the hidden state by the output gate. Returns those of the hidden state
    by the cell state, (T, N, H).
    """
    i, f, g, o = gates_TNG.chunk(4, dim=2)
    to_i, to_f, to_g, to_o = local_TNG.chunk(4, dim=2)
    torch.ops.aten.sigmoid_backward(g, i, grad_input=to_i)
    torch.ops.aten.sigmoid_backward(before_TNH, f, grad_input=to_f)
    torch.ops.aten.tanh_backward(i, g, grad_input=to_g)
    torch.ops.aten.sigmoid_backward(squashed_TNH, o, grad_input=to_o)
    to_cell_TNH: Tensor = torch.ops.aten.tanh_backward(o, squashed_TNH)
    return to_cell_TNH


def _add_product(gates_NG: Tensor, hidden_NH: Tensor, weight_HG: Tensor) -> None:
    """Add hidden · weight to the gates, which may have a wider type."""
    if gates_NG.dtype is hidden_NH.dtype:
        gates_NG.addmm_(hidden_NH, weight_HG)
    else:
        gates_NG.add_(hidden_NH @ weight_HG)


def _keep_cells_on_padding(gates_TNG: Tensor, padding_NT: Tensor) -> None:
    """Close the input gate and open the forget gate on padding."""
    padding_X = padding_NT.t().flatten().nonzero().squeeze(1)
    column_G1 = padding_column(gates_TNG[0].t())
    gates_TNG.flatten(0, 1).index_add_(0, padding_X, column_G1.t().expand(len(padding_X), -1))
