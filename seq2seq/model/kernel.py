"""Fused recurrent kernels under autocast, in a type that they compute well in.

N rows, T positions, I input width, H units.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from seq2seq.system.capability import recurrent_dtype

# It is so by intent: the flag of padding and the cast make another matrix of the weights in each update.
warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk of memory")


def run_kernel(
    kernel: Callable[..., Any],
    inputs_NTI: Tensor,
    initial: Tensor | tuple[Tensor, Tensor],
    weights: Sequence[Tensor],
    training: bool,
) -> Any:
    """Run one layer by ``kernel`` (`torch.lstm`, `torch.gru` and the like) and return what it returns.

    On a GPU PyTorch's autocast casts to float16 for cuDNN's recurrent layers, whichever type it was asked for. Most
    gradients of a mean over thousands of target tokens are so small that float16 keeps few of their digits unless the
    loss is scaled, which it is for `Precision.float16` alone. So under autocast everything is cast here, to what
    `recurrent_dtype` says, and the kernel is called without it.
    """
    settings = True, 1, 0.0, training, False, True  # biases, layers, dropout, training, both directions, batch first
    device = inputs_NTI.device.type
    if device == "cpu" or not (torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)):
        return kernel(inputs_NTI, initial, weights, *settings)
    dtype = recurrent_dtype(inputs_NTI.device, torch.get_autocast_dtype(device))
    state = tuple(part.to(dtype) for part in initial) if isinstance(initial, tuple) else initial.to(dtype)
    with torch.autocast(device, enabled=False):
        return kernel(inputs_NTI.to(dtype), state, [weight.to(dtype) for weight in weights], *settings)
