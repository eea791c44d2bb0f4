"""A trained language model: probabilities of text, perplexity and next words."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from seq2seq.analysis.config import ALTERNATIVES
from seq2seq.analysis.trace import Trace
from seq2seq.analysis.tracing import trace_text
from seq2seq.errors import ConfigError, DataError, RunError, program
from seq2seq.inference.member import Member
from seq2seq.run.folder import load_run
from seq2seq.search import NextWord, next_words
from seq2seq.system.device import choose_device
from seq2seq.tokenizer.token_bytes import split_prefix, token_bytes
from seq2seq.translation.batching import chunked
from seq2seq.translation.scoring import score_sentences


class Perplexity(NamedTuple):
    """The exponential of the mean cross entropy of a text (Jelinek et al. 1977).

    Perplexity per token compares models of one vocabulary. Perplexity per word (between spaces) compares any models
    on the same text. Both count one EOS per sentence.
    """

    log_probability: float
    """Sum over all sentences, EOS included, in nats."""
    tokens: int
    words: int
    sentences: int

    @property
    def per_token(self) -> float:
        """Perplexity per token: from 1 for certainty to about the vocabulary size for uniform guesses."""
        return self._mean(self.tokens)

    @property
    def per_word(self) -> float:
        """Perplexity per word: higher than per token if tokens are parts of words."""
        return self._mean(self.words)

    def as_dict(self) -> dict[str, float]:
        """Return all numbers by name, under the names that scores.json has had from the start."""
        return {
            "per_piece": self.per_token,
            "per_word": self.per_word,
            "log_probability": self.log_probability,
            "pieces": self.tokens,
            "words": self.words,
            "sentences": self.sentences,
        }

    def table(self) -> str:
        """Return two lines of text."""
        return (
            f"perplexity per token  {self.per_token:,.2f}  ({self.tokens:,} tokens, EOS included)\n"
            f"perplexity per word   {self.per_word:,.2f}  ({self.words:,} words, EOS included)"
        )

    def _mean(self, count: int) -> float:
        """Return the exponential of the mean; infinity if it overflows."""
        return float(torch.tensor(-self.log_probability / count, dtype=torch.float64).exp())


class LanguageModel:
    """A network without encoder. Threads may share it: it does not change after loading."""

    def __init__(self, member: Member) -> None:
        """Wrap a network that is prepared for search.

        Raises:
            RunError: the network has an encoder.
        """
        if not member.is_language_model:
            raise RunError(
                f"{member.name} is a translator, not a language model: use {program('translate')}, or train a language "
                f"model with {program('train')} model=language_model"
            )
        self.member = member
        self.tokenizer = member.tokenizers.target
        self.spelling = token_bytes(self.tokenizer)
        self.placeholders = member.placeholders

    @classmethod
    def load(cls, run: str | Path, device: str = "auto") -> "LanguageModel":
        """Load the best model of a run folder, or of ``hf://USER/NAME``, that was trained without an encoder.

        Raises:
            RunError: a file is missing, damaged or of another kind, or the run is a translator.
            ConfigError: an unknown device.
        """
        return cls(load_run(run).member(choose_device(device), "auto"))

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickling and copying."""
        return LanguageModel, (self.member,)

    def log_probability(self, text: str) -> float:
        """Return the log-probability of a sentence in nats, EOS included."""
        return self.log_probabilities([text])[0]

    def log_probabilities(self, texts: Sequence[str]) -> list[float]:
        """Return the `log_probability` of every sentence; it does not depend on the other sentences.

        Raises:
            ConfigError: ``texts`` is one string.
        """
        _require_several(texts)
        return score_sentences(self.member, self.tokenizer.encode_all(self._protected(texts))) if texts else []

    def perplexity(self, texts: Iterable[str]) -> Perplexity:
        """Return the perplexity of sentences; reads some thousand at a time and ignores blank ones.

        Raises:
            ConfigError: ``texts`` is one string.
            DataError: every sentence is blank.
        """
        _require_several(texts)
        log_probability, tokens, words, sentences = 0.0, 0, 0, 0
        for chunk in chunked(text for text in map(self.tokenizer.normalize, texts) if text):
            targets = self.tokenizer.encode_all(self._protected(chunk))
            log_probability += sum(score_sentences(self.member, targets))
            tokens += sum(len(target) + 1 for target in targets)
            words += sum(len(text.split()) + 1 for text in chunk)
            sentences += len(chunk)
        if sentences == 0:
            raise DataError("there is no text to score, every line is blank; check that this is the right file")
        return Perplexity(log_probability, tokens, words, sentences)

    def _protected(self, texts: Sequence[str]) -> list[str]:
        """The texts with symbols for their placeholders, as in training."""
        found = self.placeholders
        return [text if found is None else found.replace(text, found.symbols(text)) for text in texts]

    def suggest(self, prefix: str, count: int = 5) -> list[NextWord]:
        """Return the most probable next words, best first, each with its probability given the prefix.

        If the prefix is blank or ends in white space, the words are new ones; an empty word is the end of the
        sentence. Otherwise they complete its last word: ``Ein Ma`` gives ``Mann``.

        Raises:
            ConfigError: ``count`` is below 1.
        """
        if count < 1:
            raise ConfigError(f"count must be at least 1, got {count}")
        found = self.placeholders
        context, partial_word = split_prefix(self._protected([prefix])[0], self.tokenizer.normalization)
        stepper = self.member.stepper(self.member.sources([[]]))
        words = next_words(stepper, self.tokenizer.encode(context), partial_word, self.spelling, count)
        if found is None:
            return words
        restored = [word._replace(word=found.restore(word.word, found.symbols(prefix))) for word in words]
        return [own for own, word in zip(restored, words, strict=True) if own.word or not word.word]

    def trace(self, text: str, *, alternatives: int = ALTERNATIVES) -> Trace:
        """Return everything that the network computes for a sentence: gates, states and probabilities.

        Raises:
            ConfigError: ``alternatives`` is below 0.
            DataError: the sentence is blank.
        """
        return trace_text(self.member, text, alternatives)


def _require_several(texts: Iterable[str]) -> None:
    """Refuse one string, whose characters would be taken for sentences."""
    if isinstance(texts, str):
        raise ConfigError("texts is one text, and several are expected: pass a list")
