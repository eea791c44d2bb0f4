"""Sample translations that training reports at each validation."""

import shutil
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from seq2seq.corpora.corpus import Pair
from seq2seq.errors import escaped
from seq2seq.portable.normalization import is_blank

WIDTH = 120
"""Columns of a line where the output is not a terminal."""


class Sample(NamedTuple):
    """One sentence of the validation set and its translation."""

    source: str
    reference: str
    hypothesis: str
    picture: Callable[[], bytes | None] | None = None
    """Draws its attention weights, as a PNG file; None if the model has no attention."""

    def rows(self) -> Iterator[str]:
        """Three lines, each with its name; control characters are escaped."""
        for name, text in (("source", self.source), ("reference", self.reference), ("model", self.hypothesis)):
            yield f"{name:<11}{escaped(text)}".rstrip()

    def lines(self) -> list[str]:
        """The same lines indented and cut to the width of the terminal."""
        width = shutil.get_terminal_size((WIDTH, 0)).columns
        return [cut(f"    {row}", width) for row in self.rows()]


def choose(pairs: Sequence[Pair], count: int) -> list[int]:
    """Choose different sentences that stand for a set: with three, a short one, one of medium length and a long one.

    Args:
        pairs: the set.
        count: how many; fewer if the set has fewer different sources that are not blank.

    Returns:
        Their indices, by length: those in the middle of ``count`` equal parts of the sources ordered by length.
    """
    first = {pair.source: number for number, pair in reversed(list(enumerate(pairs))) if not is_blank(pair.source)}
    ordered = sorted(first.values(), key=lambda number: (len(pairs[number].source), number))
    count = min(count, len(ordered))
    return [ordered[(2 * part + 1) * len(ordered) // (2 * count)] for part in range(count)]


def cut(text: str, width: int) -> str:
    """Cut a text to a number of columns of a terminal; ``…`` marks the end of a cut text."""
    if sum(map(_columns, text)) <= width:
        return text
    kept, used = [], 1
    for character in text:
        used += _columns(character)
        if used > width:
            break
        kept.append(character)
    return "".join(kept).rstrip() + "…"


def _columns(character: str) -> int:
    """Columns of a character: two for Chinese, Japanese and Korean, none for marks that combine with the one before."""
    return 0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
