"""Excel workbooks (.xlsx): pairs and sources in two columns of the first sheet, translations in a column of it.

openpyxl reads the cells. It would drop pictures, charts and macros if it also wrote the workbook, so translations are
put into the XML of the sheet, and every other part of the file is copied.
"""

import io
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from seq2seq.corpora.corpus import Pair
from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.corpora.documents.columns import ColumnDocument
from seq2seq.corpora.documents.document import pair
from seq2seq.corpora.documents.sheet import SheetReader, column_number
from seq2seq.corpora.files import require_pairs
from seq2seq.corpora.lines import unreadable
from seq2seq.corpora.table_columns import PairColumns, columns_note, pair_columns, pair_titles
from seq2seq.errors import DataError, Seq2SeqError, counted, install_hint

LARGEST = 128 << 20
"""Bytes of all parts of a workbook, unpacked."""

MOST_PACKED = 50
"""Unpacked bytes of a workbook per packed byte, from 16 MiB on; text has 5 to 20."""

CONTROL = re.compile("_x00(0[9AD])_")
"""A tab or a line end, as Excel writes it."""

MERGED = re.compile(rb"<(?:\w+:)?mergeCell\s([^<>]*)>")
"""The attributes of merged cells, of which only the first is seen."""

RANGE = re.compile(rb"""(?:^|\s)ref=["']([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})["']""")
"""The first and the last of them."""

FORMULA = re.compile(rb"<(?:\w+:)?c\s([^<>]*)>\s*<(?:\w+:)?f[\s/>]")
"""The attributes of a cell with a formula, which may have no saved result."""

CELL = re.compile(rb"""(?:^|\s)r=["']([A-Z]{1,3})(\d{1,7})["']""")
"""Its column and row."""

ERRORS = frozenset({"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A"})
"""Values of cells whose formula has failed; they count as blank."""

SAMPLE = 100
"""Rows of another sheet that are examined."""

CHOOSING = 1_000
"""Rows that decide the columns."""

MOST_ROWS = 1 << 20
"""Rows of a sheet in Excel."""


class XlsxFile(ColumnDocument):
    """The first sheet of an Excel workbook that is not hidden. See `ColumnDocument` for arguments and errors.

    Columns and header are chosen as in `seq2seq.corpora.table.TableFile`; numbers and dates are text in pairs, and are
    not translated. A translation goes into the target column where it is blank, in the style of its source.
    """

    format, endings = "an Excel workbook", (".xlsx", ".xlsm")

    def __init__(
        self,
        file: Path | CorpusFile,
        source_language: str,
        target_language: str,
        source_column: str | None = None,
        target_column: str | None = None,
    ) -> None:
        super().__init__(file, source_language, target_language, source_column, target_column)
        if self.file.is_packed:
            raise DataError(f"{self.path} is a compressed workbook: unpack it and name the .xlsx file")

    @cached_property
    def fingerprint(self) -> str:
        """The content of the file, and how it is read."""
        how = f" from row {self._above + 1}" if self._above else ""
        how += "" if self._pair_columns.named else f" {self._pair_columns}"
        return f"xlsx {self.file.content} {self.languages} {self._given}{how}"

    @property
    def titles(self) -> tuple[str, str] | None:
        """Titles of the two columns in the header row, unless only the rows below show that it is one."""
        return pair_titles(self._first[1], self._pair_columns) if self._pair_columns.named else None

    @property
    def note(self) -> str:
        """Names the header row, or the columns if some of several were chosen without settings; and unread sheets."""
        width = max(map(len, self._first_rows)) if self._given == (None, None) else 0
        row = self._first[0] if self._above else 1
        columns = columns_note(self.name, self._pair_columns, self._first[1], width, row)
        return f"{columns or f'{self.name}: read as pairs'}{self._left_out}" if self._left_out else columns

    def __iter__(self) -> Iterator[Pair]:
        return require_pairs(self._pairs(), self.name)

    def _pairs(self) -> Iterator[Pair]:
        start, columns = self._first[0], self._pair_columns
        for number, row in self._rows():
            sides = [_cell(row, column) for column in columns[:2]]
            if number >= start + columns.header and any(sides):
                yield pair(*sides)

    def sources(self) -> Iterator[str]:
        """The texts of the source column beside blank cells; see `Document.sources`."""
        return (text for _, text in self._blanks())

    def _blanks(self) -> Iterator[tuple[int, str]]:
        """The rows to fill, numbered from 1, and their sources."""
        start, columns = self._first[0], self._columns
        for number, row in self._rows():
            source = row[columns.source] if columns.source < len(row) else None
            text = source if isinstance(source, str) and number >= start + columns.header else ""
            if text.strip() and not _cell(row, columns.target) and not self._fixed[number]:
                yield number, text

    def write(self, translations: Iterator[str], output: IO[bytes]) -> None:
        """Write a copy with translations; see `Document.write`."""
        columns, start = self._columns, self._first[0]
        rows: Iterator[int] = (number for number, _ in self._blanks())
        texts = translations
        if columns.header and columns.target >= self._width:
            rows, texts = chain([start], rows), chain([columns.title], translations)
        filled, reader = 0, None
        with self._unpacked() as (archive, book), zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as copy:
            sheet = first_sheet(book)._worksheet_path.lstrip("/")
            for part in archive.infolist():
                name = zipfile.ZipInfo(part.filename, part.date_time)
                name.compress_type, name.external_attr = part.compress_type, part.external_attr
                with _workbook_errors(self.path):
                    data = archive.read(part)
                with copy.open(name, "w") as new:
                    if part.filename == sheet:
                        reader = SheetReader(self.name, columns, rows)
                        units = reader.write(io.BytesIO(data), new, texts)
                        filled = sum(unit.source is not None for unit in units)
                    else:
                        new.write(data)
        if reader is None or reader.next_row:
            raise DataError(f"{self.name}: the rows of the sheet are not in order: save it again as .xlsx")
        filled -= texts is not translations
        where = columns.describe(self._first[1], self._width)
        self.report = f"{self.name}: {counted(filled, 'cell')} filled; {where}{self._left_out}"

    @cached_property
    def _numbered(self) -> list[tuple[int, list[str]]]:
        """The first rows that are not blank: the number of each, from 1, and its cells."""
        rows = ((number, [_cell(row, column) for column in range(len(row))]) for number, row in self._rows())
        with closing(rows):
            found = list(islice(((number, cells) for number, cells in rows if any(cells)), CHOOSING))
        if not found:
            raise DataError(f"{self.name}: the first sheet is blank: move the sheet with the text to the front")
        return found

    @property
    def _sample(self) -> list[list[str]]:
        return [cells for _, cells in self._numbered]

    @property
    def _first(self) -> tuple[int, list[str]]:
        """The header, or else the first row that is not blank: its number, from 1, and its cells."""
        return self._numbered[self._above]

    @cached_property
    def _left_out(self) -> str:
        """The end of a line that names the other sheets with a value near their beginning; empty without any."""
        titles = []
        with self._unpacked() as (_, book), _workbook_errors(self.path):
            first = first_sheet(book)
            for sheet in book.worksheets:
                if sheet is first:
                    continue
                sheet.reset_dimensions()
                rows = islice(sheet.iter_rows(values_only=True), SAMPLE)
                titles += [repr(sheet.title)] if any(cell is not None for row in rows for cell in row) else []
        more = f" and {len(titles) - 8:,} more" if len(titles) > 8 else ""
        return f"; only the first sheet, not {', '.join(titles[:8])}{more}" if titles else ""

    @cached_property
    def _width(self) -> int:
        """Cells of the longest row."""
        used = ((number for number, cell in enumerate(row, 1) if cell is not None) for _, row in self._rows())
        return max(max(numbers, default=0) for numbers in used)

    @cached_property
    def _fixed(self) -> npt.NDArray[np.bool_]:
        """Whether the target cell of each row has a formula or is hidden by merged cells, [1 + `MOST_ROWS`]."""
        with self._unpacked() as (archive, book), _workbook_errors(self.path):
            sheet = archive.read(first_sheet(book)._worksheet_path.lstrip("/"))
        target, changes = self._columns.target + 1, np.zeros(MOST_ROWS + 2, np.int64)
        for left, top, right, bottom in _attributes(sheet, MERGED, RANGE):
            first, last = column_number(left.decode()), column_number(right.decode())
            if first <= target <= last:
                changes[min(int(top) + (first == target), MOST_ROWS + 1)] += 1
                changes[min(int(bottom), MOST_ROWS) + 1] -= 1
        fixed = np.cumsum(changes)[:-1] > 0
        cells = _attributes(sheet, FORMULA, CELL)
        rows = (int(row) for column, row in cells if column_number(column.decode()) == target)
        fixed[[row for row in rows if row <= MOST_ROWS]] = True
        return fixed

    @cached_property
    def _pair_columns(self) -> PairColumns:
        """The columns of pairs."""
        return pair_columns(self._first_rows, self.languages, self._given, self.name)

    def _rows(self) -> Iterator[tuple[int, Sequence[object]]]:
        """The number of each row, from 1, and the values of its cells."""
        with self._unpacked() as (_, book), _workbook_errors(self.path):
            sheet = first_sheet(book)
            sheet.reset_dimensions()  # some programs write wrong ones
            for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
                if number > MOST_ROWS:
                    raise DataError(f"{self.name}: a row beyond {MOST_ROWS:,}: save the workbook again as .xlsx")
                yield number, [_unescaped(value) for value in row]

    @contextmanager
    def _unpacked(self) -> Iterator[tuple[zipfile.ZipFile, Any]]:
        """The parts of the workbook, and the workbook for reading."""
        openpyxl = import_openpyxl(self.name)
        with ExitStack() as stack:
            with _workbook_errors(self.path):
                archive = stack.enter_context(zipfile.ZipFile(stack.enter_context(self.file.raw())))
                check_size(archive, self.name)
                file = stack.enter_context(self.file.raw())
                book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
                stack.callback(book.close)
                if not book.worksheets:
                    raise DataError(f"{self.name} has no sheet of cells: name another workbook")
            yield archive, book


def first_sheet(book: Any) -> Any:
    """The first sheet that is not hidden; the first if all are."""
    return next((sheet for sheet in book.worksheets if sheet.sheet_state == "visible"), book.worksheets[0])


def import_openpyxl(name: str) -> Any:
    """The module `openpyxl`, which is optional; with `defusedxml` it refuses entities.

    Raises:
        DataError: one of them is missing.
    """
    try:
        import defusedxml  # noqa: F401
        import openpyxl
    except ImportError:
        raise DataError(
            f"{name} is an Excel workbook, which needs openpyxl and defusedxml: {install_hint('documents')}"
        ) from None
    warnings.filterwarnings("ignore", module="openpyxl")  # on parts of a workbook that are not read
    return openpyxl


def check_size(archive: zipfile.ZipFile, name: str) -> None:
    """Check that a workbook can be unpacked.

    Raises:
        DataError: it is too large, or compressed more than text can be.
    """
    parts = archive.infolist()
    size, packed = sum(part.file_size for part in parts), sum(part.compress_size for part in parts)
    if size > LARGEST or size > max(16 << 20, MOST_PACKED * packed):
        raise DataError(
            f"{name} unpacks from {packed:,} to {size:,} bytes, too many for a workbook of sentences: save the sheet "
            "as CSV (UTF-8)"
        )


@contextmanager
def _workbook_errors(path: Path) -> Iterator[None]:
    """Converts what zipfile and openpyxl raise for damaged files (any exception) to a `DataError`."""
    try:
        yield
    except (Seq2SeqError, MemoryError):
        raise
    except OSError as error:
        raise unreadable(path, error) from None
    except Exception as error:
        cause = error.__cause__ or error.__context__ or error  # openpyxl hides the reason behind advice
        reason = " ".join(str(cause).split()) or type(cause).__name__
        raise DataError(f"{path} is not a readable Excel workbook ({reason}): save it again as .xlsx") from None


def _attributes(sheet: bytes, tag: re.Pattern[bytes], value: re.Pattern[bytes]) -> Iterator[tuple[bytes, ...]]:
    """Parts of an attribute of each tag, in time linear in the size of the sheet whatever is in it."""
    found = (value.search(match[1]) for match in tag.finditer(sheet))
    return (match.groups() for match in found if match)


def _unescaped(value: object) -> object:
    """The value of a cell, None for an error; Excel writes a carriage return in it as ``_x000D_``."""
    if isinstance(value, str) and value in ERRORS:
        return None
    if isinstance(value, str) and "_x00" in value:
        return CONTROL.sub(lambda escaped: chr(int(escaped[1], 16)), value)
    return value


def _cell(row: Sequence[object], column: int) -> str:
    """The text of a cell of a row; empty if there is none."""
    value = row[column] if column < len(row) else None
    return "" if value is None else str(value).strip()
