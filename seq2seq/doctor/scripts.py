"""Writing systems: letters of a script that is rare on their side, and words that mix alphabets.

The usual scripts of each side are counted in the corpus itself.
"""

from functools import cache

import numpy as np
import numpy.typing as npt
import regex

from seq2seq.doctor.arrays import PairArrays, SentenceArray
from seq2seq.doctor.findings import Finding
from seq2seq.doctor.reasons import Reason

ALPHABETS = ("Latin", "Greek", "Cyrillic", "Armenian")
"""Scripts with letters that look alike. No word mixes them."""
CJK = ("Han", "Hiragana", "Katakana", "Bopomofo")
"""Scripts that are written together. They count as one."""
OTHERS = (
    *("Arabic", "Bengali", "Devanagari", "Ethiopic", "Georgian", "Gujarati", "Gurmukhi", "Hangul", "Hebrew"),
    *("Kannada", "Khmer", "Lao", "Malayalam", "Mongolian", "Myanmar", "Oriya", "Sinhala", "Syriac", "Tamil"),
    *("Telugu", "Thaana", "Thai", "Tibetan"),
    *("Adlam", "Balinese", "Bamum", "Batak", "Buginese", "Canadian_Aboriginal", "Chakma", "Cham", "Cherokee"),
    *("Coptic", "Hanifi_Rohingya", "Javanese", "Kayah_Li", "Lepcha", "Limbu", "Lisu", "Mandaic", "Meetei_Mayek"),
    *("Miao", "Mro", "New_Tai_Lue", "Newa", "Nko", "Nyiakeng_Puachue_Hmong", "Ol_Chiki", "Osage", "Pahawh_Hmong"),
    *("Saurashtra", "Sora_Sompeng", "Sundanese", "Syloti_Nagri", "Tai_Le", "Tai_Tham", "Tai_Viet", "Tifinagh"),
    *("Vai", "Wancho", "Warang_Citi", "Yi"),
)
"""The scripts in use today (Unicode Standard Annex 31, tables 5 and 7), and some that are used in church or school."""
SCRIPTS = (*((name,) for name in ALPHABETS), CJK, *((name,) for name in OTHERS))

RARE = 0.01
"""A script with a smaller share of the letters of a side is rare there."""


@cache
def script_table() -> npt.NDArray[np.uint8]:
    """Return for every code point 1 + the index of its script in `SCRIPTS`, [0x110000]; 0: not a letter of any."""
    scripts = np.zeros(0x110000, np.uint8)
    characters = "".join(map(chr, range(0x30000)))  # nearly all letters are in the first three planes
    for number, names in enumerate(SCRIPTS, 1):
        members = "".join(rf"\p{{Script={name}}}" for name in names)
        for letters in regex.finditer(rf"[\p{{Letter}}&&[{members}]]+", characters, regex.V1):
            scripts[letters.start() : letters.end()] = number
    return scripts


def count_scripts(sentences: SentenceArray) -> npt.NDArray[np.int64]:
    """Count the letters of each script, [1 + scripts]; index 0 counts everything else."""
    return np.bincount(script_table()[sentences.codes], minlength=len(SCRIPTS) + 1)


class RareScripts:
    """Finds sentences mostly in a script that is rare on their side, and sentences that mix scripts.

    Args:
        counts: letters of each script, from `count_scripts`, by side.
    """

    def __init__(self, counts: dict[str, npt.NDArray[np.int64]]) -> None:
        self._rare = {}
        for side, letters in counts.items():
            rare = letters < RARE * max(1, letters[1:].sum())
            rare[0] = False
            self._rare[side] = rare

    def find(self, data: PairArrays) -> list[Finding]:
        """Return at most two findings per side."""
        findings = [finding for side, sentences in data.sides.items() for finding in self._find(side, sentences)]
        return [finding for finding in findings if len(finding.rows)]

    def _find(self, side: str, sentences: SentenceArray) -> list[Finding]:
        scripts = script_table()[sentences.codes]
        alphabets = np.where(scripts <= len(ALPHABETS), scripts, 0)
        edges = (alphabets[:-1] != alphabets[1:]) & (alphabets[:-1] > 0) & (alphabets[1:] > 0)
        mixed = sentences.rows_at(np.flatnonzero(edges))
        rare = np.flatnonzero(self._rare[side][scripts])
        if not len(rare):
            return [Finding(Reason.mixed_scripts, mixed, side)]
        rare_letters = np.bincount(
            np.searchsorted(sentences.starts, rare, "right") - 1, minlength=len(sentences.sentences)
        )
        foreign = 2 * rare_letters > sentences.sums(scripts > 0)
        mixed = np.union1d(mixed, sentences.rows_at(rare))
        return [
            Finding(Reason.other_script, np.flatnonzero(foreign), side),
            Finding(Reason.mixed_scripts, mixed[~foreign[mixed]], side),
        ]
