"""Linear recurrences over all positions: c[t] = a[t] · c[t-1] + b[t], elementwise.

N rows, T positions, H units.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def linear_scan(kept_NTH: Tensor, added_NTH: Tensor, first_NH: Tensor) -> Tensor:
    """The states c[t] = a[t] · c[t-1] + b[t] at all positions, with gradients.

    Factors in [0, 1] are never divided by, nor are their logarithms taken, so it is stable for any number of positions
    and any sign: a product of many factors may underflow to 0, as it does position by position.

    Args:
        kept_NTH: the factors a, in [0, 1].
        added_NTH: the terms b.
        first_NH: the state before the first position.

    Returns:
        The states (N, T, H).
    """
    states_NTH: Tensor = LinearScan.apply(kept_NTH, added_NTH, first_NH)  # type: ignore[no-untyped-call]
    return states_NTH


class LinearScan(torch.autograd.Function):
    """`linear_scan`. Its gradient is a linear scan from the end: g[t] = ∂/∂c[t] + a[t+1] · g[t+1]."""

    @staticmethod
    def forward(context: Any, kept_NTH: Tensor, added_NTH: Tensor, first_NH: Tensor) -> Tensor:  # noqa: D102
        states_NTH = _scan(kept_NTH, added_NTH, first_NH)
        context.save_for_backward(kept_NTH, first_NH, states_NTH)
        return states_NTH

    @staticmethod
    @once_differentiable
    def backward(context: Any, grad_NTH: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # noqa: D102
        kept_NTH, first_NH, states_NTH = context.saved_tensors
        # From the end: position T has no factor after it, and the first term is its own gradient.
        after_NTH = torch.cat([torch.zeros_like(kept_NTH[:, :1]), kept_NTH[:, 1:].flip(1)], dim=1)
        grad_added_NTH = _scan(after_NTH, grad_NTH.flip(1), torch.zeros_like(first_NH)).flip(1)
        before_NTH = torch.cat([first_NH.unsqueeze(1), states_NTH[:, :-1]], dim=1)
        return grad_added_NTH * before_NTH, grad_added_NTH, kept_NTH[:, 0] * grad_added_NTH[:, 0]


def _scan(kept_NTH: Tensor, added_NTH: Tensor, first_NH: Tensor) -> Tensor:
    """On a CPU one operation per position, with the least arithmetic; elsewhere log2(T) operations over all."""
    return (
        by_position(kept_NTH, added_NTH, first_NH)
        if kept_NTH.device.type == "cpu"
        else by_doubling(kept_NTH, added_NTH, first_NH)
    )


def by_position(kept_NTH: Tensor, added_NTH: Tensor, first_NH: Tensor) -> Tensor:
    """`linear_scan` without gradients, one position after another."""
    states_NTH, before_NH = torch.empty_like(added_NTH), first_NH
    for kept_NH, added_NH, state_NH in zip(kept_NTH.unbind(1), added_NTH.unbind(1), states_NTH.unbind(1), strict=True):
        before_NH = torch.addcmul(added_NH, kept_NH, before_NH, out=state_NH)
    return states_NTH


def by_doubling(kept_NTH: Tensor, added_NTH: Tensor, first_NH: Tensor) -> Tensor:
    """`linear_scan` without gradients, as an associative scan (Hillis & Steele 1986).

    After the step with distance d, position t holds the recurrence over the 2d positions up to it, as one pair (a, b).
    """
    states_NTH = torch.cat([added_NTH[:, :1] + kept_NTH[:, :1] * first_NH.unsqueeze(1), added_NTH[:, 1:]], dim=1)
    distance = 1
    while distance < kept_NTH.size(1):
        later_NTH = torch.addcmul(states_NTH[:, distance:], kept_NTH[:, distance:], states_NTH[:, :-distance])
        states_NTH = torch.cat([states_NTH[:, :distance], later_NTH], dim=1)
        kept_NTH = torch.cat([kept_NTH[:, :distance], kept_NTH[:, distance:] * kept_NTH[:, :-distance]], dim=1)
        distance *= 2
    return states_NTH
