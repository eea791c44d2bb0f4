"""Products with 8-bit integer weights, by PyTorch's kernels for different processors.

Each kernel takes inputs in [-1, 1] and sums integers exactly. The scale of the inputs is fixed, so a row's output never
depends on the other rows.

N rows, I inputs, O outputs.
"""

import warnings
from typing import Protocol

import torch
from torch import Tensor, nn

from seq2seq.system.torch_private import (
    onednn_int8_sums,
    onednn_pack_int8,
    quantized_linear,
    quantized_linear_dynamic,
    quantized_pack,
)


class IntegerKernel(Protocol):
    """Packed weights that multiply: x (codes · scales)^T + b."""

    def __init__(self, codes_OI: Tensor, scales_O: Tensor, bias_O: Tensor) -> None:
        """Pack int8 codes, -127 … 127, with one float32 scale per output.

        Raises:
            RuntimeError: this processor or this build of PyTorch lacks the kernel.
        """

    def __call__(self, inputs_NI: Tensor) -> Tensor:
        """Outputs (N, O), float32, of inputs in [-1, 1]."""


class OneDnnKernel:
    """oneDNN with inputs as one 8-bit digit: exact where 8-bit products do not saturate (x86 with VNNI or AMX).

    It returns integer sums, which are scaled here: oneDNN uses different kernels for different numbers of rows, and
    their scaling rounds differently.
    """

    LEVELS = 127
    MIDDLE = 128
    """Code of 0, because the kernel takes unsigned inputs."""

    def __init__(self, codes_OI: Tensor, scales_O: Tensor, bias_O: Tensor) -> None:
        self.packed = onednn_pack_int8(codes_OI)
        self.scales_O, self.bias_O = scales_O / self.LEVELS, bias_O
        self.ones_O, self.zeros_O = torch.ones_like(scales_O), torch.zeros(len(bias_O), dtype=torch.int64)
        self.middle = torch.tensor(self.MIDDLE + 0.5)  # code = floor(127 x + 128 + 1/2)

    def __call__(self, inputs_NI: Tensor) -> Tensor:
        """Outputs (N, O), float32, of inputs in [-1, 1]."""
        codes_NI = round_up(torch.add(self.middle, inputs_NI, alpha=self.LEVELS).to(torch.uint8))
        sums_NO = onednn_int8_sums(codes_NI, self.MIDDLE, self.packed, self.ones_O, self.zeros_O)
        # Two operations: the vectorized and the scalar code of one fused operation may round differently.
        return sums_NO[: inputs_NI.size(0)].mul_(self.scales_O).add_(self.bias_O)


class FbgemmKernel:
    """FBGEMM (x86 with AVX2) with inputs as two 7-bit digits.

    AVX2 adds two products of bytes in 16 bits. Unlike 8-bit digits, 7-bit digits never overflow there
    (2 · 127 · 127 < 2^15). Two of them represent an input with 14 bits.
    """

    ZERO = 64
    """Code of the digit 0; digits are -64 … 63."""

    def __init__(self, codes_OI: Tensor, scales_O: Tensor, bias_O: Tensor) -> None:
        self.packed = _prepack("fbgemm", codes_OI, scales_O / LEVELS)
        self.bias_O = bias_O

    def __call__(self, inputs_NI: Tensor) -> Tensor:
        """Outputs (N, O), float32, of inputs in [-1, 1]."""
        sums_XO = quantized_linear(two_digits(inputs_NI), 1.0, self.ZERO, self.packed)
        return _combined(sums_XO, inputs_NI.size(0), self.bias_O)


class QnnpackKernel:
    """QNNPACK (Arm, and any x86) with inputs as the same two digits.

    It computes the scale of the inputs from the smallest and the largest one. Two more rows, of -128 and of 127, keep
    that scale at 1.
    """

    def __init__(self, codes_OI: Tensor, scales_O: Tensor, bias_O: Tensor) -> None:
        self.packed = _prepack("qnnpack", codes_OI, scales_O / LEVELS)
        self.bias_O = bias_O
        self.ends_2I = torch.tensor([[-128.0], [127.0]]).expand(2, codes_OI.size(1))

    def __call__(self, inputs_NI: Tensor) -> Tensor:
        """Outputs (N, O), float32, of inputs in [-1, 1]."""
        sums_XO = quantized_linear_dynamic(torch.cat([two_digits(inputs_NI), self.ends_2I]), self.packed)
        return _combined(sums_XO, inputs_NI.size(0), self.bias_O)


KERNELS: tuple[type[IntegerKernel], ...] = (OneDnnKernel, FbgemmKernel, QnnpackKernel)
"""Kernels, the fastest first."""

LEVELS = 63 * 128 + 63
"""Largest code of two digits of -64 … 63: the code of an input of 1."""


def two_digits(inputs_NI: Tensor) -> Tensor:
    """High digits above low digits (2N, I), float32: 128 · high + low = round(x · `LEVELS`)."""
    rows = inputs_NI.size(0)
    codes_NI = (inputs_NI * LEVELS).round_()
    digits_XI = codes_NI.new_empty(2 * rows, inputs_NI.size(1))
    high_NI = digits_XI[:rows]
    torch.add(codes_NI, 64, out=high_NI).mul_(1 / 128).floor_()
    torch.sub(codes_NI, high_NI, alpha=128, out=digits_XI[rows:])
    return digits_XI


def round_up(inputs_NI: Tensor) -> Tensor:
    """Pad to one of a few numbers of rows. oneDNN compiles a kernel for each, and a search loses rows one at a time."""
    rows = inputs_NI.size(0)
    step = 64 if rows > 64 else 16 if rows > 16 else 1
    missing = -rows % step
    return nn.functional.pad(inputs_NI, (0, 0, 0, missing)) if missing else inputs_NI


def _combined(sums_XO: Tensor, rows: int, bias_O: Tensor) -> Tensor:
    return torch.add(sums_XO[rows : 2 * rows], sums_XO[:rows], alpha=128).add_(bias_O)


def _prepack(engine: str, codes_OI: Tensor, scales_O: Tensor) -> object:
    """Pack weights for an engine of PyTorch's quantized products."""
    if engine not in torch.backends.quantized.supported_engines:
        raise RuntimeError(f"this build of PyTorch lacks {engine}")
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = engine
    try:
        with warnings.catch_warnings():  # PyTorch warns that these tensors will move to another package
            warnings.simplefilter("ignore")
            zeros_O = torch.zeros(len(scales_O), dtype=torch.int64)
            scales_O = scales_O.clamp(min=torch.finfo(torch.float32).tiny)  # QNNPACK refuses smaller scales
            return quantized_pack(codes_OI, scales_O.double(), zeros_O)
    finally:
        torch.backends.quantized.engine = before
