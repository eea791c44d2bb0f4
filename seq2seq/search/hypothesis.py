"""Hypotheses: what a search returns."""

from collections.abc import Callable, Hashable, Iterable

from seq2seq.portable.hypothesis import NO_HYPOTHESIS, Hypothesis, length_normalized, make_hypothesis

__all__ = ["NO_HYPOTHESIS", "Hypothesis", "Identity", "by_tokens", "length_normalized", "make_hypothesis", "unique"]

Identity = Callable[[Hypothesis], Hashable]
"""A key function: hypotheses with equal keys count as the same translation."""


def by_tokens(hypothesis: Hypothesis) -> Hashable:
    """Identify hypotheses by their tokens, even if different tokens spell the same text."""
    return tuple(hypothesis.tokens), hypothesis.finished


def unique(hypotheses: Iterable[Hypothesis], identity: Identity) -> list[Hypothesis]:
    """Return the first hypothesis of each identity, in order."""
    first: dict[Hashable, Hypothesis] = {}
    for hypothesis in hypotheses:
        first.setdefault(identity(hypothesis), hypothesis)
    return list(first.values())
