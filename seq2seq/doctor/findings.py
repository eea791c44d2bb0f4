"""Reasons why a pair is suspect, remedies for them, and the findings that the checks return."""

from enum import StrEnum
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

Data = TypeVar("Data", contravariant=True)


class Remedy(StrEnum):
    """Treatment of a pair by cleaning."""

    drop = "drop"
    repair = "repair"
    fold = "fold"
    swap = "swap"
    none = "none"


class Reason(StrEnum):
    """Defects of a pair, most serious first. A dropped pair counts under its first reason."""

    unreadable = "unreadable"
    invalid_utf8 = "invalid_utf8"
    drift = "drift"
    blank = "blank"
    lost_characters = "lost_characters"
    mojibake = "mojibake"
    untranslated = "untranslated"
    exchanged = "exchanged"
    other_language = "other_language"
    other_script = "other_script"
    too_long = "too_long"
    ratio = "ratio"
    overlap = "overlap"
    duplicate = "duplicate"
    separators = "separators"
    control = "control"
    invisible = "invisible"
    private_use = "private_use"
    mixed_scripts = "mixed_scripts"
    overlap_source = "overlap_source"
    several_targets = "several_targets"
    several_sources = "several_sources"

    @property
    def meaning(self) -> str:
        """One line for the report."""
        return _REMEDIES_AND_MEANINGS[self][1]

    @property
    def remedy(self) -> Remedy:
        """Treatment of such a pair by cleaning."""
        return _REMEDIES_AND_MEANINGS[self][0]


_REMEDIES_AND_MEANINGS = {
    Reason.unreadable: (Remedy.drop, "a row without both columns, invalid JSON, or a value that is not text"),
    Reason.invalid_utf8: (Remedy.drop, "bytes that are not UTF-8 (shown as \\x..), or a lone surrogate"),
    Reason.drift: (Remedy.drop, "the lengths show that lines with equal numbers are not translations of each other"),
    Reason.blank: (Remedy.drop, "one side or both are empty or white space"),
    Reason.lost_characters: (Remedy.drop, "U+FFFD, which replaces a lost character"),
    Reason.mojibake: (Remedy.repair, "UTF-8 that was decoded in another encoding, such as Ã¼ for ü"),
    Reason.untranslated: (Remedy.drop, "source and target are equal and contain letters"),
    Reason.exchanged: (Remedy.swap, "source and target are exchanged"),
    Reason.other_language: (Remedy.drop, "one side is in the language of the other side"),
    Reason.other_script: (Remedy.drop, "most letters belong to a script that is rare on this side"),
    Reason.too_long: (Remedy.drop, "more characters than max_length"),
    Reason.ratio: (Remedy.drop, "a length ratio above max_ratio times the median, or below the median / max_ratio"),
    Reason.overlap: (Remedy.drop, "the pair is also in the validation or test set"),
    Reason.duplicate: (Remedy.drop, "the pair repeats an earlier one"),
    Reason.separators: (Remedy.fold, "characters that some programs treat as line breaks, such as U+2028 or U+0085"),
    Reason.control: (Remedy.fold, "control characters"),
    Reason.invisible: (Remedy.fold, "zero-width characters, soft hyphens, direction marks, byte order marks"),
    Reason.private_use: (Remedy.none, "private-use characters and noncharacters"),
    Reason.mixed_scripts: (Remedy.none, "a word in two alphabets, or a letter of a script that is rare on this side"),
    Reason.overlap_source: (Remedy.none, "the source is also in the validation or test set, with another target"),
    Reason.several_targets: (Remedy.none, "the same source with different targets"),
    Reason.several_sources: (Remedy.none, "the same target with different sources"),
}


class Finding(NamedTuple):
    """Pairs with the same problem."""

    reason: Reason
    rows: Integers
    """Indices of the pairs, from 0, ascending. Pair n of two text files is line n + 1 of each."""
    side: str = ""
    """``source`` or ``target`` where only that side has the problem."""
    partners: Integers | None = None
    """For each pair, the index of the pair it is compared with; -1: none."""
    partner_corpus: str = ""
    """Name of the partners' corpus where it is another one."""
    note: str = ""
    """Details beyond the count."""


class Check(Protocol[Data]):
    """One check, either of some pairs (`PairArrays`) or of a whole corpus (`PairStatistics`). It keeps no state."""

    def find(self, data: Data) -> list[Finding]:
        """Return the problems of these pairs. Row 0 is the first pair of ``data``."""
        ...
