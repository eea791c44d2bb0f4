"""Samples of a model in training and their rewards: connects training on risk (`training.risk`) with search and text.

For minimum risk training, samples are restricted to valid text, as in translation. REINFORCE would be biased by that:
it needs samples of the distribution whose expected reward it follows.
"""

from typing import Any

import torch

from seq2seq.data.batch import Batch
from seq2seq.inference import NetworkStepper, PreparedDecoder
from seq2seq.inference.config import InferencePrecision
from seq2seq.metrics.similarity import Similarity
from seq2seq.model import Network
from seq2seq.portable.text import byte_values
from seq2seq.search import CharacterStepper, Hypothesis, Method, SearchConfig, Stepper, sample
from seq2seq.system.device import is_reduced
from seq2seq.system.precision import Precision
from seq2seq.tokenizer.token_bytes import non_text_tokens
from seq2seq.tokenizer.tokenizer import BOS, EOS, Tokenizers
from seq2seq.training.config import RiskConfig, RiskKind
from seq2seq.training.loss import evaluating
from seq2seq.training.risk import Candidate, reference_tokens


class RewardedSampler:
    """Samples translations of a batch with the network in evaluation mode and scores them against the references."""

    def __init__(
        self, tokenizers: Tokenizers, risk: RiskConfig, precision: Precision, target_language: str = ""
    ) -> None:
        """Set up sampling and the reward; ``target_language`` is the code that selects BLEU's tokenization."""
        self.tokenizers = tokenizers
        self.risk = risk
        self.search = SearchConfig(
            method=Method.sampling,
            n_best=risk.samples,
            temperature=risk.temperature,
            max_length_ratio=risk.max_length_ratio,
            max_length_offset=risk.max_length_offset,
        )
        self.precision = precision
        self.reward = Similarity(risk.metric, target_language)
        target = tokenizers.target
        self.single_bytes = byte_values(target.tokens(range(target.size)))
        self.non_text_tokens = non_text_tokens(target)

    def __call__(self, network: Network, batch: Batch) -> list[list[Candidate]]:
        """Return ``risk.samples`` candidates of every sentence, in batch order; rewards score detokenized text."""
        decode = self.tokenizers.target.decode
        candidates = []
        for samples, reference in zip(self._sample(network, batch), reference_tokens(batch), strict=True):
            rewards = self.reward([decode(each.tokens) for each in samples], decode(reference))
            own = [Candidate(_tokens(each), reward) for each, reward in zip(samples, rewards, strict=True)]
            candidates.append(own)
        return candidates

    @torch.no_grad()
    def _sample(self, network: Network, batch: Batch) -> list[list[Hypothesis]]:
        reduced = is_reduced(self.precision, batch.source_BS.device)
        precision = InferencePrecision.bfloat16 if reduced else InferencePrecision.float32
        with evaluating(network):
            decoder = PreparedDecoder(network, precision, torch.bfloat16 if reduced else torch.float32)
            stepper: Stepper[Any] = NetworkStepper(network, decoder, batch.source_BS, batch.source_lengths_B, BOS, EOS)
            if self.risk.kind is RiskKind.minimum_risk:
                stepper = CharacterStepper(stepper, self.single_bytes, self.non_text_tokens)
            return sample(stepper, self.search)


def _tokens(hypothesis: Hypothesis) -> tuple[int, ...]:
    """Return the token ids of a sample, EOS included if it is finished."""
    return (*hypothesis.tokens, EOS) if hypothesis.finished else tuple(hypothesis.tokens)
