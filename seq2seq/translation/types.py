"""What is asked of a translator, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain

from torch import Tensor

from seq2seq.search import length_normalised
from seq2seq.translation.glossary import Glossary


class Copy(StrEnum):
    """What is taken from the source, going by attention, where a translation has nothing good to say."""

    none = "none"
    unknown = "unknown"
    """``<unk>`` becomes the source word attended most (Luong et al. 2015, "Addressing the rare word problem", §3)."""
    numbers = "numbers"
    """A number that the source does not have becomes the one attended most of those that are missing."""
    all = "all"


@dataclass(frozen=True)
class Request:
    """A sentence with what its translation must have."""

    text: str
    prefix: str = ""
    """How the translation begins; it may end within a word, and one that ends in white space asks for another word."""
    phrases: tuple[str, ...] = ()
    """Words or phrases that the translation contains, each as whole words."""
    glossary: Glossary | None = None
    """Whose terms, where the text has them, become further phrases; of a text in stretches, each stretch's own."""

    def with_terms(self) -> "Request":
        """The same request, its glossary looked up."""
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
    """Length-normalised log-probability: comparable among translations of one source."""
    log_probability: float
    """Sum over the pieces, in nats, end mark included; a language model's share with it."""
    pieces: tuple[str, ...] = ()
    source_pieces: tuple[str, ...] = ()
    attention: Tensor | None = None
    """Weights (target pieces + 1, source pieces + 1), the end marks last; None where not asked for or not there.

    Of an ensemble the mean over the members that attend and read the same source pieces as the first."""
    n_best: tuple["Translation", ...] = ()
    """All translations asked for, best first; the first is this one. Empty unless ``n_best`` > 1."""
    utility: float | None = None
    """Of minimum Bayes risk: the mean similarity, 0 to 1, to all that was drawn."""
    piece_log_probabilities: tuple[float, ...] = ()
    """Of a pair that was scored: that of every piece in nats, of the end mark last."""
    finished: bool = True
    """False where the search was cut at the maximum length, before the end of the sentence."""

    def __str__(self) -> str:
        return self.text


def joined(source: str, parts: Sequence[Translation], length_penalty: float) -> Translation:
    """The translation of a text whose stretches were translated one by one; of none, empty text.

    Log-probabilities add up, and the score is that of all pieces together. The n-th best is made of the n-th best of
    each stretch. There is no attention, which no stretch pays to another.
    """
    if not parts:
        return Translation(source, "", 0.0, 0.0)
    log_probability = sum(part.log_probability for part in parts)
    pieces = sum(len(part.pieces) + 1 for part in parts)
    best = (part.n_best for part in parts)
    return Translation(
        source=source,
        text=" ".join(part.text for part in parts if part.text),
        score=length_normalised(log_probability, pieces, length_penalty),
        log_probability=log_probability,
        pieces=tuple(chain.from_iterable(part.pieces for part in parts)),
        source_pieces=tuple(chain.from_iterable(part.source_pieces for part in parts)),
        n_best=tuple(joined(source, ranked, length_penalty) for ranked in zip(*best, strict=False)),
        finished=all(part.finished for part in parts),
    )
