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

CELL = re.compile(r'("(?:[^"]|"")*+")|([^"\t\n][^\t\n]*+)')
"""Quoted cells and others of tab-separated rows."""

NUMBER = re.compile(r"[\d.,:/ -]*")

LINE_ENDS = re.compile(r"(?<![ \t])[ \t]*+(?:[\r\n]+[ \t]*+)++")
"""With the space around them; a match begins at most once in a run of spaces, so that time is linear."""

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
    both: bool = True
    """Whether it names both sides, and not one of two columns."""


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
        self.spaced = _has_spaces(sample, self.separator)
        self.quoted = self.separator != "\t" or _has_quoted_cells(sample)
        given = source_column, target_column
        self.checks_width = self.separator != "\t" and given == (None, None)
        first = next(self._rows(), (0, []))[1]
        columns = pair_columns(first, (source_language, target_language), given, self.name)
        self.columns = columns.source, columns.target
        self.header = first if columns.header else None
        self._unread = self.width - 2 if given == (None, None) else 0

    @cached_property
    def fingerprint(self) -> str:
        """The content of the file, and how it is read."""
        how = f"{self.separator!r} {self.quoted} {self.header is not None} {self.columns}"
        return f"table {self.file.identity} {how}{' spaced' if self.spaced else ''}"

    @property
    def titles(self) -> tuple[str, str] | None:
        """Titles of the two columns in the header row."""
        if self.header is None:
            return None
        source, target = (self.header[column] if column < len(self.header) else "" for column in self.columns)
        return source, target

    @property
    def note(self) -> str:
        """Names the header row, or the columns if some of several were chosen without settings."""
        return columns_note(self.name, self.titles, self._unread)

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
            ended = (parsable(self._without_marks(line)) for line in lines)
            form = Form(self.separator, self.quoted, self.spaced)
            advice = ", or set data.format=tsv if marks are text" if self.separator == "\t" else ""
            for number, cells in parsed_rows(ended, form, self.path, advice):
                if cells:
                    yield number, [LINE_ENDS.sub(" ", cell) for cell in cells]


def parsable(line: str) -> str:
    """A line for the parser of `csv`, for which a carriage return would end a row."""
    return line.replace("\r", " ") + "\n"


class Form(NamedTuple):
    """How the cells of a table are written."""

    separator: str
    quoted: bool
    """Whether cells may be in quotation marks."""
    spaced: bool
    """Whether the marks follow a space."""


def parsed_rows(lines: Iterable[str], form: Form, path: Path, advice: str = "") -> Iterator[tuple[int, list[str]]]:
    """The number of the last line of each row, from 1, and its cells; a blank line has none.

    Args:
        lines: as `parsable` returns them.
        form: how the cells are written.
        path: of the file, for messages.
        advice: end of the message about wrong quotation marks.

    Raises:
        DataError: a row has wrong quotation marks.
    """
    rows = csv.reader(
        lines,
        delimiter=form.separator,
        quoting=csv.QUOTE_MINIMAL if form.quoted else csv.QUOTE_NONE,
        skipinitialspace=form.spaced,
        strict=True,
    )
    try:
        for cells in rows:
            yield rows.line_num, cells
    except csv.Error as error:
        raise DataError(
            f"{path}, line {rows.line_num:,}: wrong quotation marks ({error}): write a mark within a "
            f'quoted cell twice, ""{advice}'
        ) from None


def table_form(file: CorpusFile, tabs: bool) -> Form:
    """How a table is written that may have a single column, whose cells are then quoted as with commas.

    Args:
        file: the table.
        tabs: whether a table without separators is tab-separated.

    Raises:
        DataError: as `CorpusFile.lines`.
    """
    sample = _sample(file)
    try:
        separator = _separator(sample[:SAMPLE], str(file.path))[0]
    except DataError:
        separator = ","
    if tabs and not any("\t" in line for line in sample):  # sentences have commas
        separator = "\t"
    return Form(separator, separator != "\t" or _has_quoted_cells(sample), _has_spaces(sample, separator))


def _sample(file: CorpusFile) -> list[str]:
    with closing(file.lines()) as lines:
        return list(islice(lines, SAMPLE + 1))


def _separator(lines: list[str], name: str) -> tuple[str, int]:
    """The separator with which most rows have the same number of cells, at least two; and that number.

    A tab in every line separates. Among equals, two cells are more likely than more.
    """
    shares = {}
    for separator in SEPARATORS:
        rows, spaced = [], _has_spaces(lines, separator)
        with suppress(csv.Error):  # marks that are text can join lines to a cell that is too long
            parsed = csv.reader(map(parsable, lines), delimiter=separator, skipinitialspace=spaced)
            rows += [row for row in parsed if row]
        widths = Counter(len(row) for row in rows if len(row) > 1)
        width, count = max(widths.items(), key=lambda item: item[1], default=(0, 0))
        tabs = separator == "\t" and bool(rows) and all("\t" in line for line in lines if line.strip())
        shares[separator] = tabs, count / max(len(rows), 1), -width
    if not any(map(str.strip, lines)):
        raise DataError(f"{name}: no lines found: check that this is the right file")
    best = max(shares, key=shares.__getitem__)
    if best == "|" and 2 * sum("|||" in line for line in lines) > len(lines):
        raise DataError(f"{name} has ||| between source and target: replace it by a tab in a text editor")
    if shares[best][1] < 0.5 and not shares[best][0]:
        raise DataError(
            f"{name} has no columns: write one pair per line, source and translation separated by a tab, or save the "
            "table as CSV (UTF-8)"
        )
    return best, -shares[best][2]


def _has_spaces(lines: list[str], separator: str) -> bool:
    """Whether quoted cells follow a space, as in ``"one", "two"``."""
    if separator == "\t" or not any(f'{separator} "' in line for line in lines):
        return False
    rows = csv.reader(map(parsable, lines), delimiter=separator)
    with suppress(csv.Error):
        if any(cell.startswith(' "') for row in rows for cell in row):
            for _ in csv.reader(map(parsable, lines), delimiter=separator, skipinitialspace=True, strict=True):
                pass
            return True
    return False


def _has_quoted_cells(lines: list[str]) -> bool:
    """Whether the quotation marks of tab-separated text enclose cells, and are not simply text."""
    if len({line.count("\t") for line in lines if line.strip()}) == 1:  # no cell spans lines
        complete = all(QUOTED_ROWS.fullmatch(f"{line}\n") for line in lines)
        return complete and _enclose(lines)
    text = "".join(f"{line}\n" for line in lines)
    rows = QUOTED_ROWS.match(text)
    unmatched = len(text) - (rows.end() if rows else 0)
    complete = unmatched == 0 or (len(lines) > SAMPLE and unmatched < SAMPLE)  # the sample may end within a cell
    return complete and _enclose(text[: len(text) - unmatched].split("\n"))


def _enclose(lines: list[str]) -> bool:
    """Whether the marks of cells are those of a program and not of a dialogue.

    A program doubles marks within them, or encloses all text, or (Excel) all cells with a comma.
    """
    found = CELL.findall("\n".join(lines))
    quoted, others = [cell[1:-1] for cell, _ in found if cell], [cell for _, cell in found if cell]
    if not quoted or any(mark in cell for cell in quoted for mark in ('""', "\t", "\n")):
        return bool(quoted)
    titles = lines[0].split("\t")
    all_text = all(NUMBER.fullmatch(cell) or cell in titles for cell in others)
    return all_text or (all("," in cell for cell in quoted) and not any("," in cell for cell in others))


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
    # A small language may have no code; its title has a word or two.
    ours = any(language is not None and language in wanted for language in languages) and all(
        len(title.split()) <= 2 for title in titles
    )
    plain = len(cells) == 2 and (all(languages) or ours) and languages[0] != languages[1] and names
    misfit = any(language not in (None, side) for language, side in zip(languages, wanted, strict=False))
    return Header((0, 1), misfit, both=all(languages)) if plain else None


def columns_note(name: str, titles: tuple[str, str] | None, unread: int) -> str:
    """One line about the columns of a table; empty if there is nothing to say.

    Args:
        name: of the file.
        titles: of the two columns; None without a header row.
        unread: the number of other columns if nothing says which two are the pairs, else 0.
    """
    if titles is not None:
        return f"{name}: the first row is a header: source {titles[0]!r}, target {titles[1]!r}"
    if unread <= 0:
        return ""
    return (
        f"{name}: the first two of {unread + 2} columns are read as source and target: for others, set "
        "data.source_column and data.target_column to their titles or numbers"
    )


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
