"""The loss: a sum over target tokens, which the update step divides by their number.

P target positions, C of them at a time, V vocabulary size.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from seq2seq.data.batch import Batch
from seq2seq.model import Network
from seq2seq.model.logits import chunk_size


class Loss(NamedTuple):
    """Sums over target tokens, in nats."""

    objective: Tensor
    """The minimized value: label-smoothed cross entropy, or another objective."""
    cross_entropy: Tensor
    """The reported value: cross entropy. The exponential of its mean is the perplexity per token."""


class Objective(Protocol):
    """A value that an update minimizes. It only draws from torch's generator, which the update step seeds."""

    def __call__(self, network: Network, batch: Batch, update: int) -> Loss:
        """Sums over the batch's target tokens, for update number ``update`` (from 1), with gradients."""


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Set the network to evaluation mode within the context, and back afterwards."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


def loss_sums(logits_PV: Tensor, labels_P: Tensor, smoothing: float) -> Loss:
    """Cross entropy of ``labels_P`` under softmax(logits), plain and label-smoothed, in float32 for logits of any type.

    Smoothed: (1 - s) · -log p(label) + s · mean over the vocabulary of -log p.
    """
    objective, cross_entropy = SmoothedCrossEntropy.apply(logits_PV, labels_P, smoothing)  # type: ignore[no-untyped-call]
    return Loss(objective, cross_entropy)


class SmoothedCrossEntropy(torch.autograd.Function):
    """Both sums, with the gradient computed in the forward pass: p - (1 - s) · onehot(label) - s / V.

    PyTorch's own operations would write float32 logits (P, V) seven times; this reads the logits once.
    """

    @staticmethod
    def forward(context: Any, logits_PV: Tensor, labels_P: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:  # noqa: D102
        gradient_PV = torch.empty_like(logits_PV) if context.needs_input_grad[0] else None
        label_sum = torch.zeros((), device=logits_PV.device)
        uniform_sum = torch.zeros((), device=logits_PV.device)
        chunk = chunk_size(logits_PV)
        for start in range(0, len(logits_PV), chunk):
            # All steps overwrite one float32 copy, which stays in the cache; reductions of bfloat16 would cast again.
            values_CV = logits_PV[start : start + chunk].to(torch.float32, copy=True)
            labels_C1 = labels_P[start : start + chunk].unsqueeze(1)
            label_C1, mean_C1 = values_CV.gather(1, labels_C1), values_CV.mean(1, keepdim=True)
            highest_C1 = values_CV.amax(1, keepdim=True)
            sum_C1 = values_CV.sub_(highest_C1).exp_().sum(1, keepdim=True)
            log_sum_C1 = highest_C1 + sum_C1.log()
            label_sum += (log_sum_C1 - label_C1).sum()
            if smoothing > 0:
                uniform_sum += (log_sum_C1 - mean_C1).sum()
            if gradient_PV is not None:
                partial_CV = values_CV.div_(sum_C1)
                if smoothing > 0:
                    partial_CV.sub_(smoothing / logits_PV.size(1))
                partial_CV.scatter_add_(1, labels_C1, partial_CV.new_full(labels_C1.shape, smoothing - 1))
                gradient_PV[start : start + chunk] = partial_CV
        context.gradient_PV = gradient_PV
        objective = (1 - smoothing) * label_sum + smoothing * uniform_sum
        context.mark_non_differentiable(label_sum)
        return objective, label_sum

    @staticmethod
    def backward(context: Any, grad: Tensor, _: Tensor) -> tuple[Tensor, None, None]:  # noqa: D102
        return context.gradient_PV.mul_(grad.to(context.gradient_PV.dtype)), None, None


def label_log_probabilities(logits_PV: Tensor, labels_P: Tensor) -> Tensor:
    """Log-probability (P,) of each label under softmax(logits), in float32 for logits of any type."""
    log_probability_P: Tensor = LabelLogProbability.apply(logits_PV, labels_P)  # type: ignore[no-untyped-call]
    return log_probability_P


class LabelLogProbability(torch.autograd.Function):
    """Saves no tensor of the size of the logits except the logits: the backward pass computes probabilities again.

    The gradient of one position is onehot(label) - p.
    """

    @staticmethod
    def forward(context: Any, logits_PV: Tensor, labels_P: Tensor) -> Tensor:  # noqa: D102
        label_P = logits_PV.gather(1, labels_P.unsqueeze(1)).squeeze(1).float()
        log_sum_P = label_P.new_empty(len(labels_P))
        chunk = chunk_size(logits_PV)
        for start in range(0, len(logits_PV), chunk):
            log_sum_P[start : start + chunk] = logits_PV[start : start + chunk].float().logsumexp(1)
        context.save_for_backward(logits_PV, labels_P, log_sum_P)
        return label_P - log_sum_P

    @staticmethod
    def backward(context: Any, grad_P: Tensor) -> tuple[Tensor, None]:  # noqa: D102
        logits_PV, labels_P, log_sum_P = context.saved_tensors
        gradient_PV = torch.empty_like(logits_PV)
        chunk = chunk_size(logits_PV)
        for start in range(0, len(logits_PV), chunk):
            part = slice(start, start + chunk)
            grad_C1, labels_C1 = grad_P[part].unsqueeze(1), labels_P[part].unsqueeze(1)
            partial_CV = (logits_PV[part].float() - log_sum_P[part].unsqueeze(1)).exp_().mul_(-grad_C1)
            gradient_PV[part] = partial_CV.scatter_add_(1, labels_C1, grad_C1)
        return gradient_PV, None
