"""What a search returns."""

import math
from collections.abc import Callable, Hashable, Iterable
from typing import NamedTuple

from seq2seq.search.penalties import length_normalised


class Hypothesis(NamedTuple):
    """One translation as the search sees it.

    Attributes:
        tokens: piece ids without beginning and end of sentence.
        log_probability: sum over the pieces, in nats, end of sentence included where there is one.
        score: the same, normalised by length; higher is better.
        finished: False where the search was cut at the maximum length, before the end of sentence.
    """

    tokens: list[int]
    log_probability: float
    score: float
    finished: bool


# The answer for a sentence whose stepper rules out every piece.
NOTHING = Hypothesis(tokens=[], log_probability=-math.inf, score=-math.inf, finished=False)


Identity = Callable[[Hypothesis], Hashable]
"""Hypotheses for which it is the same are one and the same translation."""


def by_tokens(one: Hypothesis) -> Hashable:
    """By this, hypotheses differ whose pieces do, even if these spell the same text."""
    return tuple(one.tokens), one.finished


def distinct(hypotheses: Iterable[Hypothesis], identity: Identity) -> list[Hypothesis]:
    """The first of all that are one and the same, in their order."""
    first: dict[Hashable, Hypothesis] = {}
    for one in hypotheses:
        first.setdefault(identity(one), one)
    return list(first.values())


def hypothesis(pieces: list[int], log_probability: float, alpha: float, *, finished: bool) -> Hypothesis:
    """A hypothesis from its pieces after the beginning of sentence, the last of them the end where ``finished``."""
    score = length_normalised(log_probability, len(pieces), alpha)
    return Hypothesis(pieces[:-1] if finished else pieces, log_probability, score, finished)
