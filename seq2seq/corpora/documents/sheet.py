"""The XML of a sheet in an Excel workbook: cells of one column are filled, everything else stays byte for byte."""

import re
from collections.abc import Iterator
from xml.sax.saxutils import quoteattr

from seq2seq.corpora.documents.columns import Columns
from seq2seq.corpora.documents.markup import MarkupReader, TranslationUnit


class SheetReader(MarkupReader):
    """Finds the cells of a sheet that are filled.

    Args:
        name: of the workbook, for messages.
        columns: source and target.
        rows: numbers of the rows to fill, ascending.

    Attributes:
        next_row: the next row to fill; 0 after the last.
    """

    def __init__(self, name: str, columns: Columns, rows: Iterator[int]) -> None:
        super().__init__(name)
        self._source, self._target = columns.source + 1, columns.target + 1
        self._rows, self.next_row = rows, next(rows, 0)
        self._row = self._column = 0
        self._spans = self._style = self._width = ""
        self._covered = False
        self._place: int | None = None
        self._place_end = 0

    def opened(self, name: str, attributes: dict[str, str], start: int) -> None:
        """Note rows, their cells, and the widths of columns."""
        if name == "row":
            self.hold, self._row, self._column = start, _number(attributes.get("r", ""), self._row + 1), 0
            self._spans, self._style, self._place = attributes.get("spans", ""), "", None
        elif name == "c" and self.hold is not None:
            self._column = column_number(attributes["r"]) if "r" in attributes else self._column + 1
            if self._column == self._source and "s" in attributes:
                self._style = f" s={quoteattr(attributes['s'])}"
            if self._column >= self._target and self._place is None:
                self._place = self._place_end = start
        elif name == "col":
            first, last = (_number(attributes.get(side, ""), 0) for side in ("min", "max"))
            self._covered = self._covered or last >= self._target
            self._width = attributes.get("width", "") if first <= self._source <= last else self._width
        elif name == "dimension":
            corner = re.fullmatch(r"([A-Z]+\d+):([A-Z]+)(\d+)", attributes.get("ref", ""))
            if corner and column_number(corner[2]) < self._target:
                value = f"{corner[1]}:{column_letters(self._target)}{corner[3]}"
                self.edits.append(self.with_attribute(start, "ref", value))

    def closed(self, name: str, start: int, end: int) -> None:
        """Complete cells and rows; a new column gets the width of the source column."""
        if name == "c" and self._column == self._target:
            self._place_end = end
        elif name == "row" and self.hold is not None:
            if self._row == self.next_row:
                self._fill(start)
                self.next_row = next(self._rows, 0)
            self.hold = None
        elif name == "cols" and self._width and not self._covered:
            number, width = self._target, quoteattr(self._width)
            new = f'<{self.prefix}col min="{number}" max="{number}" width={width} customWidth="1"/>'
            self.edits.append((start, start, new.encode()))

    def _fill(self, row_end: int) -> None:
        """Say where the text of the open row belongs."""
        assert self.hold is not None
        start, end = (row_end, row_end) if self._place is None else (self._place, self._place_end)
        cell, prefix = f"{column_letters(self._target)}{self._row}", self.prefix
        before = f'<{prefix}c r="{cell}"{self._style} t="inlineStr"><{prefix}is><{prefix}t xml:space="preserve">'
        after = f"</{prefix}t></{prefix}is></{prefix}c>"
        self.units.append(TranslationUnit([], "", start, end, before.encode(), after.encode()))
        first, _, last = self._spans.partition(":")
        if last.isdecimal() and int(last) < self._target:
            self.edits.append(self.with_attribute(self.hold, "spans", f"{first}:{self._target}"))


def column_number(reference: str) -> int:
    """The number of a column, from 1, in a reference such as AB12."""
    number = 0
    for letter in reference.rstrip("0123456789")[:3]:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number


def column_letters(number: int) -> str:
    """The letters of a column by its number from 1."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _number(text: str, default: int) -> int:
    return int(text) if text.isdecimal() and len(text) < 9 else default
