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

    header = "header"
    unreadable = "unreadable"
    invalid_utf8 = "invalid_utf8"
    drift = "drift"
    unaligned = "unaligned"
    blank = "blank"
    lost_characters = "lost_characters"
    mojibake = "mojibake"
    legacy_encoding = "legacy_encoding"
    csv_quotes = "csv_quotes"
    untranslated = "untranslated"
    copied = "copied"
    exchanged = "exchanged"
    other_language = "other_language"
    third_language = "third_language"
    other_script = "other_script"
    too_long = "too_long"
    ratio = "ratio"
    overlap = "overlap"
    duplicate = "duplicate"
    html_entities = "html_entities"
    separators = "separators"
    control = "control"
    byte_order_marks = "byte_order_marks"
    invisible = "invisible"
    not_nfc = "not_nfc"
    private_use = "private_use"
    special_tokens = "special_tokens"
    mixed_scripts = "mixed_scripts"
    overlap_source = "overlap_source"
    near_overlap = "near_overlap"
    near_duplicate = "near_duplicate"
    several_targets = "several_targets"
    several_sources = "several_sources"

    @property
    def meaning(self) -> str:
        """One line for the report."""
        return _REMEDIES_AND_MEANINGS[self][1]

    @property
    def advice(self) -> str:
        """What a person can do; empty if cleaning is all."""
        return _ADVICE.get(self, "")

    @property
    def remedy(self) -> Remedy:
        """Treatment of such a pair by cleaning."""
        return _REMEDIES_AND_MEANINGS[self][0]


_REMEDIES_AND_MEANINGS = {
    Reason.header: (Remedy.drop, "the first row names columns or languages: it is a header, not a pair"),
    Reason.unreadable: (Remedy.drop, "a row without both columns, invalid JSON, or a value that is not text"),
    Reason.invalid_utf8: (Remedy.drop, "bytes that are not UTF-8 (shown as \\x..), or a lone surrogate"),
    Reason.drift: (Remedy.drop, "words and lengths show that one file is shifted here: its lines have other numbers"),
    Reason.unaligned: (Remedy.none, "lengths or words look as if these lines did not translate each other: check them"),
    Reason.blank: (Remedy.drop, "one side or both have no visible character"),
    Reason.lost_characters: (Remedy.drop, "U+FFFD, which replaces a lost character"),
    Reason.mojibake: (Remedy.repair, "UTF-8 that was decoded in another encoding, such as Ã¼ for ü"),
    Reason.legacy_encoding: (Remedy.none, "text for a font or code page from before Unicode, such as Tieáng for Tiếng"),
    Reason.csv_quotes: (Remedy.repair, 'quotation marks of a CSV file: "He said ""no""." for He said "no".'),
    Reason.copied: (Remedy.drop, "a long sentence in the language of one side stands unchanged on both"),
    Reason.untranslated: (Remedy.none, "source and target are equal and contain letters"),
    Reason.exchanged: (Remedy.swap, "source and target are exchanged"),
    Reason.other_language: (Remedy.none, "one side is in the language of the other side"),
    Reason.third_language: (Remedy.none, "one side is in neither side's language"),
    Reason.other_script: (Remedy.none, "most letters belong to a script that is rare on this side"),
    Reason.too_long: (Remedy.none, "more characters than max_length; training drops what exceeds data.filters"),
    Reason.ratio: (Remedy.drop, "a length ratio that is max_ratio times off the median, and far off the other ratios"),
    Reason.overlap: (Remedy.drop, "the pair is also in the validation or test set"),
    Reason.duplicate: (Remedy.drop, "the pair repeats an earlier one"),
    Reason.html_entities: (Remedy.repair, "HTML entities, such as &amp; for &"),
    Reason.separators: (Remedy.fold, "characters that some programs treat as line breaks, such as U+2028 or U+0085"),
    Reason.control: (Remedy.fold, "control characters"),
    Reason.byte_order_marks: (Remedy.fold, "U+FEFF inside the text, as joined files and spreadsheets have it"),
    Reason.invisible: (Remedy.fold, "zero-width characters, soft hyphens, direction marks"),
    Reason.not_nfc: (Remedy.repair, "not in Unicode's form NFC: the same text has other code points elsewhere"),
    Reason.private_use: (Remedy.none, "private-use characters and noncharacters"),
    Reason.special_tokens: (Remedy.none, "literal <s>, </s>, <unk> or <pad>: remains of another program's output"),
    Reason.mixed_scripts: (Remedy.none, "a word in two alphabets, or a letter of a script that is rare on this side"),
    Reason.overlap_source: (Remedy.none, "the source is also in the validation or test set, with another target"),
    Reason.near_overlap: (Remedy.none, "nearly the same sentence is in the validation or test set"),
    Reason.near_duplicate: (Remedy.none, "both sides are nearly those of an earlier pair"),
    Reason.several_targets: (Remedy.none, "the same source with different targets"),
    Reason.several_sources: (Remedy.none, "the same target with different sources"),
}

_ADVICE = {
    Reason.drift: "better, insert the missing line or delete the extra one before the first of these, and check again",
    Reason.unaligned: "look at these lines, and delete them where they do not translate each other",
    Reason.csv_quotes: "or read the CSV file itself, with data.file=…",
    Reason.legacy_encoding: "convert the file with a converter for its font, or iconv for a code page; check again",
    Reason.html_entities: "keep them if the test set has them too",
    Reason.not_nfc: "training and translation convert text themselves (tokenizer.normalization)",
    Reason.untranslated: "keep names and numbers, and sentences of close languages; delete text that is not translated",
    Reason.other_language: "look at these lines: keep quotations and names, delete text that was left untranslated",
    Reason.third_language: "look at these lines, and delete those in the wrong language",
    Reason.other_script: "look at these lines: names, numbers and abbreviations are right",
    Reason.too_long: "split them, or raise max_length here and data.filters.max_length in training",
    Reason.private_use: "find out which font or program they are from, and replace them",
    Reason.special_tokens: "delete them from the text: in training they would be words",
    Reason.mixed_scripts: "look for letters that look alike, such as Cyrillic а for Latin a",
    Reason.overlap_source: "for an honest test score, delete them here, or split again with recipes/split.py",
    Reason.near_overlap: "for an honest test score, delete them here, or split again with recipes/split.py",
    Reason.near_duplicate: "nothing is wrong; drop some if they crowd out other text",
    Reason.several_targets: "nothing is wrong; delete the worse translation where it is an error",
    Reason.several_sources: "nothing is wrong; delete the worse translation where it is an error",
}
