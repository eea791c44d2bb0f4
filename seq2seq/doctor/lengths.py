"""Sentences that are missing, too long, or far longer than the other side's."""

import math

import numpy as np

from seq2seq.doctor.chunk import Chunk, Measures
from seq2seq.doctor.types import Found, Reason

SLACK = 10  # characters added to both sides before the ratio is taken, so that short sentences may differ freely


class Unreadable:
    """Rows that the reader could make nothing of."""

    def find(self, seen: Chunk) -> list[Found]:
        """One finding, with the reader's own words on the first row."""
        rows = np.array(sorted(seen.broken), np.int64)
        return [Found(Reason.unreadable, rows, note=seen.broken[int(rows[0])])] if len(rows) else []


class Blank:
    """White space, or nothing, on one side or both."""

    def find(self, seen: Chunk) -> list[Found]:
        """A finding for either side alone, and one for both."""
        source, target = seen.source.blank.copy(), seen.target.blank.copy()
        source[list(seen.broken)] = target[list(seen.broken)] = False
        sides = {"source": source & ~target, "target": target & ~source, "": source & target}
        return [Found(Reason.blank, np.flatnonzero(mask), side) for side, mask in sides.items() if mask.any()]


class TooLong:
    """Sentences of more characters than a limit.

    Args:
        most: the limit.
    """

    def __init__(self, most: int) -> None:
        self._most = most

    def find(self, seen: Measures) -> list[Found]:
        """A finding a side."""
        sides = {"source": seen.source_lengths, "target": seen.target_lengths}
        found = (Found(Reason.too_long, np.flatnonzero(side > self._most), name) for name, side in sides.items())
        return [one for one in found if len(one.rows)]


class Ratio:
    """Pairs whose lengths are out of proportion, for this corpus.

    The ratio is (target + 10) / (source + 10) characters, and the usual one is the corpus's median: Chinese has a
    third of the characters of its English translation, and that is no outlier.

    Args:
        most: how many times the usual ratio, or what part of it, a pair may have.
    """

    def __init__(self, most: float) -> None:
        self._most = most

    def find(self, seen: Measures) -> list[Found]:
        """One finding, which names the usual ratio."""
        rows = np.flatnonzero(seen.filled)
        if not len(rows):
            return []
        logs = np.log((seen.target_lengths[rows] + SLACK) / (seen.source_lengths[rows] + SLACK))
        usual = float(np.median(logs))
        far = rows[np.abs(logs - usual) > math.log(self._most)]
        note = f"usual here: {math.exp(usual):.2f} characters of the target for one of the source"
        return [Found(Reason.ratio, far, note=note)] if len(far) else []
