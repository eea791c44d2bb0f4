"""The copy mechanism: a gate mixes the distribution over the vocabulary with attention over the source tokens.

With features f (the readout, which mixes decoder state, context and, if set, the input embedding), logits l and
attention weights a (averaged over heads) over the source tokens x, the probability of a target token y is

    g = sigmoid(w·f + b)        c(y) = sum of a_i over the positions i with x_i = y        m = sum of c
    p(y) = (1 - (1 - g) m) softmax(l)(y) + (1 - g) c(y)

If the weights of tokens that can be copied sum to m = 1, this is p = g softmax(l) + (1 - g) c (See et al. 2017, eq. 9;
Gulcehre et al. 2016, eq. 10). What cannot be copied goes to the vocabulary: attention to special tokens and to tokens
that the target vocabulary lacks, and what a local window cuts off. So p always sums to 1, and the source's EOS says
"not from the source", as the sentinel of Merity et al. (2017) does.

B sentences, K beam rows of a sentence, N = B·K rows, T target positions, P chosen ones, C of them at a time, S source
positions, F width of the features, V vocabulary size.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, logsigmoid

from seq2seq.model.logits import chunks

TINY = 1e-30
"""Smallest probability whose logarithm is computed."""


class CopyMemory(NamedTuple):
    """Which source positions copy which target token, one entry per sentence."""

    tokens_BS: Tensor
    """The target token of each position; 0 where none can be copied."""
    copied_BS: Tensor
    """Whether a position can be copied."""
    shared_BSS: Tensor
    """1 if the first position can be copied and has the token of the second, else 0. float64, see `at`."""
    leaders_BS: Tensor
    """The first position with the same token."""

    @classmethod
    def of(cls, copies_BS: Tensor) -> "CopyMemory":
        """From the target token that each position copies; -1: none."""
        tokens_BS, copied_BS = copies_BS.clamp(min=0), copies_BS >= 0
        equal_BSS = tokens_BS.unsqueeze(2) == tokens_BS.unsqueeze(1)
        shared_BSS = equal_BSS & copied_BS.unsqueeze(2)
        return cls(tokens_BS, copied_BS, shared_BSS.double(), equal_BSS.int().argmax(2))

    def select(self, sentences_B: Tensor) -> "CopyMemory":
        """The memory of these sentences, in this order."""
        return CopyMemory(*(part.index_select(0, sentences_B) for part in self))

    def at(self, weights_NTS: Tensor, positions_P: Tensor) -> "Copied":
        """What is copied at some of the flattened (N·T) positions; rows n·K … n·K + K-1 belong to sentence n.

        The product is in float64: autocast would round factors in float32, and a token's sum does not depend on the
        number of rows.
        """
        rows, steps, width = weights_NTS.shape
        sentences = self.tokens_BS.size(0)
        sums_BQS = weights_NTS.double().reshape(sentences, -1, width) @ self.shared_BSS
        sums_BQS = sums_BQS.gather(2, self.leaders_BS.unsqueeze(1).expand_as(sums_BQS))
        sentence_P = positions_P.div(steps * (rows // sentences), rounding_mode="floor")
        leaders_PS = self.leaders_BS.index_select(0, sentence_P)
        copied = Copied(
            self.tokens_BS.index_select(0, sentence_P),
            sums_BQS.reshape(-1, width).index_select(0, positions_P),
            leaders_PS == torch.arange(width, device=leaders_PS.device),
        )
        return copied._replace(sums_PS=copied.sums_PS / copied.mass().clamp(min=1))  # rounded weights sum to more


class Copied(NamedTuple):
    """The attention that tokens receive, by source position. Positions with the same token have the same sum."""

    tokens_PS: Tensor
    sums_PS: Tensor
    """c(y) of the token at each position, float64; 0 where none can be copied."""
    first_PS: Tensor
    """Whether a position is the first with its token."""

    def mass(self) -> Tensor:
        """m (P, 1), the attention that tokens which can be copied receive."""
        return (self.sums_PS * self.first_PS).sum(1, keepdim=True)


class Pointer(nn.Module):
    """The gate, and the target token that each source token copies.

    Args:
        feature_size: width F of the features.
        copies_X: target token of every source token; -1 if it cannot be copied. It is not among the saved weights,
            because it follows from the tokenizers.
    """

    copies_X: Tensor

    def __init__(self, feature_size: int, copies_X: Tensor) -> None:
        super().__init__()
        self.gate = nn.Linear(feature_size, 1)
        self.register_buffer("copies_X", copies_X, persistent=False)

    def memory(self, source_BS: Tensor, kept_BS1: Tensor | None = None) -> CopyMemory:
        """What source tokens (ids, padded) can copy. Padding may be any token: its attention weight is zero.

        ``kept_BS1`` is 0 for tokens that are removed from the input (`Cutoff`): they cannot be copied either.
        """
        copies_BS = self.copies_X[source_BS]
        return CopyMemory.of(copies_BS if kept_BS1 is None else copies_BS.masked_fill(kept_BS1.squeeze(2) == 0, -1))

    def gate_logits(self, features_PF: Tensor) -> Tensor:
        """The gate (P, 1) before its sigmoid, float64, which autocast does not round."""
        return linear(features_PF.double(), self.gate.weight.double(), self.gate.bias.double())

    def copied_share(self, gate_P1: Tensor, copied: Copied) -> Tensor:
        """The part of p that is copied (P, 1): (1 - g) m."""
        return (-gate_P1).sigmoid() * copied.mass()

    def log_shares(self, features_PF: Tensor, copied: Copied) -> tuple[Tensor, Tensor]:
        """The factor of the vocabulary's softmax (P, 1) and the probability that is copied (P, S), as logarithms.

        The factor is g + (1 - g) (1 - m), which keeps its digits where g is small and m near 1.
        """
        gate_P1 = self.gate_logits(features_PF)
        rest_P1 = (1 - copied.mass()).clamp(min=0)
        vocabulary_P1 = (gate_P1.sigmoid() + (-gate_P1).sigmoid() * rest_P1).clamp(min=TINY).log()
        log_sums_PS = copied.sums_PS.clamp(min=TINY).log().masked_fill(copied.sums_PS == 0, -torch.inf)
        return vocabulary_P1, logsigmoid(-gate_P1) + log_sums_PS

    def forward(self, logits_PV: Tensor, features_PF: Tensor, copied: Copied) -> Tensor:
        """Add the copies to the logits, in place, for training.

        Returns:
            Logits whose softmax is p. They differ from the given ones only at the source's tokens, where
            exp(l') = exp(l) + sum(exp(l)) · (1 - g) c / (1 - (1 - g) m). The forward pass allocates no second tensor of
            their size; the backward pass allocates one, their gradient.
        """
        vocabulary_P1, copies_PS = self.log_shares(features_PF, copied)
        mixed_PV: Tensor = AddCopies.apply(  # type: ignore[no-untyped-call]
            logits_PV, copies_PS - vocabulary_P1, copied.tokens_PS, copied.first_PS
        )
        return mixed_PV

    def mix(self, log_probability_NV: Tensor, features_NF: Tensor, copied: Copied) -> Tensor:
        """Change log-probabilities of the vocabulary into log p, in place and without gradients, for search."""
        vocabulary_N1, copies_NS = self.log_shares(features_NF, copied)
        log_probability_NV += vocabulary_N1.to(log_probability_NV.dtype)
        own_NS = log_probability_NV.gather(1, copied.tokens_PS).double()
        both_NS = torch.logaddexp(own_NS, copies_NS).to(log_probability_NV.dtype)
        return log_probability_NV.scatter_(1, copied.tokens_PS, both_NS)


class AddCopies(torch.autograd.Function):
    """l'(y) = log(exp(l(y)) + Z · exp(k(y))) at the tokens of the source, with Z = sum(exp(l)).

    With the copied share s = Z exp(k) / exp(l'), the gradient of l' is 1 - s by l(y), and s by k(y) and by log Z. That
    of log Z by l is softmax(l), which is computed again in the backward pass.
    """

    @staticmethod
    def forward(  # noqa: D102
        context: Any, logits_PV: Tensor, copies_PS: Tensor, tokens_PS: Tensor, first_PS: Tensor
    ) -> Tensor:
        dtype = torch.promote_types(logits_PV.dtype, torch.float32)
        log_sum_P1 = torch.cat([part.to(dtype).logsumexp(1, keepdim=True) for part in chunks(logits_PV)])
        own_PS = logits_PV.gather(1, tokens_PS).to(dtype)
        added_PS = log_sum_P1 + copies_PS
        logits_PV.scatter_(1, tokens_PS, torch.logaddexp(own_PS.double(), added_PS).to(logits_PV.dtype))
        context.mark_dirty(logits_PV)
        context.save_for_backward(logits_PV, log_sum_P1, own_PS, (added_PS - own_PS).sigmoid(), tokens_PS, first_PS)
        return logits_PV

    @staticmethod
    def backward(context: Any, grad_PV: Tensor) -> tuple[Tensor, Tensor, None, None]:  # noqa: D102
        logits_PV, log_sum_P1, own_PS, share_PS, tokens_PS, first_PS = context.saved_tensors
        grad_PS = grad_PV.gather(1, tokens_PS)
        copies_grad_PS = grad_PS * share_PS * first_PS
        sum_grad_P1 = copies_grad_PS.sum(1, keepdim=True).to(log_sum_P1.dtype)
        own_grad_PS = grad_PS * (1 - share_PS) + sum_grad_P1 * (own_PS - log_sum_P1).exp()
        result_PV = torch.empty_like(logits_PV)
        parts = zip(*map(chunks, (result_PV, logits_PV, grad_PV, log_sum_P1, sum_grad_P1)), strict=True)
        for result_CV, logits_CV, grad_CV, log_sum_C1, sum_grad_C1 in parts:
            result_CV.copy_((logits_CV - log_sum_C1).exp_().mul_(sum_grad_C1).add_(grad_CV))
        return result_PV.scatter_(1, tokens_PS, own_grad_PS.to(result_PV.dtype)), copies_grad_PS, None, None
