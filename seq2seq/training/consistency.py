"""Penalties on the divergence of two passes over each sentence: R-Drop (Liang et al. 2021), SimCut (Gao et al. 2022).

B sentences, S source positions, T target positions, P target positions of a batch that are not padding, C of them at a
time, V vocabulary size.
"""

from typing import Any

import torch
from torch import Tensor

from seq2seq.data.batch import Batch
from seq2seq.model import Network
from seq2seq.model.dropout import Cutoff
from seq2seq.model.logits import chunk_size
from seq2seq.system.device import autocast
from seq2seq.system.precision import Precision
from seq2seq.training.loss import Loss, loss_sums


class Consistency:
    """Mean cross entropy of two passes plus ``alpha`` times the mean of both divergences between them.

    L = ½ (CE₁ + CE₂) + α · ½ (KL(P₁ ‖ P₂) + KL(P₂ ‖ P₁)). Liang et al. 2021, eq. 4, and the authors' translation code
    sum the cross entropies. Here they are averaged, so that cross entropy has the same weight as without this penalty;
    α = 2.5 corresponds to their 5.
    """

    def __init__(self, alpha: float, smoothing: float, precision: Precision) -> None:
        self.alpha = alpha
        self.smoothing = smoothing
        self.precision = precision

    def __call__(self, network: Network, batch: Batch, update: int) -> Loss:
        """Sums over the batch's target tokens."""
        with autocast(self.precision, batch.source_BS.device):
            logits_PV = two_passes(network, batch)
        loss = loss_sums(logits_PV, torch.cat([batch.labels_P, batch.labels_P]), self.smoothing)
        difference = symmetric_divergence(logits_PV)
        return Loss((loss.objective + self.alpha * difference) / 2, loss.cross_entropy / 2)


class SimCut:
    """Cross entropy plus ``alpha`` times the divergence of a second pass, from whose inputs tokens are cut.

    L = CE(x, y) + α · KL(P(x, y) ‖ P(x_cut, y_cut)): Gao et al. 2022, sec. 3, "SimCut". Gradients flow through both
    distributions ("bidirectional backpropagation"), as in the paper and its authors' code. The cross entropy is that of
    the whole inputs. Dropout differs between the passes.

    Args:
        alpha: weight of the divergence; 3 in the paper.
        rate: probability that a token is cut; 0.05 in the paper.
        smoothing: of labels.
        precision: of matrix products.
        span: tokens that are cut together; 1 in the paper.
    """

    def __init__(self, alpha: float, rate: float, smoothing: float, precision: Precision, span: int = 1) -> None:
        self.alpha = alpha
        self.rate = rate
        self.span = span
        self.smoothing = smoothing
        self.precision = precision

    def __call__(self, network: Network, batch: Batch, update: int) -> Loss:
        """Sums over the batch's target tokens."""
        cutoff = span_cutoff(batch, self.rate, self.span)
        with autocast(self.precision, batch.source_BS.device):
            logits_PV = two_passes(network, batch, cutoff)
        loss = loss_sums(logits_PV[: len(batch.labels_P)], batch.labels_P, self.smoothing)
        return Loss(loss.objective + self.alpha * divergence(logits_PV), loss.cross_entropy)


def two_passes(network: Network, batch: Batch, cutoff: Cutoff | None = None) -> Tensor:
    """Logits (2P, V) of two passes with different dropout; the second reads its inputs through the cutoff.

    Both are computed as one pass over each sentence twice. Recurrent dropout shares a mask among the sentences of a
    pass, so it takes two passes.
    """
    if network.config.recurrent_dropout > 0:
        return torch.cat([network(*batch[:-1]), network(*batch[:-1], cutoff)])
    if cutoff is not None:
        cutoff = Cutoff(*(torch.cat([torch.ones_like(kept), kept]) for kept in cutoff))
    logits_PV: Tensor = network(*doubled(batch)[:-1], cutoff)
    return logits_PV


def doubled(batch: Batch) -> Batch:
    """The batch concatenated with itself: every sentence twice, with its own dropout mask each time."""
    source_BS, lengths_B, target_BT, positions_P, labels_P = batch
    return Batch(
        torch.cat([source_BS, source_BS]),
        torch.cat([lengths_B, lengths_B]),
        torch.cat([target_BT, target_BT]),
        torch.cat([positions_P, positions_P + target_BT.numel()]),
        torch.cat([labels_P, labels_P]),
    )


def span_cutoff(batch: Batch, rate: float, span: int = 1) -> Cutoff:
    """Cut every input token with probability ``rate``, except EOS of the source and BOS of the target.

    Spans of ``span`` tokens are cut; they may overlap, and begin before a sentence or end after it, so that all its
    tokens have the same chance. Embeddings become zero, and the others are not scaled (Shen et al. 2020: "token cutoff"
    with a span of 1; their "span cutoff" cuts one span of each sentence).
    """
    no_start = (1 - rate) ** (1 / span)
    kept_BS, kept_BT = (
        torch.empty(sentences, length + span - 1, device=batch.source_BS.device)
        .bernoulli_(no_start)
        .unfold(1, span, 1)
        .amin(2)
        for sentences, length in (batch.source_BS.shape, batch.target_BT.shape)
    )
    kept_BS.scatter_(1, batch.source_lengths_B.unsqueeze(1) - 1, 1.0)
    kept_BT[:, 0] = 1
    return Cutoff(kept_BS.unsqueeze(2), kept_BT.unsqueeze(2))


def divergence(logits_PV: Tensor) -> Tensor:
    """KL(P ‖ Q), summed over positions; P is the softmax of the first half of the rows, Q of the second.

    Log-probabilities are logits too.
    """
    total: Tensor = Divergence.apply(logits_PV, False)  # type: ignore[no-untyped-call]
    return total


def symmetric_divergence(logits_PV: Tensor) -> Tensor:
    """KL(P ‖ Q) + KL(Q ‖ P), likewise."""
    total: Tensor = Divergence.apply(logits_PV, True)  # type: ignore[no-untyped-call]
    return total


class Divergence(torch.autograd.Function):
    """The divergence, in one direction or in both, with its gradient computed in the forward pass.

    With logits a and b and d = log p - log q, KL(p ‖ q) = Σ p d has the gradient p · (d - Σ p d) by a, and q - p by b.
    """

    @staticmethod
    def forward(context: Any, logits_PV: Tensor, symmetric: bool) -> Tensor:  # noqa: D102
        first_PV, second_PV = logits_PV.chunk(2)
        gradient_PV = torch.empty_like(logits_PV) if context.needs_input_grad[0] else None
        total = torch.zeros((), device=logits_PV.device)
        rows, chunk = len(first_PV), chunk_size(logits_PV)
        for start in range(0, rows, chunk):
            log_p_CV, log_q_CV = (half[start : start + chunk].float().log_softmax(1) for half in (first_PV, second_PV))
            d_CV = log_p_CV - log_q_CV
            p_CV, q_CV = log_p_CV.exp_(), log_q_CV.exp_()
            p_minus_q_CV = p_CV - q_CV
            total += ((p_minus_q_CV if symmetric else p_CV) * d_CV).sum()
            if gradient_PV is not None:
                by_a_CV, by_b_CV = _centred(p_CV, d_CV), -p_minus_q_CV
                if symmetric:
                    by_a_CV, by_b_CV = by_a_CV + p_minus_q_CV, by_b_CV - _centred(q_CV, d_CV)
                gradient_PV[start : start + len(p_CV)] = by_a_CV
                gradient_PV[rows + start : rows + start + len(q_CV)] = by_b_CV
        context.gradient_PV = gradient_PV
        return total

    @staticmethod
    def backward(context: Any, grad: Tensor) -> tuple[Tensor, None]:  # noqa: D102
        gradient_PV: Tensor = context.gradient_PV
        return gradient_PV.mul_(grad.to(gradient_PV.dtype)), None


def _centred(probability_CV: Tensor, d_CV: Tensor) -> Tensor:
    """p · (d - Σ p d)."""
    return probability_CV * (d_CV - (probability_CV * d_CV).sum(1, keepdim=True))
