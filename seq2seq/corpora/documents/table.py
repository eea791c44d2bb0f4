"""Tables (CSV, tab-separated text) with a column of translations: every other character stays as it is."""

import codecs
import io
import re
from collections.abc import Generator, Iterator
from contextlib import closing
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

from seq2seq.corpora import encodings
from seq2seq.corpora.corpus import Pair
from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.corpora.documents.columns import ColumnDocument
from seq2seq.corpora.lines import MAX_LINE_BYTES, damaged, too_long, unreadable
from seq2seq.corpora.streams import DamagedError
from seq2seq.corpora.table import TableFile
from seq2seq.corpora.table_form import SAMPLE, Form, parsable, parsed_rows, table_form
from seq2seq.errors import DataError, counted


class Row(NamedTuple):
    """A row as it stands in the file, its line end included, and its cells."""

    text: str
    cells: list[str]


class TableDocument(ColumnDocument):
    """A table whose source column is translated into a new column or blank cells of another one.

    See `ColumnDocument` for arguments and errors. Wrong quotation marks in a row are a `DataError` too.
    """

    format = "a table"

    def __init__(
        self,
        file: Path | CorpusFile,
        source_language: str,
        target_language: str,
        source_column: str | None = None,
        target_column: str | None = None,
    ) -> None:
        super().__init__(file, source_language, target_language, source_column, target_column)
        name = self.path.name.lower().removesuffix(".gz")
        self.separator, self.quoted, self._spaced = table_form(self.file, tabs=name.endswith((".tsv", ".tab")))
        self.endings = (".tsv", ".tab", ".txt") if self.separator == "\t" else (".csv", ".txt")
        other = re.escape(self.separator)
        quoted = rf'{" *" if self._spaced else ""}"(?:[^"]|"")*"[^{other}]*|' if self.quoted else ""
        self._cell = re.compile(rf"{quoted}[^{other}]*")

    def __iter__(self) -> Iterator[Pair]:
        return iter(TableFile(self.file, *self.languages, *self._given))

    def sources(self) -> Iterator[str]:
        """The cells of the source column beside blank cells; see `Document.sources`."""
        return (row.cells[self._columns.source] for number, row in self._rows() if self._is_blank(number, row.cells))

    def write(self, translations: Iterator[str], output: IO[bytes]) -> None:
        """Write a copy with translations; see `Document.write`."""
        columns, filled = self._columns, 0
        for number, row in self._rows():
            text = ""
            if self._is_blank(number, row.cells):
                text, filled = next(translations), filled + 1
            elif number == self._above and columns.header and row.cells:
                text = columns.title
            output.write(self._encoded(self._with_cell(row, text) if text else row.text))
        where = columns.describe(self._first_rows[0], self._width)
        self.report = f"{self.name}: {counted(filled, 'cell')} filled; {where}"

    def _is_blank(self, number: int, cells: list[str]) -> bool:
        """Whether a row lacks a translation."""
        source, target = self._columns.source, self._columns.target
        if number < self._above + self._columns.header or source >= len(cells) or not cells[source].strip():
            return False
        return target >= len(cells) or not cells[target].strip()

    def _with_cell(self, row: Row, text: str) -> str:
        """The row with a text in its target cell, if that is blank or missing; a short row gets the cells before it."""
        target = self._columns.target
        body = row.text.rstrip("\r\n")
        end = row.text[len(body) :]
        if target >= len(row.cells):
            blank = self.separator * (target - len(row.cells) + 1)
            return body + blank + self._quoted(text, body.endswith('"')) + end
        if row.cells[target].strip():
            return row.text
        start = len(body) - len(body.removeprefix("\ufeff"))
        for _ in range(target):
            start = self._end_of_cell(body, start) + len(self.separator)
        stop = self._end_of_cell(body, start)
        return body[:start] + self._quoted(text, '"' in body[start:stop]) + body[stop:] + end

    def _end_of_cell(self, body: str, start: int) -> int:
        cell = self._cell.match(body, start)
        assert cell is not None  # it may be blank
        return cell.end()

    def _quoted(self, text: str, always: bool) -> str:
        """The text as a cell, in quotation marks if it needs them or its neighbour has them."""
        if not self.quoted:
            return re.sub(r"[\t\r\n]+", " ", text)
        special = any(mark in text for mark in (self.separator, '"', "\n", "\r")) or text != text.strip()
        return '"' + text.replace('"', '""') + '"' if special or (always and text) else text

    @cached_property
    def _sample(self) -> list[list[str]]:
        """The cells of the first rows that are not blank."""
        with closing(self._parsed()) as rows:
            return list(islice((row.cells for _, row in rows if row.cells), SAMPLE))

    @cached_property
    def _width(self) -> int:
        return max((len(row.cells) for _, row in self._rows()), default=0)

    def _rows(self) -> Iterator[tuple[int, Row]]:
        """Rows with their number from 0, where blank lines do not count."""
        width, number = len(self._first_rows[0]), 0
        for line, row in self._parsed():
            if self.separator != "\t" and any(row.cells[width:]):
                raise self._too_wide(line, len(row.cells), width)
            yield number, row
            number += bool(row.cells)

    def _parsed(self) -> Generator[tuple[int, Row], None, None]:
        """All rows with the number of their last line, from 1."""
        taken: list[str] = []
        with closing(self._lines(taken)) as lines:
            form = Form(self.separator, self.quoted, self._spaced)
            for line, cells in parsed_rows(lines, form, self.path):
                yield line, Row("".join(taken), [cell.removeprefix("\ufeff") for cell in cells])
                taken.clear()

    def _too_wide(self, line: int, cells: int, width: int) -> DataError:
        mark = repr(self.separator)
        return DataError(
            f"{self.path}, line {line:,}: {cells} columns separated by {mark}, but the first row has {width}: write a "
            f"text that contains {mark} in quotation marks, or set format=lines if each line is a sentence"
        )

    def _lines(self, taken: list[str]) -> Generator[str, None, None]:
        """The lines for a parser; their original form is appended to ``taken``."""
        end = "\r" if self.file.carriage_returns else "\n"
        try:
            with self.file.unpacked() as file:
                text = io.TextIOWrapper(file, self._encoding, newline=end)
                for number, line in enumerate(iter(partial(text.readline, MAX_LINE_BYTES + 1), ""), 1):
                    if len(line) > MAX_LINE_BYTES:
                        raise too_long(self.name, number)
                    taken.append(line)
                    line = line.removeprefix("\ufeff") if number == 1 else line
                    yield parsable(line.rstrip("\r\n"))
                text.detach()
        except UnicodeDecodeError:
            for _ in self.file.lines():  # raises the error that names the line
                pass
        except DamagedError as error:
            raise damaged(self.name, 0, error) from None
        except OSError as error:
            raise unreadable(self.path, error) from None

    @cached_property
    def _encoding(self) -> str:
        """The encoding, which keeps a byte-order mark as a character."""
        name = "utf-8" if self.file.encoding is None else encodings.codec(self.file.encoding, "encoding")
        if name not in ("utf-16", "utf-32"):
            return name.removesuffix("-sig")
        with self.file.unpacked() as file:
            start = file.read(4)
        return name + ("-le" if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF32_LE)) else "-be")

    def _encoded(self, text: str) -> bytes:
        try:
            return text.encode(self._encoding)
        except UnicodeEncodeError as error:
            raise DataError(
                f"{self.name} is in {self._encoding}, which lacks {error.object[error.start]!r}: save it as UTF-8 first"
            ) from None
