"""Corpora with named columns: JSON lines and Parquet (for the Hugging Face hub see `corpora.hub`).

A column is at the top level of a row, as in bentrevett/multi30k, or inside a nested ``translation``, as in wmt/wmt14.
JSON lines are parsed here, because the loader of `datasets` (5.2) converts strings to dates, reads a missing key as
null and rejects lone surrogates.
"""

import contextlib
import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from seq2seq.corpora.corpus import Pair
from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.corpora.files import FileCorpus, PairPerLine, RowFile, require_pairs
from seq2seq.corpora.lines import MAX_LINE_BYTES, unreadable
from seq2seq.errors import DataError

GAP = re.compile(r"[\s,]*")
"""What separates JSON values."""

ARRAY = re.compile(r"\ufeff?\s*(\[(?=\s*[{\[\]]|\s*$))?")
"""The beginning of an array of values."""

NESTED = "translation"
ROWS = 1_000  # rows in memory at a time

MOST_NAMED = 20
"""Columns that a message names."""


class JsonLinesFile(PairPerLine):
    """A file with one JSON object per line and a string (or null, a blank sentence) in each of the two columns.

    Blank lines are skipped.

    Raises:
        DataError: the file is missing or a folder. While reading: as `read_lines`; a line is not a JSON object, lacks a
            column or has a value that is not text; or the file is empty.
    """

    def __init__(self, file: Path | CorpusFile, source_column: str, target_column: str) -> None:
        super().__init__(file)
        self.columns = source_column, target_column

    @cached_property
    def fingerprint(self) -> str:
        """The content of the file, and which columns are read."""
        return f"json {self.file.identity} {self.columns}"

    def pair(self, line: str, number: int) -> Pair | None:
        """The pair in a line; None for a blank line; the line's number is for messages.

        Raises:
            DataError: the line is not a JSON object, lacks a column, or has a value that is not text.
        """
        if not line.strip():
            return None
        where = f"{self.path}, line {number:,}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}: not JSON ({error}): write one object per line") from None
        return row_pair(row, self.columns, where)


def row_pair(row: Any, columns: tuple[str, str], where: str) -> Pair:
    """The pair in a JSON object, at its top level or in its ``translation``.

    Raises:
        DataError: it is not an object, lacks a column, or has a value that is not text.
    """
    if not isinstance(row, dict):
        raise DataError(f"{where}: a JSON {type(row).__name__}, not an object: write one object per line")
    nested = row.get(NESTED)
    cells = row if not isinstance(nested, dict) or set(columns) <= row.keys() else nested
    names = [matching_name(column, cells) for column in columns]
    for column, name, side in zip(columns, names, ("source", "target"), strict=True):
        if name is None:
            if lists := [name for name, value in cells.items() if isinstance(value, list)]:
                raise DataError(
                    f"{where}: no column {column!r}, and {lists[0]!r} is a list: write its values alone, one object "
                    "per line"
                )
            raise no_column(where, column, side, cells)
    return Pair(*(sentence(cells[name], name, where) for name in names if name is not None))


class JsonFile(RowFile):
    """A file with JSON values one after another, or in an array: objects as in `JsonLinesFile`, or lists of two texts.

    One value is in memory at a time.

    Raises:
        DataError: the file is missing or a folder, or can be read only once. While reading: as `JsonLinesFile` (values
            are counted from 1).
    """

    def __init__(self, file: Path | CorpusFile, source_column: str, target_column: str) -> None:
        super().__init__(file)
        self.columns = source_column, target_column

    @cached_property
    def fingerprint(self) -> str:
        """The content of the file, and which columns are read."""
        return f"json values {self.file.identity} {self.columns}"

    def pairs_or_errors(self, undecodable: str = "strict") -> Iterator[Pair | DataError]:
        """See `RowFile.pairs_or_errors`; the rows are the values, ``undecodable`` is that of `CorpusFile.lines`."""
        for number, value in enumerate(self._values(undecodable), 1):
            where = f"{self.path}, value {number:,}"
            try:
                if isinstance(value, list) and len(value) == 2:
                    yield Pair(*(sentence(text, side, where) for text, side in zip(value, ("1", "2"), strict=True)))
                else:
                    yield row_pair(value, self.columns, where)
            except DataError as error:
                yield error

    def _values(self, undecodable: str) -> Iterator[Any]:
        """The values, of which the outermost array is opened."""
        decoder = json.JSONDecoder()
        with contextlib.closing(self.file.blocks(undecodable)) as blocks:
            text = next(blocks, "")
            array = ARRAY.match(text)
            assert array is not None  # it matches nothing too
            place = array.end()
            while True:
                place = GAP.match(text, place).end()  # type: ignore[union-attr]  # matches nothing too
                try:
                    value, end = decoder.raw_decode(text, place)
                except (ValueError, RecursionError) as error:
                    block = next(blocks, "") if len(text) - place <= MAX_LINE_BYTES else ""
                    if block:  # the value goes on there
                        text, place = text[place:] + block, 0
                        continue
                    if text[place:].strip(" \t\r\n]"):
                        raise DataError(f"{self.path}: not JSON ({error}): write an array of objects") from None
                    if array[1] and "]" not in text[place:]:
                        raise DataError(f"{self.path}: ends within its JSON array: fetch or write it again") from None
                    return
                yield value
                place = end


class ParquetFile(FileCorpus):
    """A Parquet file with a column of strings for each side, read a thousand rows at a time.

    Raises:
        DataError: the file is missing, damaged or lacks a column. While reading: a value is not text (rows are counted
            from 1), or there are no rows.
    """

    def __init__(self, file: Path | CorpusFile, source_column: str, target_column: str) -> None:
        super().__init__(file)
        self.file.require_regular()  # Parquet is read from its end
        with _parquet_errors(self.path), pyarrow.parquet.ParquetFile(self.path) as table:
            self.columns = find_columns(table.schema_arrow, source_column, target_column, self.name)
            self._rows: int = table.metadata.num_rows
        if self._rows < 0:
            raise DataError(
                f"{self.path} is not a readable Parquet file ({self._rows:,} rows): write or fetch it again"
            )

    @cached_property
    def fingerprint(self) -> str:
        """The content of the file, and which columns are read."""
        return f"parquet {self.file.content} {self.columns}"

    def expected_pairs(self) -> int | None:
        """Number of pairs."""
        return self._rows

    def __iter__(self) -> Iterator[Pair]:
        return require_pairs(column_pairs(self.batches(), self.columns, self.name), self.name)

    def batches(self) -> Iterator[Any]:
        """The rows as Arrow record batches with the columns that contain `columns`."""
        with _parquet_errors(self.path), self.file.raw() as raw, pyarrow.parquet.ParquetFile(raw) as file:
            yield from file.iter_batches(ROWS, columns=sorted({path[0] for path in self.columns}))


def find_columns(schema: Any, source: str, target: str, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The paths of both columns in an Arrow schema: ``("en",)`` at the top level or ``("translation", "en")`` nested.

    Raises:
        DataError: a column is missing; the message lists the existing ones.
    """
    top = set(schema.names)
    nested = NESTED in top and pa.types.is_struct(schema.field(NESTED).type) and not {source, target} <= top
    names = {field.name for field in schema.field(NESTED).type} if nested else top
    found = []
    for column, side in ((source, "source"), (target, "target")):
        if (existing := matching_name(column, names)) is None:
            raise no_column(name, column, side, names)
        found.append((NESTED, existing) if nested else (existing,))
    return found[0], found[1]


def column_pairs(batches: Iterable[Any], columns: tuple[tuple[str, ...], ...], name: str) -> Iterator[Pair]:
    """The pairs in Arrow record batches or tables; ``columns`` are paths from `find_columns`."""
    start = 1
    for batch in batches:
        sides = []
        for path in columns:
            values = batch.column(path[0])
            values = pyarrow.compute.struct_field(values, path[1:]) if path[1:] else values
            try:
                sides.append(values.to_pylist())
            except UnicodeDecodeError:
                raise DataError(f"{name}, one of {ROWS:,} rows from row {start:,}: {path[-1]!r} is not UTF-8") from None
        for number, values in enumerate(zip(*sides, strict=True), start):
            if type(values[0]) is str and type(values[1]) is str:  # fast path
                yield Pair(*values)
            else:
                where = f"{name}, row {number:,}"
                yield Pair(*(sentence(value, path[-1], where) for value, path in zip(values, columns, strict=True)))
        start += batch.num_rows


def sentence(value: object, column: str, where: str) -> str:
    """The text of a cell; null is a blank sentence.

    Raises:
        DataError: the value is neither text nor null.
    """
    if value is None or isinstance(value, str):
        return value or ""
    raise DataError(f"{where}: {column!r} is of type {type(value).__name__}, not text: name a column of strings")


def matching_name(column: str, names: Collection[str]) -> str | None:
    """The one of some names that a setting means: the same, or the same letters in other code points (NFC, NFD)."""
    if column in names:
        return column
    composed = unicodedata.normalize("NFC", column)
    return next((name for name in names if unicodedata.normalize("NFC", name) == composed), None)


def no_column(where: str, column: str, side: str, names: Iterable[str] | Mapping[str, Any]) -> DataError:
    """The error for a missing column, with the existing ones and the setting to change."""
    found = sorted(names)
    more = f" and {len(found) - MOST_NAMED:,} more" if len(found) > MOST_NAMED else ""
    return DataError(
        f"{where}: no column {column!r} (there are: {', '.join(found[:MOST_NAMED]) or 'none'}{more}): set "
        f"data.{side}_column=NAME"
    )


@contextlib.contextmanager
def _parquet_errors(path: Path) -> Iterator[None]:
    """Converts the exceptions of pyarrow for a missing, unreadable or damaged file to a `DataError`."""
    try:
        yield
    except (pa.ArrowException, UnicodeDecodeError) as error:  # UnicodeDecodeError: column names
        raise DataError(
            f"{path} is not a readable Parquet file ({short_reason(error)}): write or fetch it again"
        ) from None
    except OSError as error:
        raise unreadable(path, error) from None


def short_reason(error: Exception) -> str:
    """The first two lines of an error on one line; further lines are examples and traces."""
    return " ".join(" ".join(str(error).splitlines()[:2]).split()).rstrip(".") or type(error).__name__
