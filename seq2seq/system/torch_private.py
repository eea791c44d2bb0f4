"""Functions of torch that are not part of its public interface: the only file to check after an upgrade of torch."""

import torch
from torch import Tensor


def pack_linear(weight_OI: Tensor) -> Tensor:
    """The weights in oneDNN's own layout. No public function packs the weights of one linear layer."""
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight_OI.contiguous())
    return packed


def packed_linear(inputs_NI: Tensor, packed: Tensor, bias_O: Tensor) -> Tensor:
    """x W^T + b with the weights of `pack_linear`. Public functions take plain weights and pack them in each call."""
    outputs: Tensor = torch.ops.mkldnn._linear_pointwise(inputs_NI, packed, bias_O, "none", [], "")
    return outputs


def onednn_pack_int8(codes_OI: Tensor) -> Tensor:
    """int8 weights in oneDNN's own layout. torch has no public product of 8-bit integers on a CPU."""
    packed: Tensor = torch.ops.onednn.qlinear_prepack(codes_OI, None)
    return packed


def onednn_int8_sums(
    codes_NI: Tensor, zero_point: int, packed: Tensor, scales_O: Tensor, zero_points_O: Tensor
) -> Tensor:
    """Sums (float32) of unsigned 8-bit inputs times the weights of `onednn_pack_int8`."""
    sums_NO: Tensor = torch.ops.onednn.qlinear_pointwise(
        codes_NI, 1.0, zero_point, packed, scales_O, zero_points_O, None, 1.0, 0, torch.float32, "none", [], ""
    )
    return sums_NO


def quantized_pack(codes_OI: Tensor, scales_O: Tensor, zero_points_O: Tensor) -> object:
    """int8 weights packed for torch's quantized engine. The public wrapper rounds float weights again."""
    weight = torch._make_per_channel_quantized_tensor(codes_OI, scales_O, zero_points_O, 0)
    packed: object = torch.ops.quantized.linear_prepack(weight, None)
    return packed


def quantized_linear(inputs_NI: Tensor, scale: float, zero_point: int, packed: object) -> Tensor:
    """Product of float inputs, rounded at this scale and zero point. The public modules observe the scale instead."""
    sums: Tensor = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
        inputs_NI, scale, zero_point, packed
    )
    return sums


def quantized_linear_dynamic(inputs_NI: Tensor, packed: object) -> Tensor:
    """Product of float inputs, rounded at the scale of their range. The public module quantizes its own weights."""
    sums: Tensor = torch.ops.quantized.linear_dynamic(inputs_NI, packed)
    return sums


@torch.no_grad()
def multiply_each(tensors: list[Tensor], factor: Tensor) -> None:
    """`Tensor.mul_` of many tensors in one call: on a GPU one kernel instead of one per tensor."""
    torch._foreach_mul_(tensors, factor)


@torch.no_grad()
def lerp_each(tensors: list[Tensor], ends: list[Tensor], weight: float) -> None:
    """`Tensor.lerp_` of many tensors in one call, likewise."""
    torch._foreach_lerp_(tensors, ends, weight)


@torch.no_grad()
def copy_each(tensors: list[Tensor], sources: list[Tensor]) -> None:
    """`Tensor.copy_` of many tensors in one call, likewise."""
    torch._foreach_copy_(tensors, sources)
