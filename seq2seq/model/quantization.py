"""Weight matrices as 8-bit integers. I inputs, O outputs."""

from typing import NamedTuple

import torch
from torch import Tensor

LEVELS = 127
"""Largest code of an 8-bit integer weight."""


class Quantized(NamedTuple):
    """A weight matrix as integer codes: weight = code · scale, one scale a row."""

    codes_OI: Tensor
    """int8, -127 … 127; the largest of each row is ±127."""
    scales_O: Tensor
    """float32."""

    def dequantize(self) -> Tensor:
        """The weights (O, I) that the codes stand for, float32."""
        return self.codes_OI * self.scales_O.unsqueeze(1)


def quantize(weight_OI: Tensor) -> Quantized:
    """The nearest codes: symmetric, one scale a row. Quantising what `Quantized.dequantize` gives changes nothing."""
    scales_O = (weight_OI.abs().amax(1) / LEVELS).clamp(min=torch.finfo(torch.float32).tiny)
    return Quantized((weight_OI / scales_O.unsqueeze(1)).round().to(torch.int8), scales_O)
