"""Corpora whose sides are named columns: JSON lines and Parquet (for the Hugging Face hub see `corpora.hub`).

A column is found at the top of a row, as in bentrevett/multi30k, or inside a nested ``translation``, as in
wmt/wmt14. JSON lines are parsed here: the loader of `datasets` reads dates out of strings, takes a missing key
for a null and refuses a lone surrogate (5.2), none of which may happen to a sentence.
"""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from seq2seq.corpora.corpus import Corpus, Pair
from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.corpora.files import some
from seq2seq.corpora.lines import unreadable
from seq2seq.errors import DataError

NESTED = "translation"
ROWS = 1_000  # rows in memory at a time


class JsonLinesFile(Corpus):
    """One JSON object a line, with a string (or null, a blank sentence) in each of the two columns.

    Raises:
        DataError: the file is missing or a folder; while reading, what `read_lines` raises, a line that is no
            JSON object, a missing column, a value that is no text (each with its line), or no lines at all.
    """

    def __init__(self, path: Path, source_column: str, target_column: str) -> None:
        self.path, self.name, self.file = path, str(path), CorpusFile(path)
        self.columns = source_column, target_column

    @cached_property
    def fingerprint(self) -> str:
        """What is in the file, and which columns are read."""
        return f"json {self.file.content} {self.columns}"

    def expected_pairs(self) -> int | None:
        """About how many pairs there are."""
        return self.file.expected_lines()

    def __iter__(self) -> Iterator[Pair]:
        return some(self.file.parsed(self.pair), self.name)

    def pair(self, line: str, number: int) -> Pair:
        """The pair in a line, whose number is for messages.

        Raises:
            DataError: the line is no JSON object, lacks a column, or a value is no text.
        """
        where = f"{self.path}, line {number:,}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}: not JSON ({error}); each line must be one object") from None
        if not isinstance(row, dict):
            raise DataError(f"{where}: a JSON {type(row).__name__}; each line must be one object")
        nested = row.get(NESTED)
        home = row if not isinstance(nested, dict) or set(self.columns) <= row.keys() else nested
        for column, side in zip(self.columns, ("source", "target"), strict=True):
            if column not in home:
                raise no_column(where, column, side, home)
        return Pair(*(sentence(home[column], column, where) for column in self.columns))


class ParquetFile(Corpus):
    """A Parquet file with a column of strings for each side, read a thousand rows at a time.

    Raises:
        DataError: the file is missing, damaged or lacks a column; while reading, a value that is no text (with
            its row, from 1), or no rows at all.
    """

    def __init__(self, path: Path, source_column: str, target_column: str) -> None:
        self.path, self.name, self.file = path, str(path), CorpusFile(path)
        self.file.require_regular()  # it is read from its end
        with _parquet_errors(path), pyarrow.parquet.ParquetFile(path) as file:
            self.columns = find_columns(file.schema_arrow, source_column, target_column, self.name)
            self._rows: int = file.metadata.num_rows
        if self._rows < 0:
            raise DataError(
                f"{path}: not a readable Parquet file (it has {self._rows:,} rows); write or fetch it again"
            )

    @cached_property
    def fingerprint(self) -> str:
        """What is in the file, and which columns are read."""
        return f"parquet {self.file.content} {self.columns}"

    def expected_pairs(self) -> int | None:
        """How many pairs there are."""
        return self._rows

    def __iter__(self) -> Iterator[Pair]:
        return some(column_pairs(self.batches(), self.columns, self.name), self.name)

    def batches(self) -> Iterator[Any]:
        """The rows as Arrow record batches with the columns that `columns` lie in."""
        with _parquet_errors(self.path), self.file.raw() as raw, pyarrow.parquet.ParquetFile(raw) as file:
            yield from file.iter_batches(ROWS, columns=sorted({path[0] for path in self.columns}))


def find_columns(schema: Any, source: str, target: str, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Where the two columns lie in an Arrow schema: ``("en",)`` at the top or ``("translation", "en")`` nested.

    Raises:
        DataError: a column is in neither place; names those that are there.
    """
    top = set(schema.names)
    nested = NESTED in top and pa.types.is_struct(schema.field(NESTED).type) and not {source, target} <= top
    there = {field.name for field in schema.field(NESTED).type} if nested else top
    for column, side in ((source, "source"), (target, "target")):
        if column not in there:
            raise no_column(name, column, side, there)
    return ((NESTED, source), (NESTED, target)) if nested else ((source,), (target,))


def column_pairs(batches: Iterable[Any], columns: tuple[tuple[str, ...], ...], name: str) -> Iterator[Pair]:
    """The pairs of Arrow record batches or tables, whose columns `find_columns` has found."""
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
            if type(values[0]) is str and type(values[1]) is str:  # the fast way for all but a few rows
                yield Pair(*values)
            else:
                where = f"{name}, row {number:,}"
                yield Pair(*(sentence(value, path[-1], where) for value, path in zip(values, columns, strict=True)))
        start += batch.num_rows


def sentence(value: object, column: str, where: str) -> str:
    """The text of one cell; null is a blank sentence.

    Raises:
        DataError: the value is neither text nor null.
    """
    if value is None or isinstance(value, str):
        return value or ""
    raise DataError(f"{where}: {column!r} is a {type(value).__name__}, not text; name a column of strings")


def no_column(where: str, column: str, side: str, there: Iterable[str] | Mapping[str, Any]) -> DataError:
    """The error for a column that is missing, with those that are there and the override to type."""
    return DataError(
        f"{where}: no column {column!r} (there are: {', '.join(sorted(there)) or 'none'}); set data.{side}_column=NAME"
    )


@contextlib.contextmanager
def _parquet_errors(path: Path) -> Iterator[None]:
    """Turns what pyarrow raises for a missing, unreadable or damaged file into a `DataError`."""
    try:
        yield
    except (pa.ArrowException, UnicodeDecodeError) as error:  # the latter: names of columns
        raise DataError(f"{path}: not a readable Parquet file ({one_line(error)}); write or fetch it again") from None
    except OSError as error:
        raise unreadable(path, error) from None


def one_line(error: Exception) -> str:
    """The error's first two lines on one line; later lines are examples and traces."""
    return " ".join(" ".join(str(error).splitlines()[:2]).split()).rstrip(".") or type(error).__name__
