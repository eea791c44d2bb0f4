"""One translation as token ids, and its score."""

import math
from collections.abc import Callable, Hashable, Iterable
from typing import NamedTuple


class Hypothesis(NamedTuple):
    """One translation as token ids.

    Attributes:
        tokens: token ids without BOS and EOS.
        log_probability: sum over the tokens, in nats, EOS included if the hypothesis is finished.
        score: the log-probability normalized by length; higher is better.
        finished: False if the search reached the maximum length before EOS.
    """

    tokens: list[int]
    log_probability: float
    score: float
    finished: bool


NO_HYPOTHESIS = Hypothesis(tokens=[], log_probability=-math.inf, score=-math.inf, finished=False)
"""The result for a sentence whose stepper excludes every token."""


def make_hypothesis(tokens: list[int], log_probability: float, alpha: float, *, finished: bool) -> Hypothesis:
    """Build a hypothesis from the tokens after BOS; if ``finished``, the last of them is EOS."""
    score = length_normalized(log_probability, len(tokens), alpha)
    return Hypothesis(tokens[:-1] if finished else tokens, log_probability, score, finished)


def ranked(hypotheses: Iterable[Hypothesis]) -> list[Hypothesis]:
    """The hypotheses, best first: finished before unfinished, then by score; at least `NO_HYPOTHESIS`."""
    return sorted(hypotheses, key=lambda each: (each.finished, each.score), reverse=True) or [NO_HYPOTHESIS]


Identity = Callable[[Hypothesis], Hashable]
"""A key function: hypotheses with equal keys count as the same translation."""


def unique(hypotheses: Iterable[Hypothesis], identity: Identity) -> list[Hypothesis]:
    """The first hypothesis of each identity, in order."""
    first: dict[Hashable, Hypothesis] = {}
    for hypothesis in hypotheses:
        first.setdefault(identity(hypothesis), hypothesis)
    return list(first.values())


def length_normalized(log_probability: float, length: int, alpha: float) -> float:
    """Return ``log_probability / length ** alpha``: the sum at alpha 0, the mean per token at alpha 1.

    A sum of log-probabilities falls with every token and so favors short hypotheses; alpha above 0 compensates.
    Wu et al. (2016), equation 14, divide by ``((5 + length) / 6) ** alpha`` instead. The plain power has one constant
    less, is a mean at alpha 1, and is what most toolkits report.

    Args:
        log_probability: sum over all tokens, in nats.
        length: number of predicted tokens, EOS included; at least 1.
        alpha: the length penalty.
    """
    return log_probability / math.pow(length, alpha)
