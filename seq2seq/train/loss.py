"""The loss: a sum over target pieces, divided by their count where gradients are taken.

P target positions, C of them at a time, V vocabulary.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seq2seq.settings import setting

CHUNK = 128
"""Positions whose logits are worked on together: few enough that they stay in the processor's cache."""


@dataclass(kw_only=True)
class LossConfig:
    """What training minimises."""

    label_smoothing: float = setting(
        0.1, "share of the target probability spread over the vocabulary (Szegedy et al. 2016)", at_least=0, below=1
    )


class Loss(NamedTuple):
    """Sums over target pieces, in nats."""

    objective: Tensor
    """Label-smoothed cross entropy: what is minimised."""
    cross_entropy: Tensor
    """Plain cross entropy: what is reported; its mean's exponential is the perplexity per piece."""


def loss_sums(logits_PV: Tensor, labels_P: Tensor, smoothing: float) -> Loss:
    """Cross entropy of ``labels_P`` under softmax(logits), plain and smoothed, in float32 whatever the logits are.

    Smoothed: (1 - s) · -log p(label) + s · mean over the vocabulary of -log p.
    """
    objective, cross_entropy = SmoothedCrossEntropy.apply(logits_PV, labels_P, smoothing)  # type: ignore[no-untyped-call]
    return Loss(objective, cross_entropy)


class SmoothedCrossEntropy(torch.autograd.Function):
    """Both sums, and their gradient while the probabilities are at hand: p - (1 - s) · onehot(label) - s / V.

    PyTorch's own operations would write the (P, V) float32 logits seven times; this reads them once.
    """

    @staticmethod
    def forward(context: Any, logits_PV: Tensor, labels_P: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:  # noqa: D102
        gradient_PV = torch.empty_like(logits_PV) if context.needs_input_grad[0] else None
        label_sum = torch.zeros((), device=logits_PV.device)
        uniform_sum = torch.zeros((), device=logits_PV.device)
        chunk = CHUNK if logits_PV.device.type == "cpu" else max(1, len(logits_PV))
        for start in range(0, len(logits_PV), chunk):
            logits_CV, labels_C1 = logits_PV[start : start + chunk], labels_P[start : start + chunk].unsqueeze(1)
            probabilities_CV = logits_CV.softmax(1, dtype=torch.float32)
            # The highest probability is at least 1 / V: its logarithm gives the log of the sum without a second pass.
            log_sum_C = logits_CV.amax(1).float() - probabilities_CV.amax(1).log()
            label_sum += (log_sum_C - logits_CV.gather(1, labels_C1).squeeze(1)).sum()
            if smoothing > 0:
                uniform_sum += (log_sum_C - logits_CV.mean(1, dtype=torch.float32)).sum()
            if gradient_PV is not None:
                slope_CV = probabilities_CV.sub_(smoothing / logits_PV.size(1)) if smoothing > 0 else probabilities_CV
                slope_CV.scatter_add_(1, labels_C1, slope_CV.new_full(labels_C1.shape, smoothing - 1))
                gradient_PV[start : start + chunk] = slope_CV
        context.gradient_PV = gradient_PV
        objective = (1 - smoothing) * label_sum + smoothing * uniform_sum
        context.mark_non_differentiable(label_sum)
        return objective, label_sum

    @staticmethod
    def backward(context: Any, objective_slope: Tensor, _: Tensor) -> tuple[Tensor, None, None]:  # noqa: D102
        return context.gradient_PV.mul_(objective_slope.to(context.gradient_PV.dtype)), None, None
