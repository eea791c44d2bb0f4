"""Training on what the network itself says: the expected cost of its own translations, scored as sentences.

Nothing is teacher-forced here. Samples and their rewards come from outside (`translation.risk_sampler`), drawn without
dropout. Their probabilities are computed again here, with gradients and dropout, in one fused pass: the network that
is trained differs from the one that was sampled, so REINFORCE is unbiased only without dropout.

B sentences, K candidates of a sentence, N candidates of a batch, T positions, P real positions, V vocabulary.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.data.batch import Batch, pad, target_input
from seq2seq.errors import ConfigError
from seq2seq.model import Network
from seq2seq.settings import Settings, setting
from seq2seq.system.device import Precision, autocast
from seq2seq.training.loss import Loss, Objective, label_log_probabilities


class RiskKind(StrEnum):
    """How the expectation is taken: over the samples renormalised (Shen et al. 2016) or by REINFORCE (Ranzato 2016)."""

    minimum_risk = "minimum_risk"
    reinforce = "reinforce"


class RewardMetric(StrEnum):
    """What a translation is rewarded by: sacreBLEU's sentence BLEU or chrF."""

    bleu = "bleu"
    chrf = "chrf"


@dataclass(kw_only=True)
class RiskConfig(Settings):
    """Training on sentence scores of sampled translations."""

    weight: float = setting(
        0.0, "share of the objective that is the risk of own translations; 0: off", at_least=0, at_most=1
    )
    kind: RiskKind = setting(
        RiskKind.minimum_risk, "how it is estimated: minimum_risk (Shen et al. 2016) or reinforce (Ranzato et al. 2016)"
    )
    metric: RewardMetric = setting(RewardMetric.bleu, "sentence score that rewards a translation: bleu or chrf")
    samples: int = setting(8, "translations sampled of each sentence", at_least=2)
    temperature: float = setting(1.0, "samples are drawn from p ** (1 / temperature)", at_least=1e-30, at_most=1e30)
    max_length_ratio: float = setting(1.5, "a sample has at most this * source pieces + offset", at_least=0)
    max_length_offset: int = setting(10, "pieces allowed on top of max_length_ratio * source pieces", at_least=0)
    sharpness: float = setting(0.005, "minimum_risk: candidates weigh p ** sharpness, renormalised", above=0)
    reference: bool = setting(True, "minimum_risk: the reference is a candidate too (Shen et al. 2016)")

    def check(self) -> None:
        """Hold that REINFORCE gets samples of the distribution whose expected reward it follows.

        Raises:
            ConfigError: they are drawn from another.
        """
        if self.weight > 0 and self.kind == RiskKind.reinforce and self.temperature != 1:
            raise ConfigError(
                f"risk.temperature={self.temperature:g} draws from another distribution than the model's, by which "
                f"risk.kind=reinforce is biased: set risk.temperature=1 or risk.kind=minimum_risk"
            )


class Candidate(NamedTuple):
    """A translation the network may give."""

    pieces: tuple[int, ...]
    """Ids, the end mark included where it was reached; at least one."""
    reward: float
    """0 to 1, higher is better."""


Draw = Callable[[Network, Batch], list[list[Candidate]]]
"""Samples, with their rewards, of every sentence of a batch."""


class RiskTraining:
    """(1 - weight) · another objective + weight · risk, both as sums over target pieces.

    A sentence's risk counts once for each of its reference's pieces: so both parts are means over target pieces in the
    end, whatever is accumulated, and ``weight`` is the share it is named for. (Shen et al. and Ranzato et al. count
    each sentence once.)
    """

    def __init__(self, objective: Objective, config: RiskConfig, draw: Draw, precision: Precision) -> None:
        """Put risk beside another objective.

        Raises:
            ConfigError: as `RiskConfig.check`.
        """
        config.check()
        self.objective = objective
        self.config = config
        self.draw = draw
        self.precision = precision

    def __call__(self, network: Network, batch: Batch, update: int) -> Loss:
        """Sums over the batch; the cross entropy reported is that of the other objective."""
        weight = self.config.weight
        with torch.set_grad_enabled(torch.is_grad_enabled() and weight < 1):
            loss = self.objective(network, batch, update)
        return Loss((1 - weight) * loss.objective + weight * self.risk(network, batch), loss.cross_entropy)

    def risk(self, network: Network, batch: Batch) -> Tensor:
        """Risk of every sentence times its reference's pieces, summed."""
        references = reference_pieces(batch)
        with_reference = self.config.kind is RiskKind.minimum_risk and self.config.reference
        samples = self.draw(network, batch)
        counts = [Counter(one.pieces for one in drawn) for drawn in samples]
        rewards = [dict[tuple[int, ...], float](drawn) for drawn in samples]
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
        lengths_N = torch.tensor([len(pieces) for pieces in table.pieces])
        target_NT = target_input([pieces[:-1] for pieces in table.pieces])
        labels_NT = torch.from_numpy(pad(table.pieces))
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
        # Each in a place of its own, then summed: `index_add` adds in any order on a GPU, and rounds by it.
        padded_X = log_probability_P.new_zeros(target_NT.numel())
        return padded_X.index_copy(0, positions_P.to(device), log_probability_P).view(target_NT.shape).sum(1)


class Candidates(NamedTuple):
    """The different candidates of a batch, row by row, and their places in a table of K a sentence."""

    pieces: list[tuple[int, ...]]
    sentence_N: Tensor
    slot_N: Tensor
    count_BK: Tensor
    """How often each was drawn; 0 for a reference that was not."""
    reward_BK: Tensor
    """0 in slots without a candidate."""

    @classmethod
    def of(
        cls, counts: Sequence[Counter[tuple[int, ...]]], rewards: Sequence[dict[tuple[int, ...], float]]
    ) -> "Candidates":
        """From every sentence's candidates, how often they were drawn and what they are worth."""
        rows = [(sentence, slot, pieces) for sentence, count in enumerate(counts) for slot, pieces in enumerate(count)]
        sentence_N, slot_N = (torch.tensor([row[part] for row in rows]) for part in (0, 1))
        count_BK, reward_BK = torch.zeros(2, len(counts), max(map(len, counts)))
        count_BK[sentence_N, slot_N] = torch.tensor([float(counts[row[0]][row[2]]) for row in rows])
        reward_BK[sentence_N, slot_N] = torch.tensor([rewards[row[0]][row[2]] for row in rows])
        return cls([row[2] for row in rows], sentence_N, slot_N, count_BK, reward_BK)

    def by_sentence(self, values_N: Tensor) -> Tensor:
        """The candidates' values in their places (B, K); ``-inf`` in slots without one."""
        place_N = (self.sentence_N * self.count_BK.size(1) + self.slot_N).to(values_N.device)
        empty = values_N.new_full((self.count_BK.numel(),), -torch.inf)
        return empty.scatter(0, place_N, values_N).view_as(self.count_BK)


def reference_pieces(batch: Batch) -> list[tuple[int, ...]]:
    """Every sentence's target pieces, end mark included."""
    row_P = batch.positions_P.div(batch.target_BT.size(1), rounding_mode="floor")
    counts = row_P.bincount(minlength=batch.target_BT.size(0)).tolist()
    pieces = iter(batch.labels_P.tolist())
    return [tuple(islice(pieces, count)) for count in counts]


def expected_risk(log_probability_BK: Tensor, cost_BK: Tensor, sharpness: float) -> Tensor:
    """Expected cost (B,) where a candidate's share is p ** sharpness, renormalised (Shen et al. 2016, eq. 10 and 11).

    A log-probability of ``-inf`` marks a slot without a candidate.
    """
    return ((sharpness * log_probability_BK).softmax(1) * cost_BK).sum(1)


def policy_gradient(log_probability_BK: Tensor, reward_BK: Tensor, count_BK: Tensor) -> Tensor:
    """A number (B,) whose gradient is that of minus the expected reward, estimated (REINFORCE, Williams 1992).

    Each sample's baseline is the mean reward of the others, which leaves the estimate unbiased (Ranzato et al. 2016,
    eq. 11, has a learnt baseline in its place, Rennie et al. 2017 the greedy translation's reward).

    Args:
        log_probability_BK: of the different samples; ``-inf`` where there is none.
        reward_BK: what each is worth.
        count_BK: how often each was drawn; at least two draws a sentence.
    """
    draws_B1 = count_BK.sum(1, keepdim=True)
    baseline_BK = ((count_BK * reward_BK).sum(1, keepdim=True) - reward_BK) / (draws_B1 - 1)
    share_BK = count_BK * (reward_BK - baseline_BK) / draws_B1
    return -(share_BK * log_probability_BK.masked_fill(count_BK == 0, 0.0)).sum(1)
