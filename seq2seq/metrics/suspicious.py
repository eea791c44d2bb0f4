"""Counts of translations that a working model hardly writes: blank, looping, cut off, or the same text for all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from seq2seq.errors import counted
from seq2seq.portable.normalization import is_blank

SHARE = 0.05
"""Share of the sentences above which a count is reported."""

LONGEST_UNIT = 50
"""Characters of the longest text whose repetition is a loop."""

FEWEST = 5
"""Sentences from which equal translations of different sources are reported."""


@dataclass
class OutputCounts:
    """How many translations of non-blank sources are suspicious; grows with `add`, so a stream can be counted."""

    sentences: int = 0
    blank: int = 0
    looping: int = 0
    cut_off: int = 0
    lost_placeholders: int = 0
    added_placeholders: int = 0
    first_lost: str = ""
    first: tuple[str, str] = ("", "")
    """The first source and its translation."""
    sources_differ: bool = False
    texts_differ: bool = False

    def add(
        self, source: str, text: str, finished: bool = True, lost: Sequence[str] = (), added: Sequence[str] = ()
    ) -> None:
        """Count one translation.

        Args:
            source: the sentence; a blank one is not counted.
            text: its translation.
            finished: False if the search reached the maximum length.
            lost: placeholders of the source that the translation lacks.
            added: placeholders that only the translation has.
        """
        if is_blank(source):
            return
        self.first = (source, text) if not self.sentences else self.first
        self.sentences += 1
        self.sources_differ |= source != self.first[0]
        self.texts_differ |= text != self.first[1]
        self.blank += is_blank(text)
        self.looping += is_looping(text) and not is_looping(source)
        self.cut_off += not finished
        self.lost_placeholders += len(lost)
        self.added_placeholders += len(added)
        self.first_lost = self.first_lost or next(iter(lost), "")

    @property
    def identical(self) -> bool:
        """Whether different sources all have the same translation."""
        return self.sentences >= FEWEST and self.sources_differ and not self.texts_differ

    def report(self) -> str:
        """One line about counts above `SHARE` of the sentences; empty if there are none."""
        counts = {
            "blank": self.blank,
            "looping (the end repeats)": self.looping,
            "cut off at the maximum length": self.cut_off,
        }
        found = [f"{count:,} {name}" for name, count in counts.items() if count > SHARE * self.sentences]
        if self.identical:
            found.append("all the same")
        if not found:
            return ""
        advice = "train longer, or check that the text is in the model's source language"
        return f"suspicious translations of {counted(self.sentences, 'sentence')}: {', '.join(found)}: {advice}"

    def placeholder_report(self) -> str:
        """One line about lost and added placeholders; empty if there are none."""
        if not self.lost_placeholders and not self.added_placeholders:
            return ""
        first = f" (the first: {self.first_lost})" if self.first_lost else ""
        return (
            f"placeholders in {counted(self.sentences, 'sentence')}: {self.lost_placeholders:,} lost{first}, "
            f"{self.added_placeholders:,} added: check these translations (translate.py json=true names them)"
        )


Output = tuple[str, str, bool] | tuple[str, str, bool, Sequence[str], Sequence[str]]
"""The arguments of `OutputCounts.add`."""


def count_outputs(outputs: Iterable[Output]) -> OutputCounts:
    """Count suspicious translations."""
    counts = OutputCounts()
    for output in outputs:
        counts.add(*output)
    return counts


def report_lines(sources: Sequence[str], outputs: Sequence[str], references: Sequence[str]) -> list[str]:
    """Lines about blank sentences and suspicious translations of a text that some program wrote; empty without any."""
    counts = count_outputs((source, output, True) for source, output in zip(sources, outputs, strict=True))
    return [line for line in (blank_report(references, outputs), counts.report()) if line]


def is_looping(text: str) -> bool:
    """Whether a text ends in at least four repetitions, 20 characters or more, of at most `LONGEST_UNIT` characters."""
    for end in (text, text.rstrip(" .!?。")):
        for unit in range(1, LONGEST_UNIT + 1):
            tail = end[-max(4 * unit, 20) :]
            if len(tail) == max(4 * unit, 20) and tail[unit:] == tail[:-unit]:
                return True
    return False


def blank_report(references: Sequence[str], outputs: Sequence[str]) -> str:
    """One line with the numbers of blank references and outputs; empty if there are none."""
    blank = [sum(map(is_blank, texts)) for texts in (references, outputs)]
    if not any(blank):
        return ""
    return f"blank: {blank[0]:,} of {counted(len(references), 'reference')}, {counted(blank[1], 'output')}"
