"""Copies between the host and a GPU for which the host waits as seldom as may be."""

import torch
from torch import Tensor


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on ``device``; the host does not wait for a GPU, which copies from pinned memory.

    A tensor that is there already is returned as it is.
    """
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=device.type != "cpu")


def to_host(*tensors: Tensor) -> list[Tensor]:
    """The tensors on the host, all by one copy, for which it waits once. On a CPU they are the tensors themselves.

    Args:
        tensors: of one device, of numbers that float64 holds exactly: all but integers beyond 2⁵³ in size.
    """
    if not tensors or tensors[0].device.type == "cpu":
        return list(tensors)
    copied = torch.cat([tensor.flatten().double() for tensor in tensors]).cpu()
    parts = torch.split_with_sizes(copied, [tensor.numel() for tensor in tensors])
    return [part.view(one.shape).to(one.dtype) for part, one in zip(parts, tensors, strict=True)]
