"""What travels through the text room."""

from typing import NamedTuple


class Pair(NamedTuple):
    """One sentence and its translation."""

    source: str
    target: str
