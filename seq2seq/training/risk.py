"""Minimum risk training: the expected cost of the network's own translations, scored by sentence.

Samples and their rewards come from `seq2seq.translation.risk_sampler`, which samples without dropout. Their
probabilities are computed again here, with gradients and dropout, in one fused pass. The network that is trained
therefore differs from the one that was sampled, and REINFORCE is unbiased only without dropout.

B sentences, K candidates of a sentence, N candidates of a batch, T positions, P positions that are not padding, V
vocabulary size.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.data.batch import Batch, pad, target_input
from seq2seq.model import Network
from seq2seq.system.device import autocast
from seq2seq.system.precision import Precision
from seq2seq.training.config import RiskConfig, RiskKind
from seq2seq.training.loss import Loss, Objective, label_log_probabilities


class Candidate(NamedTuple):
    """A possible translation."""

    tokens: tuple[int, ...]
    """Ids, with EOS if the translation has ended; at least one."""
    reward: float
    """0 to 1, higher is better."""


Draw = Callable[[Network, Batch], list[list[Candidate]]]
"""Samples translations of every sentence of a batch, with rewards."""


class RiskTraining:
    """(1 - weight) · another objective + weight · risk, both as sums over target tokens.

    A sentence's risk is multiplied by the number of its reference's tokens, so that both parts become means over target
    tokens and ``weight`` is the share of the risk. (Shen et al. and Ranzato et al. count each sentence once.)
    """

    def __init__(self, objective: Objective, config: RiskConfig, draw: Draw, precision: Precision) -> None:
        """Add the risk to another objective.

        Raises:
            ConfigError: as `RiskConfig.check`.
        """
        config.check()
        self.objective = objective
        self.config = config
        self.draw = draw
        self.precision = precision

    def __call__(self, network: Network, batch: Batch, update: int) -> Loss:
        """Sums over the batch; the cross entropy is that of the other objective."""
        weight = self.config.weight
        with torch.set_grad_enabled(torch.is_grad_enabled() and weight < 1):
            loss = self.objective(network, batch, update)
        return Loss((1 - weight) * loss.objective + weight * self.risk(network, batch), loss.cross_entropy)

    def risk(self, network: Network, batch: Batch) -> Tensor:
        """Risk of every sentence times the number of its reference's tokens, summed."""
        references = reference_tokens(batch)
        with_reference = self.config.kind is RiskKind.minimum_risk and self.config.reference
        samples = self.draw(network, batch)
        counts = [Counter(candidate.tokens for candidate in candidates) for candidates in samples]
        rewards = [dict[tuple[int, ...], float](candidates) for candidates in samples]
        if with_reference:
            for count, reward, reference in zip(counts, rewards, references, strict=True):
                count.setdefault(reference, 0)
                reward[reference] = 1.0
        table = Candidates.of(counts, rewards)
        log_probability_BK = table.by_sentence(self._log_probabilities(network, batch, table))
        device = log_probability_BK.device
        reward_BK, count_BK = table.reward_BK.to(device), table.count_BK.to(device)
        if self.config.kind is RiskKind.minimum_risk:
            risk_B = expected_risk(log_probability_BK, 1 - reward_BK, self.config.sharpness)
        else:
            risk_B = policy_gradient(log_probability_BK, reward_BK, count_BK)
        return risk_B @ risk_B.new_tensor([len(reference) for reference in references])

    def _log_probabilities(self, network: Network, batch: Batch, table: "Candidates") -> Tensor:
        """log p(candidate | source) of every candidate (N,), with gradients."""
        lengths_N = torch.tensor([len(tokens) for tokens in table.tokens])
        target_NT = target_input([tokens[:-1] for tokens in table.tokens])
        labels_NT = torch.from_numpy(pad(table.tokens))
        real_NT = torch.arange(target_NT.size(1)) < lengths_N.unsqueeze(1)
        positions_P = real_NT.flatten().nonzero().squeeze(1)
        device = batch.source_BS.device
        owner_N = table.sentence_N.to(device)
        with autocast(self.precision, device):
            logits_PV = network(
                batch.source_BS.index_select(0, owner_N),
                batch.source_lengths_B.index_select(0, owner_N),
                target_NT.to(device),
                positions_P.to(device),
            )
        log_probability_P = label_log_probabilities(logits_PV, labels_NT.flatten()[positions_P].to(device))
        # Padded, then summed: on a GPU, `index_add` adds in any order, which changes the rounding.
        padded_X = log_probability_P.new_zeros(target_NT.numel())
        return padded_X.index_copy(0, positions_P.to(device), log_probability_P).view(target_NT.shape).sum(1)


class Candidates(NamedTuple):
    """The distinct candidates of a batch, and their places in a table of K per sentence."""

    tokens: list[tuple[int, ...]]
    sentence_N: Tensor
    slot_N: Tensor
    count_BK: Tensor
    """How often each was sampled; 0 for a reference that was not."""
    reward_BK: Tensor
    """0 in slots without a candidate."""

    @classmethod
    def of(
        cls, counts: Sequence[Counter[tuple[int, ...]]], rewards: Sequence[dict[tuple[int, ...], float]]
    ) -> "Candidates":
        """Collect every sentence's candidates, with their numbers of samples and rewards."""
        rows = [(sentence, slot, tokens) for sentence, count in enumerate(counts) for slot, tokens in enumerate(count)]
        sentence_N, slot_N = (torch.tensor([row[part] for row in rows]) for part in (0, 1))
        count_BK, reward_BK = torch.zeros(2, len(counts), max(map(len, counts)))
        count_BK[sentence_N, slot_N] = torch.tensor([float(counts[row[0]][row[2]]) for row in rows])
        reward_BK[sentence_N, slot_N] = torch.tensor([rewards[row[0]][row[2]] for row in rows])
        return cls([row[2] for row in rows], sentence_N, slot_N, count_BK, reward_BK)

    def by_sentence(self, values_N: Tensor) -> Tensor:
        """The candidates' values as a table (B, K); ``-inf`` in slots without a candidate."""
        place_N = (self.sentence_N * self.count_BK.size(1) + self.slot_N).to(values_N.device)
        empty = values_N.new_full((self.count_BK.numel(),), -torch.inf)
        return empty.scatter(0, place_N, values_N).view_as(self.count_BK)


def reference_tokens(batch: Batch) -> list[tuple[int, ...]]:
    """Every sentence's target tokens, with EOS."""
    row_P = batch.positions_P.div(batch.target_BT.size(1), rounding_mode="floor")
    counts = row_P.bincount(minlength=batch.target_BT.size(0)).tolist()
    tokens = iter(batch.labels_P.tolist())
    return [tuple(islice(tokens, count)) for count in counts]


def expected_risk(log_probability_BK: Tensor, cost_BK: Tensor, sharpness: float) -> Tensor:
    """Expected cost (B,) with candidates weighted by p ** sharpness, renormalized (Shen et al. 2016, eq. 10 and 11).

    A log-probability of ``-inf`` marks a slot without a candidate.
    """
    return ((sharpness * log_probability_BK).softmax(1) * cost_BK).sum(1)


def policy_gradient(log_probability_BK: Tensor, reward_BK: Tensor, count_BK: Tensor) -> Tensor:
    """A number (B,) whose gradient estimates that of minus the expected reward (REINFORCE, Williams 1992).

    Each sample's baseline is the mean reward of the others, which leaves the estimate unbiased (Ranzato et al. 2016,
    eq. 11, learn a baseline; Rennie et al. 2017 use the greedy translation's reward).

    Args:
        log_probability_BK: log-probabilities of the distinct samples; ``-inf`` in slots without a sample.
        reward_BK: their rewards.
        count_BK: how often each was sampled; at least two samples per sentence.
    """
    samples_B1 = count_BK.sum(1, keepdim=True)
    baseline_BK = ((count_BK * reward_BK).sum(1, keepdim=True) - reward_BK) / (samples_B1 - 1)
    share_BK = count_BK * (reward_BK - baseline_BK) / samples_B1
    return -(share_BK * log_probability_BK.masked_fill(count_BK == 0, 0.0)).sum(1)
