"""What travels through the doctor's room: reasons, remedies and findings."""

from enum import StrEnum
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
"""Pairs by number, from 0, ascending: pair n of two files is line n + 1 of each."""

Seen = TypeVar("Seen", contravariant=True)


class Remedy(StrEnum):
    """What cleaning does about it."""

    drop = "drop"
    fold = "fold"
    swap = "swap"
    none = "none"


class Reason(StrEnum):
    """What can be wrong with a pair, gravest first: a pair that is dropped for several counts under the first."""

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
        """In a line, what is wrong."""
        return _KINDS[self][1]

    @property
    def remedy(self) -> Remedy:
        """What cleaning does with such a pair."""
        return _KINDS[self][0]


_KINDS = {
    Reason.unreadable: (Remedy.drop, "a row without its two columns, not JSON, or a value that is no text"),
    Reason.invalid_utf8: (Remedy.drop, "bytes that are not UTF-8 (shown as \\x..), or half a surrogate pair"),
    Reason.drift: (Remedy.drop, "a stretch where the lengths say that lines of equal number are no translations"),
    Reason.blank: (Remedy.drop, "nothing but white space on one side or both"),
    Reason.lost_characters: (Remedy.drop, "U+FFFD, which stands where a character was lost"),
    Reason.mojibake: (Remedy.drop, "UTF-8 that was read as Windows-1252 or Latin-1, such as Ã¼ for ü"),
    Reason.untranslated: (Remedy.drop, "source = target, in letters"),
    Reason.exchanged: (Remedy.swap, "each side is written like the other"),
    Reason.other_language: (Remedy.drop, "one side is written like the other"),
    Reason.other_script: (Remedy.drop, "most letters are of a script that this side hardly uses"),
    Reason.too_long: (Remedy.drop, "more characters than max_length"),
    Reason.ratio: (Remedy.drop, "lengths whose ratio is over max_ratio times the usual one, or under its inverse"),
    Reason.overlap: (Remedy.drop, "the pair is in a set that is kept for judging, too"),
    Reason.duplicate: (Remedy.drop, "the same pair has been there before"),
    Reason.separators: (Remedy.fold, "characters at which other programs break a line, such as U+2028, U+0085, U+000D"),
    Reason.control: (Remedy.fold, "control characters"),
    Reason.invisible: (Remedy.fold, "zero-width characters, soft hyphens, marks of direction or of byte order"),
    Reason.private_use: (Remedy.none, "characters that mean nothing outside one font or program"),
    Reason.mixed_scripts: (Remedy.none, "a word of two alphabets, or a letter of a script that this side hardly uses"),
    Reason.overlap_source: (Remedy.none, "the source, otherwise translated, is in a set that is kept for judging"),
    Reason.several_targets: (Remedy.none, "the same source with different targets"),
    Reason.several_sources: (Remedy.none, "the same target with different sources"),
}


class Found(NamedTuple):
    """Pairs with one thing wrong."""

    reason: Reason
    rows: Numbers
    side: str = ""
    """``source`` or ``target`` where it is one of them."""
    partners: Numbers | None = None
    """For each pair, the number of the one it was held against; -1 where there is none."""
    place: str = ""
    """The corpus of the partners, where it is another."""
    note: str = ""
    """What a count does not say."""


class Check(Protocol[Seen]):
    """One check. It is shown some pairs (`Chunk`) or the measures of a whole corpus (`Measures`), and keeps nothing."""

    def find(self, seen: Seen) -> list[Found]:
        """What is wrong with them; rows count from the beginning of what is shown."""
        ...
