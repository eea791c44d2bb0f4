"""How many batches the updates of a run take, in all processes together: a run that is resumed may change it."""

from collections.abc import Iterator
from typing import NamedTuple

MOST = 2**16
"""Batches that an update can take: in a damaged file a larger number would make a run compose epochs without end."""


class BatchCounts(NamedTuple):
    """The number of batches per update, and its changes."""

    changes: tuple[tuple[int, int], ...]
    """After each of these updates, in ascending order from 0 on, an update takes so many batches."""

    def check(self) -> None:
        """Check numbers that come from a file.

        Raises:
            ValueError: they are not integers, not in order, or too large.
        """
        if not all(type(number) is int for change in self.changes for number in change):
            raise ValueError("a number of batches is not an integer")
        starts = [start for start, _ in self.changes]
        if starts[:1] not in ([], [0]) or starts != sorted({*starts}):
            raise ValueError("the changes of the number of batches are not in order")
        if not all(1 <= count <= MOST for _, count in self.changes):
            raise ValueError("an update takes no batches, or too many")

    def taken(self, updates: int) -> int:
        """The batches that the first updates take."""
        return sum(max(0, min(end, updates) - start) * count for start, end, count in self._intervals(updates))

    def updates(self, batches: int) -> int:
        """The fewest updates that take at least these batches; the last one may take more."""
        for start, end, count in self._intervals(self.changes[-1][0] + batches):
            needed = start + -(-batches // count)
            if needed <= end:
                break
            batches -= (end - start) * count
        return needed

    def resumed(self, update: int, count: int) -> "BatchCounts":
        """The same up to an update, and this number of batches for each one after it."""
        kept = tuple(change for change in self.changes if change[0] < update) or ((0, count),)
        return BatchCounts(kept if kept[-1][1] == count else (*kept, (update, count)))

    def _intervals(self, updates: int) -> Iterator[tuple[int, int, int]]:
        """Start, end and batches per update of each interval; the last one ends with ``updates``."""
        ends = [*(start for start, _ in self.changes[1:]), updates]
        return ((start, end, count) for (start, count), end in zip(self.changes, ends, strict=True))
