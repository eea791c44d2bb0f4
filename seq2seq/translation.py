"""What translating gives back."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from torch import Tensor

from seq2seq.search import length_normalised


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
    )
