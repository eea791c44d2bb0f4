"""Groups of whole numbers, such as 10–19: each begins where the one before it ends."""

from bisect import bisect_right
from collections.abc import Sequence


def place(starts: Sequence[int], value: int) -> int:
    """The number of the group that holds ``value``; ``starts`` rise and the first is 0."""
    return bisect_right(starts, value) - 1


def label(starts: Sequence[int], number: int) -> str:
    """A group in words: ``0``, ``1–9``, ``1,000 and more``."""
    first = starts[number]
    if number == len(starts) - 1:
        return f"{first:,} and more"
    last = starts[number + 1] - 1
    return f"{first:,}" if first == last else f"{first:,}–{last:,}"
