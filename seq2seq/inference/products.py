"""Matrix products of search: the same weights in every step, so they are packed once for the processor.

8-bit integer products take inputs in [-1, 1]. The functions ``…_bounded`` say which vectors of a network lie there
whatever its weights are.

N rows, I inputs, O outputs, U chosen outputs.
"""

from typing import Protocol

import torch
from torch import Tensor, nn

from seq2seq.errors import ConfigError
from seq2seq.inference.config import InferencePrecision
from seq2seq.model.choices import AttentionKind, BridgeKind, Readout
from seq2seq.model.config import ModelConfig
from seq2seq.model.weights import Quantized, quantize
from seq2seq.system.capability import integer_kernel, packs
from seq2seq.system.integer import round_up
from seq2seq.system.torch_private import pack_linear, packed_linear


class Product(Protocol):
    """x W^T + b."""

    def __call__(self, inputs_NI: Tensor) -> Tensor:
        """Outputs (N, O)."""

    def select(self, outputs_U: Tensor) -> "Product":
        """The product for these outputs only, in this order."""


def make_product(weight_OI: Tensor, bias_O: Tensor | None, precision: InferencePrecision) -> Product:
    """Pack a copy of these weights in ``precision``. In int8, inputs must lie in [-1, 1]."""
    bias_O = weight_OI.new_zeros(len(weight_OI)) if bias_O is None else bias_O.clone()
    if precision is InferencePrecision.int8:
        return IntegerProduct(quantize(weight_OI), bias_O)
    dtype = torch.bfloat16 if precision is InferencePrecision.bfloat16 else weight_OI.dtype
    return FloatProduct(weight_OI.to(dtype, copy=True), bias_O.to(dtype))


def make_output_product(weight_OI: Tensor, bias_O: Tensor | None, precision: InferencePrecision) -> Product:
    """The output layer's product, as `make_product`, except that results are never rounded to bfloat16.

    In bfloat16, logits around 10 are multiples of 1/16: many tokens tie, and the choice among them is arbitrary.
    """
    if precision is not InferencePrecision.bfloat16:
        return make_product(weight_OI, bias_O, precision)
    bias_O = weight_OI.new_zeros(len(weight_OI)) if bias_O is None else bias_O.clone()
    return RoundedProduct(FloatProduct(weight_OI.bfloat16().to(weight_OI.dtype), bias_O))


class RoundedProduct:
    """A product with inputs and weights rounded to bfloat16 and exact sums.

    The rounded numbers are multiplied as float32, because bfloat16 products of CPUs round their results.
    """

    def __init__(self, product: "FloatProduct") -> None:
        self.product = product

    def __call__(self, inputs_NI: Tensor) -> Tensor:
        """Outputs (N, O) in the inputs' type."""
        return self.product(inputs_NI.bfloat16().to(inputs_NI.dtype))

    def select(self, outputs_U: Tensor) -> "RoundedProduct":
        """The product for these outputs only, in this order."""
        return RoundedProduct(self.product.select(outputs_U))


class FloatProduct:
    """A product of floating-point numbers, on a CPU in oneDNN's layout: up to eight times faster if rows are few."""

    def __init__(self, weight_OI: Tensor, bias_O: Tensor) -> None:
        self.weight_OI = weight_OI
        self.bias_O = bias_O
        can_pack = weight_OI.device.type == "cpu" and packs(weight_OI.dtype)
        self.packed = pack_linear(weight_OI) if can_pack else None

    def __call__(self, inputs_NI: Tensor) -> Tensor:
        """Outputs (N, O) in the inputs' type."""
        inputs = inputs_NI.to(self.weight_OI.dtype)
        if self.packed is None:
            outputs: Tensor = nn.functional.linear(inputs, self.weight_OI, self.bias_O)
            return outputs.to(inputs_NI.dtype)
        outputs = packed_linear(round_up(inputs), self.packed, self.bias_O)
        return outputs[: inputs_NI.size(0)].to(inputs_NI.dtype)

    def select(self, outputs_U: Tensor) -> "FloatProduct":
        """The product for these outputs only, in this order."""
        return FloatProduct(self.weight_OI.index_select(0, outputs_U), self.bias_O.index_select(0, outputs_U))


class IntegerProduct:
    """A product of 8-bit integer weights with exact sums; only inputs and weights are rounded.

    Inputs lie in [-1, 1], so one fixed scale serves all of them: there is no calibration, and the scale does not depend
    on the rest of the batch.

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

    def select(self, outputs_U: Tensor) -> "IntegerProduct":
        """The product for these outputs only, in this order."""
        selected = Quantized(*(part.index_select(0, outputs_U) for part in self.weight))
        return IntegerProduct(selected, self.bias_O.index_select(0, outputs_U))


def allowed_precision(precision: InferencePrecision, bounded: bool) -> InferencePrecision:
    """The precision; float32 instead of int8 for inputs that are not bounded."""
    return precision if bounded or precision is not InferencePrecision.int8 else InferencePrecision.float32


# States o · tanh(c), tanh, their means and maxima lie in [-1, 1]. Sums along residual connections, rectified states,
# linear maps and the maximum of two sums are unbounded.


def outputs_bounded(config: ModelConfig) -> bool:
    """Whether the outputs of the decoder's layers lie in [-1, 1]."""
    return states_bounded(config) and config.decoder.residual_from is None


def states_bounded(config: ModelConfig) -> bool:
    """Whether the decoder's hidden states after a step lie in [-1, 1]."""
    traits = config.decoder.cell.traits
    if traits.keeps_initial_state and not start_bounded(config):
        return False
    if traits.keeps_initial_state and traits.starts_from_cell_state and config.bridge is BridgeKind.copy:
        return False  # hidden states of the encoder may be bounded, but its cell states are not
    return traits.bounded


def context_bounded(config: ModelConfig) -> bool:
    """Whether the contexts that the decoder receives lie in [-1, 1]; True if it receives none."""
    encoder = config.encoder
    if config.attention is AttentionKind.none:
        # Summaries do not include residual connections.
        return encoder.cell.traits.bounded or not config.decoder.feed_context
    # With several heads, values come from a linear map.
    return encoder.cell.traits.bounded and encoder.residual_from is None and config.attention_heads == 1


def start_bounded(config: ModelConfig) -> bool:
    """Whether the decoder's initial hidden state lies in [-1, 1]."""
    if config.is_language_model:
        return True
    if config.bridge is BridgeKind.copy:
        return config.encoder.cell.traits.bounded
    return config.bridge is not BridgeKind.linear


def features_bounded(config: ModelConfig) -> bool:
    """Whether the inputs of the output layer lie in [-1, 1]."""
    if config.readout_sizes is None:
        return outputs_bounded(config)
    return config.decoder.readout is Readout.tanh
