"""Text that is not in NFC, and text for a font or code page from before Unicode.

Such fonts drew other letters at the code points of Latin-1, so their text is valid and looks wrong: VNI and TCVN3 for
Vietnamese, code pages of other alphabets, and Zawgyi for Burmese, at Unicode's own code points.
"""

import re
import unicodedata
import warnings
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec

import numpy as np

from seq2seq.doctor.arrays import PairArrays, SentenceArray
from seq2seq.doctor.characters import repair_mojibake
from seq2seq.doctor.findings import Finding
from seq2seq.doctor.reasons import Reason

VNI = re.compile("[aA][øùûõâáàåãäèúë]|[eE][âùøûõïáàåãä]|[oO][øõâåä]|[uU][ùøûõï]|[yY][ùøûõ]|[öÖôÔ][ùøûõï]")
"""A vowel and the mark above it. Pairs that French, Portuguese or Spanish write often are left out."""

VIETNAMESE = re.compile("[\u1ea0-\u1ef9]")
"""Letters that only Unicode text has."""

SYMBOL_IN_WORD = re.compile("(?<=[A-Za-zÀ-ÿ])[¡¢£¤¥¦§¨©ª¬®¯±²³µ¶¸¹º¼½¾¿](?=[A-Za-zÀ-ÿ])")
"""Symbols of Latin-1 between letters, as TCVN3 and fonts for other alphabets have them."""

HIGH_WORD = re.compile(r"\b[À-ÖØ-öø-ÿ]{4,}\b")
"""A word with no letter of the basic Latin alphabet: another alphabet's code page, read as Latin-1."""

ZAWGYI = 0.95
"""Probability above which a sentence is Zawgyi."""

ZAWGYI_SHARE = 0.05
"""Least share of such sentences in a block: a few short ones are false alarms."""

ZAWGYI_SAMPLE = 200
"""Sentences of a block that are checked for Zawgyi, which takes a millisecond each."""


def is_legacy(text: str) -> bool:
    """Whether a text looks like that of a Vietnamese font before Unicode, or like a code page read as Latin-1."""
    if repair_mojibake(text) != text:
        return False
    words = len(text.split())
    if len(HIGH_WORD.findall(text)) >= max(2, words // 4) or len(SYMBOL_IN_WORD.findall(text)) >= max(2, words // 8):
        return True
    pairs = VNI.findall(text)
    return len(pairs) >= max(3, words // 5) and len(set(pairs)) > 1 and not VIETNAMESE.search(text)


@cache
def zawgyi_detector() -> Callable[[str], float] | None:
    """The probability that a text is Zawgyi, from the package ``myanmartools``; None: it is not installed."""
    if find_spec("myanmartools") is None:
        return None
    from myanmartools import ZawgyiDetector

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it opens its model with importlib.resources.open_binary
        probability: Callable[[str], float] = ZawgyiDetector().get_zawgyi_probability
    return probability


class Encodings:
    """Finds sentences that are not in NFC, and text of legacy fonts and code pages."""

    def find(self, data: PairArrays) -> list[Finding]:
        """Return at most two findings per side."""
        findings = []
        for side, sentences in data.sides.items():
            texts = sentences.sentences
            other = [row for row, text in enumerate(texts) if not unicodedata.is_normalized("NFC", text)]
            high = sentences.rows_at(np.flatnonzero((sentences.codes >= 0xA1) & (sentences.codes <= 0xFF))).tolist()
            legacy = sorted({row for row in high if is_legacy(texts[row])} | set(_zawgyi(sentences)))
            for reason, rows in ((Reason.not_nfc, other), (Reason.legacy_encoding, legacy)):
                findings += [Finding(reason, np.array(rows, np.int64), side)] if rows else []
        return findings


def _zawgyi(sentences: SentenceArray) -> list[int]:
    rows = sentences.rows_at(np.flatnonzero((sentences.codes >= 0x1000) & (sentences.codes <= 0x109F))).tolist()
    detector = zawgyi_detector() if rows else None
    if detector is None:
        return []
    rows = rows[:: -(-len(rows) // ZAWGYI_SAMPLE)]
    found = [row for row in rows if detector(sentences.sentences[row]) > ZAWGYI]
    return found if len(found) >= ZAWGYI_SHARE * len(rows) else []
