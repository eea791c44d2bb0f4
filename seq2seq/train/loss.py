"""The loss: a sum over target pieces, divided by their count where gradients are taken.

P target positions, V vocabulary.
"""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from seq2seq.settings import setting


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
    """Cross entropy of ``labels_P`` under softmax(logits), plain and smoothed, in float32.

    Smoothed: (1 - s) · -log p(label) + s · mean over the vocabulary of -log p.
    """
    logits_PV = logits_PV.float()
    normalizer_P = logits_PV.logsumexp(1)
    cross_entropy = (normalizer_P - logits_PV.gather(1, labels_P.unsqueeze(1)).squeeze(1)).sum()
    if smoothing == 0:
        return Loss(cross_entropy, cross_entropy.detach())
    uniform = (normalizer_P - logits_PV.mean(1)).sum()
    return Loss((1 - smoothing) * cross_entropy + smoothing * uniform, cross_entropy.detach())
