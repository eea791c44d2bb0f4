"""R-Drop: two passes with different dropout must agree (Liang et al. 2021).

B sentences, T target positions, P real target positions of a batch, C of them at a time, V vocabulary.
"""

from typing import Any

import torch
from torch import Tensor

from seq2seq.data.batch import Batch
from seq2seq.model import Network
from seq2seq.system.device import Precision, autocast
from seq2seq.training.loss import Loss, chunk_size, loss_sums


class Consistency:
    """Mean cross entropy of two passes plus ``alpha`` times the mean of both divergences between them.

    L = ½ (CE₁ + CE₂) + α · ½ (KL(P₁ ‖ P₂) + KL(P₂ ‖ P₁)). Liang et al. 2021, eq. 4, and the authors' code for
    translation add the cross entropies up; here they are averaged, so that cross entropy weighs what it weighs without
    this. So α here is half of theirs: 2.5 has the balance of their 5.
    """

    def __init__(self, alpha: float, smoothing: float, precision: Precision) -> None:
        self.alpha = alpha
        self.smoothing = smoothing
        self.precision = precision

    def __call__(self, network: Network, batch: Batch, update: int) -> Loss:
        """Sums over the batch's target pieces.

        Both passes are one, over each sentence twice. Recurrent dropout has one mask for all sentences of a pass, so
        with it the passes are two.
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
    """The batch behind itself: every sentence twice, so with dropout masks of its own."""
    source_BS, lengths_B, target_BT, positions_P, labels_P = batch
    return Batch(
        torch.cat([source_BS, source_BS]),
        torch.cat([lengths_B, lengths_B]),
        torch.cat([target_BT, target_BT]),
        torch.cat([positions_P, positions_P + target_BT.numel()]),
        torch.cat([labels_P, labels_P]),
    )


def symmetric_divergence(logits_PV: Tensor) -> Tensor:
    """KL(P ‖ Q) + KL(Q ‖ P) summed over positions, P the softmax of the first half of the rows, Q of the second."""
    divergence: Tensor = SymmetricDivergence.apply(logits_PV)  # type: ignore[no-untyped-call]
    return divergence


class SymmetricDivergence(torch.autograd.Function):
    """Its value and, while the probabilities are at hand, its gradient.

    With logits a and b, KL(p ‖ q) + KL(q ‖ p) = Σ (p - q)(log p - log q) = Σ (p - q)(a - b): what the softmax takes
    off all logits alike cancels. Its slope in a is (p - q) + p · ((a - b) - Σ p (a - b)), and the same with both
    exchanged in b.
    """

    @staticmethod
    def forward(context: Any, logits_PV: Tensor) -> Tensor:  # noqa: D102
        first_PV, second_PV = logits_PV.chunk(2)
        gradient_PV = torch.empty_like(logits_PV) if context.needs_input_grad[0] else None
        total = torch.zeros((), device=logits_PV.device)
        rows, chunk = len(first_PV), chunk_size(logits_PV)
        for start in range(0, rows, chunk):
            one_CV, other_CV = (half[start : start + chunk].float() for half in (first_PV, second_PV))
            p_CV, q_CV = one_CV.softmax(1), other_CV.softmax(1)
            apart_CV, difference_CV = p_CV - q_CV, one_CV - other_CV
            total += (apart_CV * difference_CV).sum()
            if gradient_PV is not None:
                for begin, share_CV, sign in ((start, p_CV, 1), (start + rows, q_CV, -1)):
                    mean_C1 = (share_CV * difference_CV).sum(1, keepdim=True)
                    slope_CV = (share_CV * (difference_CV - mean_C1)).add_(apart_CV).mul_(sign)
                    gradient_PV[begin : begin + len(slope_CV)] = slope_CV
        context.gradient_PV = gradient_PV
        return total

    @staticmethod
    def backward(context: Any, slope: Tensor) -> Tensor:  # noqa: D102
        gradient_PV: Tensor = context.gradient_PV
        return gradient_PV.mul_(slope.to(gradient_PV.dtype))
