"""The columns of a table or sheet that is translated: where the sources are, and where their translations go."""

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from seq2seq.corpora.columns import matching_name, no_column
from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.corpora.documents.document import Document
from seq2seq.corpora.table_columns import require_decision, same_column
from seq2seq.corpora.table_titles import header_columns, header_row, named_columns, texts_in_order
from seq2seq.errors import DataError, counted


class Columns(NamedTuple):
    """Columns from 0. The target may be a new one at the end."""

    source: int
    target: int
    title: str
    """Of the target column, for the header row if there is one."""
    header: bool
    """Whether the first row is a header."""

    def describe(self, first: Sequence[str], width: int) -> str:
        """What is read and written, in a few words."""
        source = f" {first[self.source]!r}" if self.header and self.source < len(first) else ""
        new = "the new column" if self.target >= width else "blank cells of column"
        title = f" {self.title!r}" if self.header else ""
        return f"column {self.source + 1}{source} is translated into {new} {self.target + 1}{title}"


class ColumnDocument(Document):
    """A document with sources in one column and translations in another; a subclass reads its rows.

    Args:
        file: its path, or the file.
        source_language, target_language: codes of the languages; they find the columns if there is a header.
        source_column, target_column: a number from 1 or a title; see `choose_columns`.

    Raises:
        DataError: as `Document`; or a named column does not exist.
    """

    def __init__(
        self,
        file: Path | CorpusFile,
        source_language: str,
        target_language: str,
        source_column: str | None = None,
        target_column: str | None = None,
    ) -> None:
        super().__init__(file, source_language, target_language)
        self._given = source_column, target_column

    @property
    @abstractmethod
    def _sample(self) -> list[list[str]]:
        """The cells of the first rows that are not blank."""

    @property
    @abstractmethod
    def _width(self) -> int:
        """Cells of the longest row."""

    @cached_property
    def _above(self) -> int:
        """Rows above the header that are not blank; 0 without a header."""
        return header_row(self._sample, self.languages, self._given)

    @property
    def _first_rows(self) -> list[list[str]]:
        """The rows that decide the columns; the first is the header if there is one."""
        return self._sample[self._above :] or [[]]

    @cached_property
    def _columns(self) -> Columns:
        """The columns of a translation."""
        return choose_columns(self._first_rows, self._width, self.languages, self._given, self.name)


def choose_columns(
    rows: Sequence[Sequence[str]],
    width: int,
    languages: tuple[str, str],
    given: tuple[str | None, str | None],
    name: str,
) -> Columns:
    """Choose the columns of a table by its first row and the settings.

    Args:
        rows: the first of the table; the very first is the header if there is one.
        width: cells of the longest row.
        languages: codes of source and target.
        given: the settings source_column and target_column: a number from 1, a title, or None. A title that no column
            has names a new target column.
        name: of the file, for messages.

    Raises:
        DataError: there are no cells, a named column does not exist, the header does not decide which of several is the
            source, or both are the same.
    """
    if not width:
        raise DataError(f"{name} is empty: check that this is the right file")
    titles = [cell.strip() for cell in rows[0]]
    pair = header_columns(titles, *languages, rows[1:])
    if pair is not None:
        require_decision(pair, titles, (given[0], given[1] or languages[1]), name, prefix="")
        named = [pair.columns[0], pair.columns[1] if pair.named[1] else None]
    else:  # a code or a side alone, above what may be a single column
        both = zip(*named_columns(titles, languages, rows[1:]), strict=True)
        named = [next((numbers[0] for numbers in choices if len(numbers) == 1), None) for choices in both]
    header = named[0] is not None or any(column is not None and not column.isdecimal() for column in given)
    default = next(iter(texts_in_order(rows, languages)), 0) if named[0] is None else named[0]
    source = _given(given[0], titles, width) if given[0] is not None else default
    if source is None:
        raise no_column(name, str(given[0]), "source", titles)
    target = _given(given[1], titles, width + 1) if given[1] is not None else named[1] if header else None
    if target is None and given[1] is not None and given[1].isdecimal():
        raise DataError(f"{name} has {counted(width, 'column')}: set target_column to a number up to {width + 1}")
    target = width if target is None else target
    if source == target:
        raise same_column(name, source)
    title = titles[target] if target < len(titles) else (given[1] or languages[1])
    return Columns(source, target, languages[1] if title.isdecimal() else title, header)


def _given(column: str, titles: Sequence[str], width: int) -> int | None:
    """The index of a column that a setting names; None if there is none."""
    if column.isdecimal():
        return int(column) - 1 if 0 < int(column) <= width else None
    title = matching_name(column, titles)
    return None if title is None else titles.index(title)
