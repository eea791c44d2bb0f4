"""Reasons why a pair is suspect, and remedies for them."""

from enum import StrEnum


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
