"""Linear maps of many rows, in blocks.

P rows, X inputs, Y outputs.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

from seq2seq.model.repeated_products import trains_in_16_bits

BLOCK = 256
"""Rows of a block: so many that a product is as fast as a whole one, so few that little is computed twice."""


class LinearOfRows(nn.Linear):
    """x Wᵀ + b for the positions of a whole batch."""

    def forward(self, rows_PX: Tensor) -> Tensor:
        """Map (..., X) to (..., Y)."""
        return linear_of_rows(rows_PX, self.weight, self.bias)


def linear_of_rows(rows_PX: Tensor, weight_YX: Tensor, bias_Y: Tensor | None = None) -> Tensor:
    """x Wᵀ + b, like `linear`; in training in bfloat16 on a CPU, rows are mapped in blocks of one shape.

    oneDNN compiles a kernel for every shape of such a product, which takes several times as long as the product. In
    training every batch has another number of rows.
    """
    device = rows_PX.device
    if device.type != "cpu" or not trains_in_16_bits(device) or torch.get_autocast_dtype("cpu") is not torch.bfloat16:
        return linear(rows_PX, weight_YX, bias_Y)
    bias_Y = None if bias_Y is None else bias_Y.bfloat16()
    outputs_PY: Tensor = LinearInBlocks.apply(  # type: ignore[no-untyped-call]
        rows_PX.flatten(0, -2).bfloat16(), weight_YX.bfloat16(), bias_Y
    )
    return outputs_PY.view(*rows_PX.shape[:-1], len(weight_YX))


class LinearInBlocks(torch.autograd.Function):
    """The map and its gradient by the rows in blocks; all arguments have the same type."""

    @staticmethod
    def forward(context: Any, rows_PX: Tensor, weight_YX: Tensor, bias_Y: Tensor | None) -> Tensor:  # noqa: D102
        context.save_for_backward(rows_PX, weight_YX)
        return product_in_blocks(rows_PX, weight_YX.t(), bias_Y)

    @staticmethod
    @once_differentiable
    def backward(context: Any, grad_PY: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:  # noqa: D102
        rows_PX, weight_YX = context.saved_tensors
        by_rows, by_weight, by_bias = context.needs_input_grad
        return (
            product_in_blocks(grad_PY, weight_YX) if by_rows else None,
            grad_PY.t() @ rows_PX if by_weight else None,
            grad_PY.sum(0) if by_bias else None,
        )


def product_in_blocks(rows_PX: Tensor, matrix_XY: Tensor, bias_Y: Tensor | None = None) -> Tensor:
    """The product, plus a bias."""
    outputs_PY = rows_PX.new_empty(len(rows_PX), matrix_XY.size(1))
    for block in blocks(len(rows_PX)):
        if bias_Y is None:
            torch.mm(rows_PX[block], matrix_XY, out=outputs_PY[block])
        else:
            torch.addmm(bias_Y, rows_PX[block], matrix_XY, out=outputs_PY[block])
    return outputs_PY


def blocks(rows: int) -> Iterator[slice]:
    """Parts of `BLOCK` rows that cover all; the last two overlap. Fewer rows are one part."""
    for start in range(0, rows, BLOCK):
        first = max(0, min(start, rows - BLOCK))
        yield slice(first, min(first + BLOCK, rows))
