"""A language model behind a few methods: how likely a text is, how well one is predicted, which words come next.

P target pieces of a batch, V vocabulary.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from seq2seq.analysis.trace import Trace
from seq2seq.analysis.tracing import ALTERNATIVES, trace_text
from seq2seq.data.batch import make_batch
from seq2seq.data.batch_sampler import BatchConfig, Order
from seq2seq.errors import ConfigError, DataError, RunError
from seq2seq.inference.member import Member
from seq2seq.run.folder import load_run
from seq2seq.search import NextWord, next_words
from seq2seq.system.device import choose_device
from seq2seq.tokenizer.spelling import spelled, split_prefix
from seq2seq.tokenizer.tokenizer import normalize

CHUNK = 2048
"""Sentences of a stream that are sorted by length together."""


class Perplexity(NamedTuple):
    """How well text is predicted: the exponential of the mean cross entropy (Jelinek et al. 1977).

    The one per piece compares models with the same pieces. The one per word compares any that were scored on the same
    text: the same log-probability over the words between spaces. Both count an end mark for every sentence.
    """

    log_probability: float
    """Of all sentences, in nats, end marks included."""
    pieces: int
    words: int
    sentences: int

    @property
    def per_piece(self) -> float:
        """1 is certainty, the size of the vocabulary what blind guessing has."""
        return self._mean(self.pieces)

    @property
    def per_word(self) -> float:
        """Where pieces are parts of words, higher than the one per piece."""
        return self._mean(self.words)

    def as_dict(self) -> dict[str, float]:
        """All numbers by name."""
        return {"per_piece": self.per_piece, "per_word": self.per_word, **self._asdict()}

    def table(self) -> str:
        """Two lines to read."""
        return (
            f"perplexity per piece  {self.per_piece:,.2f}  ({self.pieces:,} pieces, end marks counted)\n"
            f"perplexity per word   {self.per_word:,.2f}  ({self.words:,} words, end marks counted)"
        )

    def _mean(self, count: int) -> float:
        """Infinity where the exponential overflows."""
        return float(torch.tensor(-self.log_probability / count, dtype=torch.float64).exp())


class LanguageModel:
    """A network without encoder. Threads may share one: nothing in it changes after loading."""

    def __init__(self, member: Member) -> None:
        """Take a network that is ready to search.

        Raises:
            RunError: it has an encoder.
        """
        if not member.is_language_model:
            raise RunError(
                f"{member.name} is a translator, no language model: use recipes/translate.py, or train a language "
                f"model with recipes/train.py model=language_model"
            )
        self.member = member
        self.tokenizer = member.tokenizers.target
        self.spelled = spelled(self.tokenizer)

    @classmethod
    def load(cls, run: str | Path, device: str = "auto") -> "LanguageModel":
        """The best model of a run folder that was trained without an encoder.

        Raises:
            RunError: a file is missing, damaged or foreign, or the run is a translator.
            ConfigError: an unknown device.
        """
        folder = Path(run).expanduser()
        return cls(Member.of_run(folder, load_run(folder), choose_device(device), "auto"))

    def log_probability(self, text: str) -> float:
        """Of a sentence as the tokenizer cuts it, in nats, its end included."""
        return self.log_probabilities([text])[0]

    def log_probabilities(self, texts: Sequence[str]) -> list[float]:
        """`log_probability` of many; what a sentence gets does not depend on the others."""
        return self._scores(self.tokenizer.encode_all(texts)) if texts else []

    def perplexity(self, texts: Iterable[str]) -> Perplexity:
        """Of text, a sentence each; read some thousand at a time, blank ones left out.

        Raises:
            DataError: every sentence is blank.
        """
        log_probability, pieces, words, sentences = 0.0, 0, 0, 0
        filled = (text for text in map(normalize, texts) if text)
        while chunk := list(islice(filled, CHUNK)):
            targets = self.tokenizer.encode_all(chunk)
            log_probability += sum(self._scores(targets))
            pieces += sum(len(target) + 1 for target in targets)
            words += sum(len(text.split()) + 1 for text in chunk)
            sentences += len(chunk)
        if sentences == 0:
            raise DataError("there is no text to score, every line is blank; check that this is the right file")
        return Perplexity(log_probability, pieces, words, sentences)

    def suggest(self, prefix: str, count: int = 5) -> list[NextWord]:
        """The likeliest next words, likeliest first, each with its probability given the prefix.

        A prefix that ends in white space, or is blank, asks for a new word; an empty one among the answers is the end
        of the sentence. Otherwise its last word is one that was begun, and the answers are whole words that begin so:
        ``Ein Ma`` finds ``Mann``.

        Raises:
            ConfigError: ``count`` below 1.
        """
        if count < 1:
            raise ConfigError(f"count must be at least 1, got {count}")
        given, begun = split_prefix(prefix)
        stepper = self.member.stepper(self.member.sources([[]]))
        return next_words(stepper, self.tokenizer.encode(given), begun, self.spelled, count)

    def trace(self, text: str, *, alternatives: int = ALTERNATIVES) -> Trace:
        """All that the network computes while it reads a sentence: gates, states and probabilities.

        Raises:
            ConfigError: ``alternatives`` is negative.
            DataError: the sentence is blank.
        """
        return trace_text(self.member, text, alternatives)

    @torch.inference_mode()
    def _scores(self, targets: Sequence[Sequence[int]]) -> list[float]:
        """Log-probability of every sentence of pieces, end mark included."""
        network, found = self.member.network, [0.0] * len(targets)
        for rows in _batches(targets):
            batch = make_batch([[]] * len(rows), [targets[row] for row in rows]).to(self.member.device)
            logits_PV = network(batch.source_BS, batch.source_lengths_B, batch.target_BT, batch.positions_P)
            loss_P = torch.nn.functional.cross_entropy(logits_PV.float(), batch.labels_P, reduction="none")
            sentence_P = batch.positions_P.div(batch.target_BT.size(1), rounding_mode="floor")
            sums_B = torch.zeros(len(rows), dtype=torch.float64, device=loss_P.device)
            sums_B.index_add_(0, sentence_P, loss_P.double())
            for row, loss in zip(rows, sums_B.tolist(), strict=True):
                found[row] = -loss
        return found


def _batches(targets: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Row numbers, sentences of similar length together."""
    lengths = np.array([len(target) for target in targets], dtype=np.int32)
    for rows in Order(np.zeros_like(lengths), lengths, BatchConfig(), seed=0).epoch(0):
        yield rows.tolist()
