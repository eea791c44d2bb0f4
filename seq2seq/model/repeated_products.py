"""Products with the same weights or memory at one position after another, under autocast.

Autocast casts a weight once, and autograd adds the gradients of all uses of the copy in the type of the copy. A sum in
bfloat16 stops growing: over 1,500 positions, gradients were wrong by 60 %. Here they are summed in float32.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import repeat
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear
from torch.overrides import TorchFunctionMode


def repeated_products(device: torch.device) -> AbstractContextManager[object]:
    """A context for a loop over positions: gradients of the weights of `linear` are summed in float32.

    It changes nothing without gradients or autocast.
    """
    if trains_in_16_bits(device):
        return RepeatedProducts(torch.get_autocast_dtype(device.type))
    return nullcontext()


def trains_in_16_bits(device: torch.device) -> bool:
    """Whether products have 16 bits and gradients: then autograd sums the gradients of a weight in 16 bits."""
    return torch.is_grad_enabled() and torch.is_autocast_enabled(device.type)


class RepeatedProducts(TorchFunctionMode):
    """Reads the weights of `linear` through `Reuse`, each cast to ``dtype`` once."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.copies: dict[int, Tensor] = {}

    def __torch_function__(
        self, function: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        """Call the function; `linear` with weights and biases whose gradients are float32."""
        if function is linear:
            inputs, *weights = args
            args = inputs, *map(self._used, weights)
        return function(*args, **(kwargs or {}))

    def _used(self, weight: Tensor | None) -> Tensor | None:
        if weight is None or not (weight.is_leaf and weight.requires_grad):
            return weight  # autocast casts what is no parameter at each use
        if id(weight) not in self.copies:
            self.copies[id(weight)] = weight.detach().to(self.dtype)
        use: Tensor = Reuse.apply(weight, self.copies[id(weight)])  # type: ignore[no-untyped-call]
        return use


def reused(tensor: Tensor, times: int) -> Iterator[Tensor]:
    """Yield a tensor that is no weight once for each use; the gradients of all uses are summed in float32."""
    if not tensor.requires_grad or tensor.dtype not in (torch.bfloat16, torch.float16):
        yield from repeat(tensor, times)
        return
    wide, values = tensor.float(), tensor.detach()
    for _ in range(times):
        use: Tensor = Reuse.apply(wide, values)  # type: ignore[no-untyped-call]
        yield use


class Reuse(torch.autograd.Function):
    """The values, in 16 bits, whose gradient goes to the float32 tensor that they were before."""

    @staticmethod
    def forward(context: Any, wide: Tensor, values: Tensor) -> Tensor:  # noqa: D102
        return values.view_as(values)

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: D102
        return gradient.float(), None
