"""What a model's own translations are worth while it learns: samples drawn from it, each scored as a sentence.

For minimum risk the samples are text, as they are where a model translates: no marks, no bytes that are no character.
REINFORCE would be biased by that: it needs samples of the very distribution whose expected reward it follows.

The room where training on risk (`seq2seq.training.risk`) meets search and text.
"""

from typing import Any

import torch

from seq2seq.data.batch import Batch
from seq2seq.inference import InferencePrecision, NetworkStepper, PreparedDecoder
from seq2seq.metrics.similarity import Similarity
from seq2seq.model import Network
from seq2seq.search import CharacterStepper, Hypothesis, SearchConfig, Stepper, sample
from seq2seq.system.device import Precision, is_reduced
from seq2seq.tokenizer.spelling import no_text, single_bytes
from seq2seq.tokenizer.tokenizer import BOS, EOS, Tokenizers
from seq2seq.training.loss import evaluating
from seq2seq.training.risk import Candidate, RiskConfig, RiskKind, reference_tokens


class Sampler:
    """Samples translations of a batch with the network as it is in search, and scores each against its reference."""

    def __init__(
        self, tokenizers: Tokenizers, risk: RiskConfig, precision: Precision, target_language: str = ""
    ) -> None:
        """``target_language`` is the code of what is written, by which BLEU cuts words."""
        self.tokenizers = tokenizers
        self.risk = risk
        self.search = SearchConfig(max_length_ratio=risk.max_length_ratio, max_length_offset=risk.max_length_offset)
        self.precision = precision
        self.reward = Similarity(risk.metric, target_language)
        self.single_bytes, self.no_text = single_bytes(tokenizers.target), no_text(tokenizers.target)

    def __call__(self, network: Network, batch: Batch) -> list[list[Candidate]]:
        """``risk.samples`` candidates of every sentence of the batch, in its order; scored as detokenised text."""
        decode = self.tokenizers.target.decode
        found = []
        for drawn, reference in zip(self._drawn(network, batch), reference_tokens(batch), strict=True):
            rewards = self.reward([decode(one.tokens) for one in drawn], decode(reference))
            found.append([Candidate(pieces(one), reward) for one, reward in zip(drawn, rewards, strict=True)])
        return found

    @torch.no_grad()
    def _drawn(self, network: Network, batch: Batch) -> list[list[Hypothesis]]:
        reduced = is_reduced(self.precision, batch.source_BS.device)
        form = InferencePrecision.bfloat16 if reduced else InferencePrecision.float32
        with evaluating(network):
            decoder = PreparedDecoder(network, form, torch.bfloat16 if reduced else torch.float32)
            stepper: Stepper[Any] = NetworkStepper(network, decoder, batch.source_BS, batch.source_lengths_B, BOS, EOS)
            if self.risk.kind is RiskKind.minimum_risk:
                stepper = CharacterStepper(stepper, self.single_bytes, self.no_text)
            return sample(stepper, self.search, self.risk.samples, self.risk.temperature)


def pieces(hypothesis: Hypothesis) -> tuple[int, ...]:
    """Ids of a sample, the end mark included where it was reached."""
    return (*hypothesis.tokens, EOS) if hypothesis.finished else tuple(hypothesis.tokens)
