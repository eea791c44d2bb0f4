"""Tables of sentence pairs, as spreadsheets and other programs save them: CSV or tabs, with or without a header.

The content decides, not the ending of the name. Cells may be quoted and then contain separators and line ends.
"""

import logging
import re
from collections.abc import Generator, Iterator
from contextlib import closing
from functools import cached_property
from itertools import islice
from pathlib import Path

from seq2seq.corpora.corpus import Pair
from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.corpora.files import RowFile
from seq2seq.corpora.table_columns import columns_note, pair_columns, pair_titles
from seq2seq.corpora.table_form import (
    SAMPLE,
    Form,
    first_lines,
    has_quoted_cells,
    has_spaces,
    parsable,
    rows_or_errors,
    separator_and_width,
)
from seq2seq.corpora.table_titles import TITLE_ROWS, header_row
from seq2seq.errors import DataError, counted, program

log = logging.getLogger("seq2seq")

LINE_ENDS = re.compile(r"(?<![ \t])[ \t]*+(?:[\r\n]+[ \t]*+)++")
"""With the space around them; a match begins at most once in a run of spaces, so that time is linear."""


class TableFile(RowFile):
    """A file with a row of cells for each pair.

    Without column settings, a header row that names the two languages or sides decides the columns; else the first two
    columns with text are source and target. A header names languages, sides or the given columns, or numbers below it.
    Line ends within a cell become spaces, and byte-order marks are removed.

    Attributes:
        header: the cells of the header row, which is no pair; None: there is none.

    Raises:
        DataError: the file is missing or a folder, can be read only once, or has no separators, or lacks a named
            column. While reading: as `read_lines`; a row has too few cells or wrong quotes; or there are no pairs.
    """

    def __init__(
        self,
        file: Path | CorpusFile,
        source_language: str,
        target_language: str,
        source_column: str | None = None,
        target_column: str | None = None,
    ) -> None:
        super().__init__(file)
        self._marks, self._said = 0, False
        self._joined: list[int] = []
        self._wider: list[int] = []
        sample = first_lines(self.file, "surrogateescape")
        if any(map(_has_invalid_bytes, sample[:TITLE_ROWS])):  # they decide which columns are read
            sample = first_lines(self.file)
        self.separator, self.width = separator_and_width(sample[:SAMPLE], self.name)
        self.spaced = has_spaces(sample, self.separator)
        self.quoted = self.separator != "\t" or has_quoted_cells(sample)
        given = source_column, target_column
        self.checks_width = self.separator != "\t" and given == (None, None)
        rows, languages = self._first_rows(), (source_language, target_language)
        self._languages = languages
        self._above = header_row(rows, languages, given)
        self._columns = pair_columns(rows[self._above :], languages, given, self.name)
        self.columns = self._columns[:2]
        self.header = rows[self._above] if self._columns.header else None
        self._width = self.width if given == (None, None) else 0

    @cached_property
    def fingerprint(self) -> str:
        """The content of the file, and how it is read."""
        how = f"{self.separator!r} {self.quoted} {self.header is not None} {self.columns}"
        how += f" from row {self._above + 1}" if self._above else ""
        return f"table {self.file.identity} {how}{' spaced' if self.spaced else ''}"

    @property
    def titles(self) -> tuple[str, str] | None:
        """Titles of the two columns in the header row, unless only the rows below show that it is one."""
        return pair_titles(self.header or [], self._columns) if self._columns.named else None

    @property
    def note(self) -> str:
        """Names the header row, or the columns if some of several were chosen without settings."""
        note = columns_note(self.name, self._columns, self.header or [], self._width, self._above + 1)
        source, target = self._languages
        if note or self._width == 0 or self._columns.header or source == target:
            return note
        return f"{self.name}: no header: column 1 is read as {source}, column 2 as {target}"

    def expected_pairs(self) -> int | None:
        """Approximate number of pairs."""
        return self.file.expected_lines()

    def pairs_or_errors(self, undecodable: str = "strict") -> Iterator[Pair | DataError]:
        """See `RowFile.pairs_or_errors`; ``undecodable`` is that of `CorpusFile.lines`."""
        for line, cells in islice(self._rows(undecodable), self._above + (self.header is not None), None):
            try:
                yield cells if isinstance(cells, DataError) else self._pair(line, cells)
            except DataError as error:
                yield error
        if not self._said:
            self._said = True
            for note in self.reading_notes:
                log.warning("%s", note)

    @property
    def reading_notes(self) -> list[str]:
        """Lines about what was found in the file, once it has been read."""
        marks = counted(self._marks, "byte-order mark")
        notes = [f"{self.path}: removed {marks} (U+FEFF) within it"] if self._marks else []
        if self._joined:
            notes.append(
                f"{self.path}, line {self._joined[0]:,}: a quotation mark joins lines that are rows by themselves "
                f"({counted(len(self._joined), 'such row')}): if the mark is text, write it twice and enclose the "
                "cell, or set data.format=tsv for text with tabs"
            )
        if self._wider:
            notes.append(
                f"{self.path}, line {self._wider[0]:,}: more than {self.width} columns "
                f"({counted(len(self._wider), 'such row')}): columns {self.columns[0] + 1} and {self.columns[1] + 1} "
                "are read; check that no text contains a tab"
            )
        return notes

    def _pair(self, line: int, cells: list[str]) -> Pair:
        source, target = self.columns
        if len(cells) <= max(source, target):
            raise DataError(
                f"{self.path}, line {line:,}: {counted(len(cells), 'column')} separated by {self.separator!r}, but "
                f"{max(source, target) + 1} are needed: fix the row, set data.source_column=NUMBER "
                f"data.target_column=NUMBER, or let {program('doctor')} drop such rows with fix=true"
            )
        if self.checks_width and any(cells[self.width :]):
            raise DataError(
                f"{self.path}, line {line:,}: {len(cells)} columns separated by {self.separator!r}, but most rows "
                f"have {self.width}: write a text that contains {self.separator!r} in quotation marks, or set "
                "data.source_column=NUMBER data.target_column=NUMBER"
            )
        if self._width and any(cells[self.width :]):  # only tabs: others are refused above
            self._wider.append(line)
        return Pair(cells[source], cells[target])

    def _first_rows(self) -> list[list[str]]:
        """The rows that decide the columns; one that cannot be read has no cells.

        Raises:
            DataError: the first row cannot be read.
        """
        rows: list[list[str]] = []
        with closing(self._rows("surrogateescape")) as parsed:
            try:
                for _, cells in islice(parsed, SAMPLE):
                    if isinstance(cells, DataError) and not rows:
                        raise cells
                    rows.append([] if isinstance(cells, DataError) else cells)
            except DataError:
                if not rows:
                    raise
        return rows

    def _without_marks(self, line: str) -> str:
        if "\ufeff" in line:
            self._marks += line.count("\ufeff")
            return line.replace("\ufeff", "")
        return line

    def _rows(self, undecodable: str) -> Generator[tuple[int, list[str] | DataError], None, None]:
        """The number of the first line of each row, from 1, and its cells or an error; blank lines are left out."""
        self._marks, self._joined, self._wider = 0, [], []
        with closing(self.file.lines(undecodable)) as lines:
            ended = (parsable(self._without_marks(line)) for line in lines)
            form = Form(self.separator, self.quoted, self.spaced)
            advice = ", or set data.format=tsv if marks are text" if self.separator == "\t" else ""
            advice += f", or let {program('doctor')} drop such rows with fix=true"
            for number, cells in rows_or_errors(ended, form, self.path, advice):
                if isinstance(cells, DataError):
                    yield number, cells
                elif cells:
                    if self._joins_rows(cells):
                        self._joined.append(number)
                    yield number, [LINE_ENDS.sub(" ", cell) for cell in cells]

    def _joins_rows(self, cells: list[str]) -> bool:
        """Whether every inner line of a cell has the columns of a row: the mark before it may be one of a dialogue."""
        inner = [line for cell in cells if "\n" in cell for line in cell.split("\n")[1:-1]]
        return bool(inner) and all(line.count(self.separator) == self.width - 1 for line in inner)


def _has_invalid_bytes(line: str) -> bool:
    """Whether a line has bytes that are not UTF-8, decoded as surrogates."""
    return any("\udc80" <= character <= "\udcff" for character in line)
