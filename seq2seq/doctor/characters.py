"""Characters that no sentence needs, and text whose bytes were once read in the wrong encoding.

Every code point has one byte in a table: its kind of oddity in the low bits, and two bits by which mojibake is found.
A chunk is then looked up in one step, and only what is odd is looked at more closely.
"""

import re
from functools import cache

import numpy as np
import numpy.typing as npt

from seq2seq.doctor.chunk import Chunk, Side
from seq2seq.doctor.types import Found, Reason

SEPARATORS = "\n\x0b\x0c\r\x1c\x1d\x1e\x85\u2028\u2029"
INVISIBLE = (
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2061\u2062\u2063\u2064"
    "\u2066\u2067\u2068\u2069\u206a\u206b\u206c\u206d\u206e\u206f\ufeff\ufff9\ufffa\ufffb"
)
"""Without the joiners U+200C and U+200D, which several scripts need."""
CONTROL = "".join(chr(code) for code in (*range(32), *range(127, 160)) if chr(code) not in SEPARATORS + "\t")

KINDS = (
    Reason.invalid_utf8,
    Reason.lost_characters,
    Reason.separators,
    Reason.control,
    Reason.invisible,
    Reason.private_use,
)
ODD, LEAD, TRAIL = 0x07, 0x40, 0x80

# Bytes 0x80 to 0xBF as Windows-1252 shows them, or Latin-1 where that has nothing.
_TRAILS = "".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(0x80, 0xC0))
_TRAILS += "".join(map(chr, range(0x80, 0xA0)))
_SURE, _LIKELY = "ÂÃâï", "ÄÅÎÏÐÑ"
_T = f"[{re.escape(_TRAILS)}]"
MOJIBAKE = re.compile(
    rf"[ÂÃ]{_T}|â[€‚„†\x80\x82\x84\x86]{_T}|ï»¿|ï¿½"  # accented letters, punctuation, marks
    rf"|(?:[{_LIKELY}]{_T}){{2}}|[{_LIKELY}]{_T}(?=[a-z])"  # other letters; a lone pair such as Ä“ may be meant
)
"""What UTF-8 looks like that was read as one byte a character."""

_FOLD = {ord(char): " " for char in SEPARATORS} | {ord(char): None for char in CONTROL + INVISIBLE}


def fold(text: str) -> str:
    """The text with line separators as spaces, and without control and invisible characters."""
    return text.translate(_FOLD)


@cache
def table() -> npt.NDArray[np.uint8]:
    """The byte of every code point, [0x110000]."""
    kinds = np.zeros(0x110000, np.uint8)
    groups: dict[Reason, list[int] | slice] = {
        Reason.invalid_utf8: slice(0xD800, 0xE000),
        Reason.lost_characters: [0xFFFD],
        Reason.separators: [*map(ord, SEPARATORS)],
        Reason.control: [*map(ord, CONTROL)],
        Reason.invisible: [*map(ord, INVISIBLE)],
    }
    for reason, codes in groups.items():
        kinds[codes] = 1 + KINDS.index(reason)
    private = 1 + KINDS.index(Reason.private_use)
    kinds[0xE000:0xF900] = kinds[0xF0000:] = kinds[0xFDD0:0xFDF0] = private
    kinds[0xFFFE::0x10000] = kinds[0xFFFF::0x10000] = private  # and what Unicode calls no characters
    kinds[[*map(ord, _SURE + _LIKELY)]] |= LEAD
    kinds[[*map(ord, _TRAILS)]] |= TRAIL
    return kinds


class OddCharacters:
    """Characters of the kinds in `KINDS`, and mojibake."""

    def find(self, seen: Chunk) -> list[Found]:
        """A finding for each kind and side."""
        return [found for name, side in seen.sides.items() for found in _odd(name, side) if len(found.rows)]


def _odd(name: str, side: Side) -> list[Found]:
    kinds = table()[side.codes]
    places = np.flatnonzero(kinds & ODD)
    which = kinds[places] & ODD
    found = []
    if len(places):
        found = [Found(reason, side.rows_at(places[which == place]), name) for place, reason in enumerate(KINDS, 1)]
    pairs = side.rows_at(np.flatnonzero((kinds[:-1] << 1) & kinds[1:] & TRAIL))
    garbled = [row for row in pairs if MOJIBAKE.search(side.lines[row])]
    return [*found, Found(Reason.mojibake, np.array(garbled, np.int64), name)]
