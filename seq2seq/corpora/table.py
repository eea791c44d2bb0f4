"""Tables of sentence pairs, as spreadsheets and other programs save them: CSV or tabs, with or without a header.

The content decides, not the ending of the name. Cells may be quoted and then contain separators and line ends.
"""

import csv
import logging
import re
import string
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from seq2seq.corpora.columns import no_column
from seq2seq.corpora.corpus import Corpus, Pair
from seq2seq.corpora.corpus_file import CorpusFile, corpus_file
from seq2seq.corpora.files import require_pairs
from seq2seq.corpora.languages import language_named
from seq2seq.errors import DataError

log = logging.getLogger("seq2seq")

SAMPLE = 1_000
"""Lines at the start of a file that decide its separator."""

SEPARATORS = "\t;,|"
"""Possible separators; an earlier one wins if both separate equally many rows."""

QUOTED_ROWS = re.compile(r'(?:(?:"(?:[^"]|"")*+"|[^"\t\n]*+)[\t\n])*+')
"""Tab-separated rows in which all quotation marks belong to quoted cells."""

LINE_ENDS = re.compile(r"[ \t]*[\r\n]+[ \t]*")

SIDES = (
    {"source", "src", "source text", "source sentence", "source language", "original", "sentence", "text"},
    {"target", "tgt", "trg", "target text", "target sentence", "target language", "translation"},
)
"""Titles of columns that name a side."""


class Header(NamedTuple):
    """The columns that the first row of a table names."""

    columns: tuple[int, int]
    """Of the source and of the target, from 0."""
    misfit: bool
    """Whether it names other languages than the settings."""


class PairColumns(NamedTuple):
    """The columns of a table of pairs, from 0."""

    source: int
    target: int
    header: bool
    """Whether the first row is a header."""


class TableFile(Corpus):
    """A file with a row of cells for each pair.

    Without column settings, a header row that names the two languages or sides decides the columns; else the first two
    columns are source and target. Only a first row that names languages, sides or the given columns is a header. Line
    ends within a cell become spaces, and byte-order marks are removed.

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
        self.file = corpus_file(file)
        self.path, self.name = self.file.path, str(self.file.path)
        self.file.require_regular()
        self._marks, self._said = 0, False
        sample = _sample(self.file)
        self.separator, self.width = _separator(sample[:SAMPLE], self.name)
        self.quoted = self.separator != "\t" or _has_quoted_cells(sample)
        given = source_column, target_column
        self.checks_width = self.separator != "\t" and given == (None, None)
        first = next(self._rows(), (0, []))[1]
        columns = pair_columns(first, (source_language, target_language), given, self.name)
        self.columns = columns.source, columns.target
        self.header = first if columns.header else None

    @cached_property
    def fingerprint(self) -> str:
        """The content of the file, and how it is read."""
        how = f"{self.separator!r} {self.quoted} {self.header is not None} {self.columns}"
        return f"table {self.file.identity} {how}"

    @property
    def note(self) -> str:
        """Names the header row."""
        if self.header is None:
            return ""
        source, target = (self.header[column] for column in self.columns)
        return f"{self.name}: the first row is a header: source {source!r}, target {target!r}"

    @property
    def files(self) -> Sequence[CorpusFile]:
        """The file."""
        return (self.file,)

    def expected_pairs(self) -> int | None:
        """Approximate number of pairs."""
        return self.file.expected_lines()

    def __iter__(self) -> Iterator[Pair]:
        return require_pairs(self._pairs(), self.name)

    def _pairs(self) -> Iterator[Pair]:
        for pair in self.pairs_or_errors():
            if isinstance(pair, DataError):
                raise pair
            yield pair

    def pairs_or_errors(self) -> Iterator[Pair | DataError]:
        """The pairs, and an error in place of each row that has none.

        Raises:
            DataError: the file cannot be read on.
        """
        for line, cells in islice(self._rows(), self.header is not None, None):
            try:
                yield self._pair(line, cells)
            except DataError as error:
                yield error
        if self._marks and not self._said:
            self._said = True
            log.warning("%s: removed %s byte-order marks (U+FEFF) within it", self.path, f"{self._marks:,}")

    def _pair(self, line: int, cells: list[str]) -> Pair:
        source, target = self.columns
        if len(cells) <= max(source, target):
            raise DataError(
                f"{self.path}, line {line:,}: {len(cells)} columns separated by {self.separator!r}, but "
                f"{max(source, target) + 1} are needed: fix the row or set data.source_column=NUMBER "
                "data.target_column=NUMBER"
            )
        if self.checks_width and any(cells[self.width :]):
            raise DataError(
                f"{self.path}, line {line:,}: {len(cells)} columns separated by {self.separator!r}, but most rows "
                f"have {self.width}: write a text that contains {self.separator!r} in quotation marks, or set "
                "data.source_column=NUMBER data.target_column=NUMBER"
            )
        return Pair(cells[source], cells[target])

    def _without_marks(self, line: str) -> str:
        if "\ufeff" in line:
            self._marks += line.count("\ufeff")
            return line.replace("\ufeff", "")
        return line

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """The number of the last line of each row, from 1, and its cells; blank lines are left out."""
        self._marks = 0
        with closing(self.file.lines()) as lines:
            ended = (f"{self._without_marks(line)}\n" for line in lines)
            for number, cells in parsed_rows(ended, self.separator, self.quoted, self.path):
                if cells:
                    yield number, [LINE_ENDS.sub(" ", cell) for cell in cells]


def parsed_rows(lines: Iterable[str], separator: str, quoted: bool, path: Path) -> Iterator[tuple[int, list[str]]]:
    """The number of the last line of each row, from 1, and its cells; a blank line has none.

    Args:
        lines: with their ends.
        separator: of the cells.
        quoted: whether cells may be in quotation marks.
        path: of the file, for messages.

    Raises:
        DataError: a row has wrong quotation marks.
    """
    rows = csv.reader(lines, delimiter=separator, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE, strict=True)
    try:
        for cells in rows:
            yield rows.line_num, cells
    except csv.Error as error:
        raise DataError(
            f"{path}, line {rows.line_num:,}: wrong quotation marks ({error}): write a mark within a "
            'quoted cell twice, ""'
        ) from None


def table_separator(file: CorpusFile) -> tuple[str, bool]:
    """The separator of a table, a comma for a single column, and whether its cells may be quoted.

    Raises:
        DataError: as `CorpusFile.lines`.
    """
    sample = _sample(file)
    try:
        separator = _separator(sample[:SAMPLE], str(file.path))[0]
    except DataError:  # a single column
        return ",", True
    return separator, separator != "\t" or _has_quoted_cells(sample)


def _sample(file: CorpusFile) -> list[str]:
    with closing(file.lines()) as lines:
        return list(islice(lines, SAMPLE + 1))


def _separator(lines: list[str], name: str) -> tuple[str, int]:
    """The separator with which most rows have the same number of cells, at least two; and that number.

    A tab in every line separates. Among equals, two cells are more likely than more.
    """
    shares = {}
    for separator in SEPARATORS:
        rows = []
        with suppress(csv.Error):  # marks that are text can join lines to a cell that is too long
            rows += [row for row in csv.reader((f"{line}\n" for line in lines), delimiter=separator) if row]
        widths = Counter(len(row) for row in rows if len(row) > 1)
        width, count = max(widths.items(), key=lambda item: item[1], default=(0, 0))
        tabs = separator == "\t" and bool(rows) and all("\t" in line for line in lines if line.strip())
        shares[separator] = tabs, count / max(len(rows), 1), -width
    best = max(shares, key=shares.__getitem__)
    if shares[best][1] < 0.5 and not shares[best][0]:
        raise DataError(
            f"{name} has no columns: write one pair per line, source and translation separated by a tab, or save the "
            "table as CSV (UTF-8)"
        )
    return best, -shares[best][2]


def _has_quoted_cells(lines: list[str]) -> bool:
    """Whether the quotation marks of tab-separated text enclose cells, and are not simply text."""
    if len({line.count("\t") for line in lines if line.strip()}) == 1:  # no cell spans lines
        return any('"' in line for line in lines) and all(QUOTED_ROWS.fullmatch(f"{line}\n") for line in lines)
    text = "".join(f"{line}\n" for line in lines)
    rows = QUOTED_ROWS.match(text)
    unmatched = len(text) - (rows.end() if rows else 0)
    complete = unmatched == 0 or (len(lines) > SAMPLE and unmatched < SAMPLE)  # the sample may end within a cell
    return '"' in text and complete


def header_columns(cells: Sequence[str], source_language: str, target_language: str) -> Header | None:
    """What a first row says if it names languages or sides; None if it is a pair.

    Args:
        cells: of the row.
        source_language, target_language: codes of the languages.
    """
    titles = [cell.strip().casefold() for cell in cells]
    languages = [language_named(title) for title in titles]
    wanted = language_named(source_language), language_named(target_language)
    if wanted[0] != wanted[1]:
        places = [[number for number, language in enumerate(languages) if language == side] for side in wanted]
        if [len(numbers) for numbers in places] == [1, 1]:
            return Header((places[0][0], places[1][0]), misfit=False)
    places = [[number for number, title in enumerate(titles) if title.replace("_", " ") in side] for side in SIDES]
    if [len(numbers) for numbers in places] == [1, 1]:
        return Header((places[0][0], places[1][0]), misfit=False)
    # Words such as "no" and "the" are codes too, and a sentence has punctuation.
    names = all(len(title) > 3 and not set(title) & set(string.punctuation) for title in titles)
    plain = len(cells) == 2 and all(languages) and languages[0] != languages[1] and names
    return Header((0, 1), misfit=True) if plain else None


def pair_columns(
    first: Sequence[str], languages: tuple[str, str], given: tuple[str | None, str | None], name: str
) -> PairColumns:
    """Choose the columns of a table of pairs, and warn if its header names other languages than the settings.

    Args:
        first: cells of the first row.
        languages: codes of source and target.
        given: the settings data.source_column and data.target_column.
        name: of the file, for messages.

    Raises:
        DataError: a named column does not exist.
    """
    header = header_columns(first, *languages)
    source, target = (
        default if column is None else _column(column, first, side, name)
        for column, default, side in zip(given, header.columns if header else (0, 1), ("source", "target"), strict=True)
    )
    if header is not None and header.misfit:
        log.warning(
            "%s names the languages %s, but the settings say %s and %s: set data.source_language and "
            "data.target_language",
            *(name, " and ".join(first), *languages),
        )
    titles = any(column is not None and not column.isdecimal() for column in given)
    return PairColumns(source, target, header is not None or titles)


def _column(column: str, titles: Iterable[str], side: str, name: str) -> int:
    """The index of a column that a setting names, by its number from 1 or by its title."""
    if column.isdecimal() and int(column) > 0:
        return int(column) - 1
    names = [title.strip() for title in titles]
    if column not in names:
        raise no_column(name, column, side, names)
    return names.index(column)
