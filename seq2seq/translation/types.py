"""Inputs and outputs of a translator: requests, glossaries and translations."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import regex
from torch import Tensor

from seq2seq.corpora import words
from seq2seq.corpora.lines import read_lines
from seq2seq.errors import DataError, require_text
from seq2seq.portable.normalization import is_blank
from seq2seq.tokenizer.normalization import Normalization, normalize


class Glossary:
    """Terms of the source language and their required translations.

    Terms are found in any Unicode form; their translations are encoded in the form of the model that writes them.

    Args:
        terms: pairs of a term and its translation.

    Raises:
        DataError: a term or a translation is blank, or a term has two translations; capitals do not count.
    """

    def __init__(self, terms: Iterable[tuple[str, str]]) -> None:
        self.translations: dict[str, str] = {}
        for term, target in terms:
            wanted, known = normalize(target, Normalization.none), normalize(term).lower()
            if is_blank(known) or is_blank(wanted):
                raise DataError(f"the glossary has a blank term or translation ({term!r}, {target!r}): leave it out")
            if self.translations.setdefault(known, wanted) != wanted:
                raise DataError(
                    f"the glossary translates {term!r} as {self.translations[known]!r} and as {wanted!r} (capitals do "
                    "not count): keep one"
                )
        longest_first = sorted(self.translations, key=lambda term: (-len(term), term))
        alternatives = "|".join(map(regex.escape, longest_first))
        self.pattern = regex.compile(f"{words.START}(?:{alternatives}){words.END}") if alternatives else None

    @classmethod
    def load(cls, path: Path) -> "Glossary":
        """Read a file with one term, a tab and its translation per line; blank lines are ignored.

        Raises:
            DataError: the file cannot be read, or a line has another format.
        """
        terms = []
        for number, line in enumerate(read_lines(path), 1):
            if is_blank(line):
                continue
            parts = [normalize(part, Normalization.none) for part in line.split("\t")]
            if len(parts) != 2 or not all(parts):
                raise DataError(f"{path}, line {number:,}: a term, a tab and its translation are needed, got {line!r}")
            terms.append((parts[0], parts[1]))
        return cls(terms)

    def phrases(self, source: str) -> tuple[str, ...]:
        """Return the required translations of the terms in ``source``, without duplicates.

        Terms match whole words in any case, and anywhere in scripts without spaces between words (`words`). If terms
        overlap, the first one counts, then the longest.
        """
        if self.pattern is None:
            return ()
        return tuple(dict.fromkeys(self.translations[term] for term in self.pattern.findall(normalize(source).lower())))


@dataclass(frozen=True)
class Request:
    """A sentence with constraints on its translation."""

    text: str
    prefix: str = ""
    """How the translation begins. It may end within a word; white space at its end starts a new word."""
    phrases: tuple[str, ...] = ()
    """Words or phrases that the translation contains, as whole words; beside any letters in scripts without spaces."""
    glossary: Glossary | None = None
    """Its terms become further phrases. A long text applies it to each of its segments."""

    def __post_init__(self) -> None:
        """Check that all parts are text.

        Raises:
            DataError: a part is not a string, or phrases are not a list of strings.
        """
        require_text(self.text, "text")
        require_text(self.prefix, "prefix")
        if isinstance(self.phrases, str) or not isinstance(self.phrases, Iterable):
            raise DataError(f"phrases must be a list of strings, got {self.phrases!r}: pass a list")
        object.__setattr__(self, "phrases", tuple(self.phrases))
        for phrase in self.phrases:
            require_text(phrase, "phrase")

    def with_terms(self) -> "Request":
        """Return the same request with the glossary's phrases and without the glossary."""
        if self.glossary is None:
            return self
        phrases = tuple(dict.fromkeys([*self.phrases, *self.glossary.phrases(self.text)]))
        return replace(self, phrases=phrases, glossary=None)


@dataclass(frozen=True)
class Translation:
    """One translation of one sentence."""

    source: str
    text: str
    score: float
    """Length-normalized log-probability; comparable among translations of one source."""
    log_probability: float
    """Sum over the tokens, EOS included, in nats; with the weighted language model, if there is one."""
    tokens: tuple[str, ...] = ()
    source_tokens: tuple[str, ...] = ()
    attention: Tensor | None = None
    """Weights (target tokens + 1, source tokens + 1), EOS last; None if not requested or without attention.

    For an ensemble, the mean over the members that attend and share the first member's source vocabulary."""
    n_best: tuple["Translation", ...] = ()
    """All translations, best first, this one included; empty unless ``n_best`` > 1."""
    utility: float | None = None
    """For minimum Bayes risk: the mean similarity to all samples, 0 to 1; of a long text, the mean of its segments'."""
    token_log_probabilities: tuple[float, ...] = ()
    """For scored pairs: the log-probability of every token in nats, EOS last."""
    finished: bool = True
    """False if the search reached the maximum length before EOS."""
    lost_placeholders: tuple[str, ...] = ()
    """Placeholders of the source that the text lacks, once for each missing occurrence (``tokenizer.placeholders``)."""
    added_placeholders: tuple[str, ...] = ()
    """Placeholders of the text that the source has less often."""

    def __str__(self) -> str:
        return self.text

    @property
    def pieces(self) -> tuple[str, ...]:
        """The former name of ``tokens``."""
        return self.tokens

    @property
    def source_pieces(self) -> tuple[str, ...]:
        """The former name of ``source_tokens``."""
        return self.source_tokens

    @property
    def piece_log_probabilities(self) -> tuple[float, ...]:
        """The former name of ``token_log_probabilities``."""
        return self.token_log_probabilities
