"""Hypotheses: what a search returns."""

from collections.abc import Hashable

from seq2seq.portable.hypothesis import NO_HYPOTHESIS, Hypothesis, Identity, length_normalized, make_hypothesis

__all__ = ["NO_HYPOTHESIS", "Hypothesis", "Identity", "by_tokens", "length_normalized", "make_hypothesis"]


def by_tokens(hypothesis: Hypothesis) -> Hashable:
    """Identify hypotheses by their tokens, even if different tokens spell the same text."""
    return tuple(hypothesis.tokens), hypothesis.finished
