"""How far a hypothesis has come with a phrase that it must contain.

A phrase is met where its pieces stand in a row and the word they end with ends there: ``Mann`` is not met by
``Mannschaft``. What was begun and broken off is picked up at its longest beginning that still fits, as Knuth, Morris &
Pratt (1977) search text; phrases may overlap.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Phrase:
    """Pieces that must stand in a row.

    How far a hypothesis is: 0 … len(pieces) of them written, at the last of these waiting for the word to end, then
    len(pieces) + 1: met, for good.
    """

    pieces: tuple[int, ...]
    """At least one."""
    inner: Collection[int]
    """The pieces that go on in a word: directly behind the last piece they spoil the match."""
    borders: tuple[int, ...] = field(init=False)
    """For every number of pieces written, the next smaller one that its last pieces are as well."""

    def __post_init__(self) -> None:
        borders = [0, 0]
        for piece in self.pieces[1:]:
            shorter = borders[-1]
            while shorter and self.pieces[shorter] != piece:
                shorter = borders[shorter]
            borders.append(shorter + (self.pieces[shorter] == piece))
        object.__setattr__(self, "borders", tuple(borders))

    @property
    def met(self) -> int:
        """How far a hypothesis is that contains the phrase."""
        return len(self.pieces) + 1

    def after(self, written: int, piece: int) -> int:
        """How far a hypothesis is after one more piece."""
        if written == self.met or (written == len(self.pieces) and piece not in self.inner):
            return self.met
        if written == len(self.pieces):
            written = self.borders[written]
        while written and self.pieces[written] != piece:
            written = self.borders[written]
        return written + (self.pieces[written] == piece)


def progress(phrases: Sequence[Phrase], written: Sequence[int]) -> int:
    """How far a hypothesis is in all phrases: the number of its bank.

    Phrases that are met count for good. Of those begun the longest counts alone, since what takes it on may break the
    others off. So there is always a next piece after which a hypothesis is farther, until all phrases are met.
    """
    begun = met = 0
    for phrase, far in zip(phrases, written, strict=True):
        if far == phrase.met:
            met += far
        else:
            begun = max(begun, far)
    return met + begun


def all_met(phrases: Sequence[Phrase], written: Sequence[int], *, at_end: bool) -> bool:
    """Whether a hypothesis contains all phrases; ``at_end``: nothing follows it that could go on with a word."""
    return all(far >= len(phrase.pieces) + (not at_end) for phrase, far in zip(phrases, written, strict=True))
