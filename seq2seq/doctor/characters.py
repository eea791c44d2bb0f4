"""Characters that no sentence needs, and mojibake: UTF-8 bytes that were decoded in another encoding.

A table maps every code point to its kind of odd character, so that a block of text takes one lookup.
"""

from functools import cache

import numpy as np
import numpy.typing as npt
import regex
from ftfy import TextFixerConfig, fix_encoding

from seq2seq.corpora.languages import UNSEGMENTED
from seq2seq.doctor.arrays import PairArrays, SentenceArray
from seq2seq.doctor.findings import Finding
from seq2seq.doctor.reasons import Reason

SEPARATORS = "\n\x0b\x0c\r\x1c\x1d\x1e\x85\u2028\u2029"
INVISIBLE = (
    "\u00ad\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2061\u2062\u2063\u2064"
    "\u2066\u2067\u2068\u2069\u206a\u206b\u206c\u206d\u206e\u206f\ufff9\ufffa\ufffb"
)
"""Without U+200C, U+200D and the Mongolian vowel separator U+180E, which are part of the spelling of words."""
BYTE_ORDER_MARK = "\ufeff"
CONTROL = "".join(chr(code) for code in (*range(32), *range(127, 160)) if chr(code) not in SEPARATORS + "\t")

KINDS = (
    Reason.invalid_utf8,
    Reason.lost_characters,
    Reason.separators,
    Reason.control,
    Reason.byte_order_marks,
    Reason.invisible,
    Reason.private_use,
)

ZERO_WIDTH_SPACE = "\u200b"
WORD_SPACE = regex.compile(f"(?<={UNSEGMENTED.pattern}){ZERO_WIDTH_SPACE}(?={UNSEGMENTED.pattern})")
"""A zero-width space between letters of a script without spaces, as Khmer, Thai and Burmese text separates words."""

QUOTATION_MARKS = ("“„", "”"), ("„", "“"), ("«", "»"), ("»", "«"), ("‘‚", "’"), ("‚", "‘"), ("‹", "›")
"""Opening marks, and the one that closes them; in mojibake they are bytes of a letter."""

_NO_BYTE = r"(?<![\p{L}\p{N}\p{S}])"  # the first byte of a letter would be one of these before its second byte
_CLOSING = [
    rf"{mark}(?<={_NO_BYTE}[{opening}][^{opening}{mark}]*{_NO_BYTE}\p{{Lu}}+{mark})(?![\p{{L}}{mark}])"
    for opening, mark in QUOTATION_MARKS
]
CLOSING = regex.compile(f"({'|'.join(_CLOSING)})")
"""A quotation mark that closes an open one after a word in capitals, as in “IPORÃ”: with Ã, it looks like mojibake."""

_FOLD = {ord(char): " " for char in SEPARATORS} | {ord(char): None for char in CONTROL + BYTE_ORDER_MARK + INVISIBLE}
_FOLD_BUT_SPACES = {code: new for code, new in _FOLD.items() if chr(code) != ZERO_WIDTH_SPACE}
_INVISIBLE = regex.compile(f"[{INVISIBLE}]")
_MOJIBAKE_ONLY = TextFixerConfig(fix_c1_controls=False)


def fold(text: str) -> str:
    """Replace line separators by spaces, and remove control and invisible characters that separate no words."""
    if not separates_words(text):
        return text.translate(_FOLD)
    parts = WORD_SPACE.split(text.translate(_FOLD_BUT_SPACES))
    return ZERO_WIDTH_SPACE.join(part.replace(ZERO_WIDTH_SPACE, "") for part in parts)


def separates_words(text: str) -> bool:
    """Whether zero-width spaces separate the words of a text: there are as many as spaces."""
    return ZERO_WIDTH_SPACE in text and len(WORD_SPACE.findall(text)) >= max(1, text.count(" "))


def has_invisible(text: str) -> bool:
    """Whether a text has characters of `INVISIBLE` that separate no words."""
    return _INVISIBLE.search(WORD_SPACE.sub("", text) if separates_words(text) else text) is not None


def repair_mojibake(text: str) -> str:
    """Return the text as it was before UTF-8 was decoded in another encoding; the same text: it has no mojibake."""
    repaired = "".join(
        part if number % 2 else fix_encoding(part, _MOJIBAKE_ONLY) for number, part in enumerate(CLOSING.split(text))
    )
    # A text of equal length only had control characters replaced, which are a kind of their own.
    return repaired if len(repaired) < len(text) else text


@cache
def kind_table() -> npt.NDArray[np.uint8]:
    """Return for every code point 1 + the index of its kind in `KINDS`, [0x110000]; 0: an ordinary character."""
    kinds = np.zeros(0x110000, np.uint8)
    kinds[0xD800:0xE000] = 1 + KINDS.index(Reason.invalid_utf8)
    kinds[0xFFFD] = 1 + KINDS.index(Reason.lost_characters)
    for reason, characters in {
        Reason.separators: SEPARATORS,
        Reason.control: CONTROL,
        Reason.byte_order_marks: BYTE_ORDER_MARK,
        Reason.invisible: INVISIBLE,
    }.items():
        kinds[[*map(ord, characters)]] = 1 + KINDS.index(reason)
    private = 1 + KINDS.index(Reason.private_use)
    kinds[0xE000:0xF900] = kinds[0xF0000:] = kinds[0xFDD0:0xFDF0] = private
    kinds[0xFFFE::0x10000] = kinds[0xFFFF::0x10000] = private  # Unicode calls these noncharacters
    return kinds


class OddCharacters:
    """Finds characters of the kinds in `KINDS`, and mojibake."""

    def find(self, data: PairArrays) -> list[Finding]:
        """Return at most one finding per kind and side."""
        findings = [finding for side, sentences in data.sides.items() for finding in _find(side, sentences)]
        return [finding for finding in findings if len(finding.rows)]


def _find(side: str, sentences: SentenceArray) -> list[Finding]:
    kinds = kind_table()[sentences.codes]
    odd = np.flatnonzero(kinds)
    findings = [
        Finding(reason, sentences.rows_at(odd[kinds[odd] == kind]), side) for kind, reason in enumerate(KINDS, 1)
    ]
    findings = [_without_word_spaces(finding, sentences) for finding in findings]
    # A character that takes several bytes of UTF-8 becomes several characters, all of them above ASCII.
    above_ascii = sentences.codes > 127
    candidates = sentences.rows_at(np.flatnonzero(above_ascii[:-1] & above_ascii[1:])).tolist()
    mojibake = [row for row in candidates if repair_mojibake(text := sentences.sentences[row]) != text]
    return [*findings, Finding(Reason.mojibake, np.array(mojibake, np.int64), side)]


def _without_word_spaces(finding: Finding, sentences: SentenceArray) -> Finding:
    """The finding without sentences whose only invisible characters separate words."""
    if finding.reason is not Reason.invisible:
        return finding
    rows = [row for row in finding.rows.tolist() if has_invisible(sentences.sentences[row])]
    return finding._replace(rows=np.array(rows, np.int64))
