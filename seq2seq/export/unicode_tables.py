"""Tables of this Python's version of Unicode, for the page of an exported model.

Browsers have other versions of Unicode, and other definitions of white space, letters and digits. With these tables
the page splits and normalizes text as Python does.
"""

import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from seq2seq.portable.normalization import is_blank

CODES = (range(0xD800), range(0xE000, 0x40000), range(0xE0000, 0xE1000))
"""Code points that may be assigned; not surrogates and private use beyond the first plane."""

CLASSES: dict[str, Callable[[str], bool]] = {
    "space": str.isspace,
    "invisible": is_blank,
    "word": lambda character: character.isalnum() or character == "_",
    "decimal": str.isdecimal,
    "digit": str.isdigit,
    "letter": str.isalpha,
    "lower": str.islower,
}
"""Sets of characters, which the page needs for regular expressions (space, word, decimal) and sentences."""


@cache
def unicode_tables(normalization: str) -> dict[str, Any]:
    """The tables that text.js reads.

    Args:
        normalization: nfc, nfkc or none; only what this form needs is in the tables.

    Returns:
        ``classes``: for each set of characters the code points of its ranges, as distances: from the end of the range
        before to the first, from the first to the last. ``combining``: the same with the combining class third.
        ``canonical`` and ``compatibility``: characters, each followed by its decomposition. ``uncomposed``: characters
        that never result from composition.
    """
    tables: dict[str, Any] = {
        "version": unicodedata.unidata_version,
        "classes": {name: _ranges_of_class(name) for name in CLASSES},
    }
    if normalization != "none":
        kinds = ("canonical", "compatibility") if normalization == "nfkc" else ("canonical",)
        tables |= {kind: [] for kind in kinds}
        for character in _characters():
            tag, *codes = unicodedata.decomposition(character).split() or [""]
            kind = "compatibility" if tag.startswith("<") else "canonical"
            if tag and kind in kinds:
                codes = codes if tag.startswith("<") else [tag, *codes]
                tables[kind].append(character + "".join(chr(int(code, 16)) for code in codes))
        tables["combining"] = _ranges(unicodedata.combining)
        pairs = (entry[0] for entry in tables["canonical"] if len(entry) == 3)
        tables["uncomposed"] = "".join(each for each in pairs if unicodedata.normalize("NFC", each) != each)
    return tables


@cache
def _ranges_of_class(name: str) -> list[int]:
    return _ranges(CLASSES[name])


def _characters() -> Iterator[str]:
    return (chr(code) for codes in CODES for code in codes)


def _ranges(value: Callable[[str], int]) -> list[int]:
    """The ranges of characters with the same value other than 0; the value is given unless it is True."""
    ranges: list[tuple[int, int, int]] = []
    for character in _characters():
        code, own = ord(character), value(character)
        if own and ranges and ranges[-1][1:] == (code - 1, own):
            ranges[-1] = (ranges[-1][0], code, own)
        elif own:
            ranges.append((code, code, own))
    numbers, end = list[int](), 0
    for first, last, own in ranges:
        numbers += [first - end, last - first, *([] if own is True else [own])]
        end = last
    return numbers
