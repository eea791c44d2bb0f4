"""How a table is written, by its content: separator, quotation marks, and the rows that follow from them."""

import csv
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from itertools import dropwhile, islice
from pathlib import Path
from typing import NamedTuple

from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.errors import DataError

SAMPLE = 1_000
"""Lines at the start of a file that decide its separator."""

SEPARATORS = "\t;,|"
"""Possible separators; an earlier one wins if both separate equally many rows."""

QUOTED_ROWS = re.compile(r'(?:(?:"(?:[^"]|"")*+"|[^"\t\n]*+)[\t\n])*+')
"""Tab-separated rows in which all quotation marks belong to quoted cells."""

CELL = re.compile(r'("(?:[^"]|"")*+")|([^"\t\n][^\t\n]*+)')
"""Quoted cells and others of tab-separated rows."""

NUMBER = re.compile(r"[\d.,:/ -]*")


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


class _RowLines(Iterator[str]):
    """Lines that can be read again from the second line of a row.

    Attributes:
        row: the lines of the current row.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._again: deque[str] = deque()
        self.row: list[str] = []

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self.row.append(line)
        return line

    def reread(self) -> None:
        """Continue with the second line of the current row."""
        self._again.extendleft(reversed(self.row[1:]))
        self.row.clear()


def rows_or_errors(
    lines: Iterable[str], form: Form, path: Path, advice: str = ""
) -> Iterator[tuple[int, list[str] | DataError]]:
    """The number of the first line of each row, from 1, and its cells; a blank line has none.

    A row with wrong quotation marks is an error in place of cells. Reading resumes one line after the beginning of that
    row, because a mark that is not closed joins the row to all lines up to the next mark.

    Args:
        lines: as `parsable` returns them.
        form: how the cells are written.
        path: of the file, for messages.
        advice: end of the message about wrong quotation marks.
    """
    source, number, complete = _RowLines(lines), 1, False
    while not complete:
        rows = csv.reader(
            source,
            delimiter=form.separator,
            quoting=csv.QUOTE_MINIMAL if form.quoted else csv.QUOTE_NONE,
            skipinitialspace=form.spaced,
            strict=True,
        )
        try:
            for cells in rows:
                yield number, cells
                number += len(source.row)
                source.row.clear()
            complete = True
        except csv.Error as error:
            yield (
                number,
                DataError(
                    f"{path}, line {number:,}: wrong quotation marks ({error}): write a mark within a quoted cell "
                    f'twice, ""{advice}'
                ),
            )
            source.reread()
            number += 1


def parsed_rows(lines: Iterable[str], form: Form, path: Path, advice: str = "") -> Iterator[tuple[int, list[str]]]:
    """The rows of `rows_or_errors`.

    Raises:
        DataError: a row has wrong quotation marks.
    """
    for number, cells in rows_or_errors(lines, form, path, advice):
        if isinstance(cells, DataError):
            raise cells
        yield number, cells


def table_form(file: CorpusFile, tabs: bool) -> Form:
    """How a table is written that may have a single column, whose cells are then quoted as with commas.

    Args:
        file: the table.
        tabs: whether a table without separators is tab-separated.

    Raises:
        DataError: as `CorpusFile.lines`.
    """
    sample = first_lines(file)
    try:
        separator = separator_and_width(sample[:SAMPLE], str(file.path))[0]
    except DataError:
        separator = ","
    if tabs and not any("\t" in line for line in sample):  # sentences have commas
        separator = "\t"
    return Form(separator, separator != "\t" or has_quoted_cells(sample), has_spaces(sample, separator))


def first_lines(file: CorpusFile, undecodable: str = "strict") -> list[str]:
    """The lines that decide how a table is written: the first `SAMPLE`, and one more if the file does not end there.

    If none has a quotation mark, as many from the first line with one follow: programs enclose only cells that need it.

    Args:
        file: the table.
        undecodable: as for `CorpusFile.lines`.

    Raises:
        DataError: as `CorpusFile.lines`, for the first ones.
    """
    with closing(file.lines(undecodable)) as lines, closing(file.blocks(undecodable)) as blocks:
        sample = list(islice(lines, SAMPLE + 1))
        if len(sample) > SAMPLE and not any('"' in line for line in sample):
            with suppress(DataError):  # raised again where the line is read
                if any('"' in block for block in blocks):  # much faster than by lines
                    sample.extend(islice(dropwhile(lambda line: '"' not in line, lines), SAMPLE))
    return sample


def separator_and_width(lines: list[str], name: str) -> tuple[str, int]:
    """The separator with which most rows have the same number of cells, at least two; and that number.

    A tab in every line separates. Among equals, it is one whose cells are quoted as they should be, then one with fewer
    cells.
    """
    shares = {}
    for separator in SEPARATORS:
        rows, spaced, correct = [], has_spaces(lines, separator), False
        with suppress(csv.Error):  # marks that are text can join lines to a cell that is too long
            parsed = csv.reader(map(parsable, lines), delimiter=separator, skipinitialspace=spaced)
            rows += [row for row in parsed if row]
            for _ in csv.reader(map(parsable, lines), delimiter=separator, skipinitialspace=spaced, strict=True):
                pass
            correct = True
        widths = Counter(len(row) for row in rows if len(row) > 1)
        width, count = max(widths.items(), key=lambda item: item[1], default=(0, 0))
        tabs = separator == "\t" and bool(rows) and all("\t" in line for line in lines if line.strip())
        shares[separator] = tabs, count / max(len(rows), 1), correct, -width
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
    return best, -shares[best][3]


def has_spaces(lines: list[str], separator: str) -> bool:
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


def has_quoted_cells(lines: list[str]) -> bool:
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
