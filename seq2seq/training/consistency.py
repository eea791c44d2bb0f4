"""R-Drop: a penalty on the divergence of two passes with different dropout (Liang et al. 2021).

B sentences, T target positions, P target positions of a batch that are not padding, C of them at a time, V vocabulary
size.
"""

from typing import Any

import torch
from torch import Tensor

from seq2seq.data.batch import Batch
from seq2seq.model import Network
from seq2seq.system.device import autocast
from seq2seq.system.precision import Precision
from seq2seq.training.loss import Loss, chunk_size, loss_sums


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
        """Sums over the batch's target tokens.

        Both passes are computed as one pass over each sentence twice. Recurrent dropout shares a mask among the
        sentences of a pass, so it takes two passes.
        """
        *inputs, labels_P = doubled(batch)
        with autocast(self.precision, batch.source_BS.device):
            if network.config.recurrent_dropout > 0:
                logits_PV = torch.cat([network(*batch[:-1]), network(*batch[:-1])])
            else:
                logits_PV = network(*inputs)
        loss = loss_sums(logits_PV, labels_P, self.smoothing)
        divergence = symmetric_divergence(logits_PV)
        return Loss((loss.objective + self.alpha * divergence) / 2, loss.cross_entropy / 2)


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


def symmetric_divergence(logits_PV: Tensor) -> Tensor:
    """KL(P ‖ Q) + KL(Q ‖ P), summed over positions; P is the softmax of the first half of the rows, Q of the second."""
    divergence: Tensor = SymmetricDivergence.apply(logits_PV)  # type: ignore[no-untyped-call]
    return divergence


class SymmetricDivergence(torch.autograd.Function):
    """The divergence, with its gradient computed in the forward pass.

    With logits a and b, KL(p ‖ q) + KL(q ‖ p) = Σ (p - q)(log p - log q) = Σ (p - q)(a - b): the normalizers cancel.
    The gradient by a is (p - q) + p · ((a - b) - Σ p (a - b)); that by b has p and q, and a and b, exchanged.
    """

    @staticmethod
    def forward(context: Any, logits_PV: Tensor) -> Tensor:  # noqa: D102
        first_PV, second_PV = logits_PV.chunk(2)
        gradient_PV = torch.empty_like(logits_PV) if context.needs_input_grad[0] else None
        total = torch.zeros((), device=logits_PV.device)
        rows, chunk = len(first_PV), chunk_size(logits_PV)
        for start in range(0, rows, chunk):
            a_CV, b_CV = (half[start : start + chunk].float() for half in (first_PV, second_PV))
            p_CV, q_CV = a_CV.softmax(1), b_CV.softmax(1)
            p_minus_q_CV, a_minus_b_CV = p_CV - q_CV, a_CV - b_CV
            total += (p_minus_q_CV * a_minus_b_CV).sum()
            if gradient_PV is not None:
                for begin, probability_CV, sign in ((start, p_CV, 1), (start + rows, q_CV, -1)):
                    mean_C1 = (probability_CV * a_minus_b_CV).sum(1, keepdim=True)
                    partial_CV = (probability_CV * (a_minus_b_CV - mean_C1)).add_(p_minus_q_CV).mul_(sign)
                    gradient_PV[begin : begin + len(partial_CV)] = partial_CV
        context.gradient_PV = gradient_PV
        return total

    @staticmethod
    def backward(context: Any, grad: Tensor) -> Tensor:  # noqa: D102
        gradient_PV: Tensor = context.gradient_PV
        return gradient_PV.mul_(grad.to(gradient_PV.dtype))
