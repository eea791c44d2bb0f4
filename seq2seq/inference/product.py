"""Matrix products of search: the same weights at every step, so they are laid out once for the processor.

N rows, I inputs, O outputs, U chosen outputs.
"""

from enum import StrEnum
from typing import Protocol

import torch
from torch import Tensor, nn

from seq2seq.errors import ConfigError
from seq2seq.model.quantization import Quantized, quantize
from seq2seq.system.capability import integer_kernel, packs
from seq2seq.system.integer import round_up


class InferencePrecision(StrEnum):
    """Form of the decoder's weights while it translates; ``auto`` is the form in which the model folder keeps them."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    int8 = "int8"
    tf32 = "tf32"
    """float32 whose products a GPU may round to TF32."""


class Product(Protocol):
    """x W^T + b."""

    def __call__(self, inputs_NI: Tensor) -> Tensor:
        """Outputs (N, O)."""

    def only(self, outputs_U: Tensor) -> "Product":
        """The same for these outputs alone, in this order."""


def make_product(weight_OI: Tensor, bias_O: Tensor | None, precision: InferencePrecision) -> Product:
    """Lay a copy of these weights out in ``precision``. In int8, inputs must lie in [-1, 1]."""
    bias_O = weight_OI.new_zeros(len(weight_OI)) if bias_O is None else bias_O.clone()
    if precision is InferencePrecision.int8:
        return IntegerProduct(quantize(weight_OI), bias_O)
    dtype = torch.bfloat16 if precision is InferencePrecision.bfloat16 else weight_OI.dtype
    return FloatProduct(weight_OI.to(dtype, copy=True), bias_O.to(dtype))


def make_scores(weight_OI: Tensor, bias_O: Tensor | None, precision: InferencePrecision) -> Product:
    """The output layer's product, as `make_product`; its results are float32 in bfloat16 too.

    Rounded to bfloat16, logits around 10 are multiples of 1/16: many pieces tie, and the choice among them is chance.
    """
    if precision is not InferencePrecision.bfloat16:
        return make_product(weight_OI, bias_O, precision)
    bias_O = weight_OI.new_zeros(len(weight_OI)) if bias_O is None else bias_O.clone()
    return RoundedProduct(FloatProduct(weight_OI.bfloat16().to(weight_OI.dtype), bias_O))


class RoundedProduct:
    """A product whose inputs and weights are rounded to bfloat16 and whose sums are not.

    The numbers are multiplied as float32, for the products of bfloat16 numbers that CPUs have round their results.
    """

    def __init__(self, product: "FloatProduct") -> None:
        self.product = product

    def __call__(self, inputs_NI: Tensor) -> Tensor:
        """Outputs (N, O) in the inputs' type."""
        return self.product(inputs_NI.bfloat16().to(inputs_NI.dtype))

    def only(self, outputs_U: Tensor) -> "RoundedProduct":
        """The same for these outputs alone, in this order."""
        return RoundedProduct(self.product.only(outputs_U))


class FloatProduct:
    """A product of floating-point numbers."""

    def __init__(self, weight_OI: Tensor, bias_O: Tensor) -> None:
        self.weight_OI = weight_OI
        self.bias_O = bias_O
        self.packed = _pack(weight_OI)

    def __call__(self, inputs_NI: Tensor) -> Tensor:
        """Outputs (N, O) in the inputs' type."""
        inputs = inputs_NI.to(self.weight_OI.dtype)
        if self.packed is None:
            outputs: Tensor = nn.functional.linear(inputs, self.weight_OI, self.bias_O)
            return outputs.to(inputs_NI.dtype)
        outputs = torch.ops.mkldnn._linear_pointwise(round_up(inputs), self.packed, self.bias_O, "none", [], "")
        return outputs[: inputs_NI.size(0)].to(inputs_NI.dtype)

    def only(self, outputs_U: Tensor) -> "FloatProduct":
        """The same for these outputs alone, in this order."""
        return FloatProduct(self.weight_OI.index_select(0, outputs_U), self.bias_O.index_select(0, outputs_U))


def _pack(weight_OI: Tensor) -> Tensor | None:
    """The weights in oneDNN's own layout, up to eight times faster where rows are few; None where it has none."""
    if weight_OI.device.type != "cpu" or not packs(weight_OI.dtype):
        return None
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight_OI.contiguous())
    return packed


class IntegerProduct:
    """A product of 8-bit integer weights, summed exactly; only its inputs and weights are rounded.

    What a decoder multiplies lies in (-1, 1): states o · tanh(c), means of states, tanh readouts. So one fixed scale
    serves every input, nothing is calibrated, and rounding never depends on what else is in the batch.

    Raises:
        ConfigError: this processor has no such products.
    """

    def __init__(self, weight: Quantized, bias_O: Tensor) -> None:
        kernel = integer_kernel()
        if kernel is None:
            raise ConfigError("int8 does not run on this processor: use precision=float32")
        self.weight = weight
        self.bias_O = bias_O
        self.multiply = kernel(weight.codes_OI, weight.scales_O, bias_O)

    def __call__(self, inputs_NI: Tensor) -> Tensor:
        """Outputs (N, O), float32, of inputs in [-1, 1]."""
        return self.multiply(inputs_NI)

    def only(self, outputs_U: Tensor) -> "IntegerProduct":
        """The same for these outputs alone, in this order."""
        chosen = Quantized(*(part.index_select(0, outputs_U) for part in self.weight))
        return IntegerProduct(chosen, self.bias_O.index_select(0, outputs_U))
