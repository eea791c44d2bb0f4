"""Writing systems: letters where they do not belong. Which scripts a side uses is learnt from the corpus."""

import sys
import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt

from seq2seq.doctor.chunk import Chunk, Side
from seq2seq.doctor.types import Found, Reason

ALPHABETS = ("LATIN", "GREEK", "CYRILLIC", "ARMENIAN")
"""Those whose letters look alike: no word mixes them."""
SCRIPTS = (
    *ALPHABETS,
    *("ARABIC", "BENGALI", "CJK", "DEVANAGARI", "ETHIOPIC", "GEORGIAN", "GUJARATI", "GURMUKHI", "HANGUL", "HEBREW"),
    *("KANNADA", "KHMER", "LAO", "MALAYALAM", "MONGOLIAN", "MYANMAR", "ORIYA", "SINHALA", "SYRIAC", "TAMIL", "TELUGU"),
    *("THAANA", "THAI", "TIBETAN"),
)
TOGETHER = {"HIRAGANA": "CJK", "KATAKANA": "CJK", "BOPOMOFO": "CJK"}

HARDLY = 0.01
"""The share of a side's letters below which a script does not belong to it."""


@cache
def table() -> npt.NDArray[np.uint8]:
    """The script of every code point: 0 for what is no letter of any, else 1 + its place in `SCRIPTS`, [0x110000]."""
    numbers = {name: number for number, name in enumerate(SCRIPTS, 1)}
    numbers |= {name: numbers[home] for name, home in TOGETHER.items()}
    scripts = np.zeros(sys.maxunicode + 1, np.uint8)
    for code in range(0x30000):  # letters live in the first three planes, nearly all
        char = chr(code)
        if char.isalpha():
            scripts[code] = numbers.get(unicodedata.name(char, "").split(" ")[0], 0)
    return scripts


class UsualScripts:
    """Which scripts each side uses.

    Args:
        counts: letters of each script (place 0: no letter), for each side, [1 + scripts].
    """

    def __init__(self, counts: dict[str, npt.NDArray[np.int64]]) -> None:
        self._strange = {}
        for name, letters in counts.items():
            strange = letters < HARDLY * max(1, letters[1:].sum())
            strange[0] = False
            self._strange[name] = strange

    def strange(self, name: str, scripts: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
        """Which of the scripts found on a side it hardly uses."""
        return np.asarray(self._strange[name][scripts])


def count_letters(side: Side) -> npt.NDArray[np.int64]:
    """Letters of each script, [1 + scripts]."""
    return np.bincount(table()[side.codes], minlength=len(SCRIPTS) + 1)


class Scripts:
    """Lines written mostly in a script that their side hardly uses, and lines where scripts mix.

    Args:
        usual: what was learnt of the corpus.
    """

    def __init__(self, usual: UsualScripts) -> None:
        self._usual = usual

    def find(self, seen: Chunk) -> list[Found]:
        """Two findings a side."""
        return [found for name, side in seen.sides.items() for found in self._side(name, side) if len(found.rows)]

    def _side(self, name: str, side: Side) -> list[Found]:
        scripts = table()[side.codes]
        places = np.flatnonzero(self._usual.strange(name, scripts))
        # Two letters of different alphabets side by side.
        alphabet = np.where(scripts <= len(ALPHABETS), scripts, 0)
        edges = (alphabet[:-1] != alphabet[1:]) & (alphabet[:-1] > 0) & (alphabet[1:] > 0)
        mixed = side.rows_at(np.flatnonzero(edges))
        if not len(places):
            return [Found(Reason.mixed_scripts, mixed, name)]
        rows = side.rows_at(places)
        strange = np.bincount(np.searchsorted(side.starts, places, "right") - 1, minlength=len(side.lines))
        foreign = 2 * strange > side.sums(scripts > 0)
        mixed = np.union1d(mixed, rows)
        return [
            Found(Reason.other_script, np.flatnonzero(foreign), name),
            Found(Reason.mixed_scripts, mixed[~foreign[mixed]], name),
        ]
