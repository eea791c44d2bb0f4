"""Products with the same weights or memory at one position after another, under autocast.

Autocast casts a weight once, and autograd adds the gradients of all uses of the copy in the type of the copy. A sum in
bfloat16 stops growing: over 1,500 positions, gradients were wrong by 60 %. Here they are summed in float32, and the
rows of many positions are multiplied at once, which is also faster than one product per position.

X rows of one or more positions, I inputs, O outputs.
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

ROWS = 4096
"""Rows that are multiplied at once in the backward pass: enough for a fast product, few enough to fit into memory."""


def repeated_products(device: torch.device) -> AbstractContextManager[object]:
    """A context for a loop over positions: gradients of the weights of `linear` are summed in float32.

    It changes nothing without gradients or autocast.
    """
    if sums_in_16_bits(device):
        return RepeatedProducts(torch.get_autocast_dtype(device.type))
    return nullcontext()


def sums_in_16_bits(device: torch.device) -> bool:
    """Whether gradients of a weight that is read at several positions would be summed in 16 bits."""
    return torch.is_grad_enabled() and torch.is_autocast_enabled(device.type)


class RepeatedProducts(TorchFunctionMode):
    """Replaces `linear` by `Product` where autocast would use a copy of a parameter in ``dtype``."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.weights: dict[tuple[int, int], RepeatedWeight] = {}

    def __torch_function__(
        self, function: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        """Call the function, or the product in its place."""
        if function is not linear:
            return function(*args, **(kwargs or {}))
        return self._product(*args, **(kwargs or {}))

    def _product(self, inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        if not (weight.is_leaf and weight.requires_grad):
            # Autocast copies such a weight for every use, so its gradient is float32. A bias is copied once.
            return linear(inputs, weight) if bias is None else linear(inputs, weight) + bias
        key = id(weight), id(bias)
        if key not in self.weights:
            self.weights[key] = RepeatedWeight(weight, bias, self.dtype)
        repeated = self.weights[key]
        product: Tensor = Product.apply(inputs.to(self.dtype), repeated.anchor, repeated)  # type: ignore[no-untyped-call]
        return product


class RepeatedWeight:
    """A weight with its bias, cast once, and the sums of their gradients.

    Args:
        weight_OI: a parameter.
        bias_O: a parameter, or None.
        dtype: of the products.
    """

    def __init__(self, weight_OI: Tensor, bias_O: Tensor | None, dtype: torch.dtype) -> None:
        self.weight_OI = weight_OI.detach().to(dtype)
        self.bias_O = None if bias_O is None else bias_O.detach().to(dtype)
        self.waiting: list[tuple[Tensor, Tensor]] = []
        """Inputs and gradients of the outputs that are not yet in the sums."""
        self.gradients: tuple[Tensor | None, Tensor | None] = None, None
        self.anchor: Tensor = Anchor.apply(weight_OI, bias_O, self)  # type: ignore[no-untyped-call]

    def add(self, inputs_XI: Tensor, gradient_XO: Tensor) -> None:
        """Add the gradient of some rows, at once or with those of other positions."""
        self.waiting.append((inputs_XI, gradient_XO))
        if sum(len(rows) for rows, _ in self.waiting) >= ROWS:
            self._add_waiting()

    def read(self) -> tuple[Tensor | None, Tensor | None]:
        """The sums, which begin again at zero."""
        self._add_waiting()
        gradients, self.gradients = self.gradients, (None, None)
        return gradients

    def _add_waiting(self) -> None:
        if not self.waiting:
            return
        inputs_XI, gradient_XO = (torch.cat(parts) for parts in zip(*self.waiting, strict=True))
        self.waiting = []
        weight_OI, bias_O = self.gradients
        product_OI = (gradient_XO.t() @ inputs_XI).float()
        weight_OI = product_OI if weight_OI is None else weight_OI.add_(product_OI)
        if self.bias_O is not None:
            sum_O = gradient_XO.sum(0, dtype=torch.float32)
            bias_O = sum_O if bias_O is None else bias_O.add_(sum_O)
        self.gradients = weight_OI, bias_O


class Anchor(torch.autograd.Function):
    """An empty input of all products of a weight: autograd runs its backward pass after theirs."""

    @staticmethod
    def forward(context: Any, weight_OI: Tensor, bias_O: Tensor | None, repeated: RepeatedWeight) -> Tensor:  # noqa: D102
        context.repeated = repeated
        context.set_materialize_grads(False)
        return weight_OI.new_empty(0)

    @staticmethod
    @once_differentiable
    def backward(context: Any, _: None) -> tuple[Tensor | None, ...]:  # noqa: D102
        return *context.repeated.read(), None


class Product(torch.autograd.Function):
    """x W^T + b. The gradients of W and b go to the `RepeatedWeight`, from which `Anchor` takes them."""

    @staticmethod
    def forward(context: Any, inputs: Tensor, anchor: Tensor, repeated: RepeatedWeight) -> Tensor:  # noqa: D102
        context.save_for_backward(inputs)
        context.repeated = repeated
        return linear(inputs, repeated.weight_OI, repeated.bias_O)

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, None, None]:  # noqa: D102
        (inputs,) = context.saved_tensors
        context.repeated.add(inputs.flatten(0, -2), gradient.flatten(0, -2))
        wanted = context.needs_input_grad[0]
        return gradient @ context.repeated.weight_OI if wanted else None, None, None


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
