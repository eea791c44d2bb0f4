"""The columns of a table of pairs: what settings, titles and content say together."""

import logging
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from seq2seq.corpora.columns import matching_name, no_column
from seq2seq.corpora.table_content import titles_numbers
from seq2seq.corpora.table_titles import Header, header_columns, texts_in_order
from seq2seq.errors import DataError

log = logging.getLogger("seq2seq")


class PairColumns(NamedTuple):
    """The columns of a table of pairs, from 0."""

    source: int
    target: int
    header: bool
    """Whether the first row is a header."""
    named: bool = True
    """Whether the header or the settings name them, and not their content alone."""


def pair_titles(first: Sequence[str], columns: PairColumns) -> tuple[str, str] | None:
    """The titles of the two columns in the first row; None if it is no header."""
    if not columns.header:
        return None
    source, target = (first[column] if column < len(first) else "" for column in columns[:2])
    return source, target


def columns_note(name: str, columns: PairColumns, first: Sequence[str], width: int, row: int = 1) -> str:
    """One line about the columns of a table; empty if there is nothing to say.

    Args:
        name: of the file.
        columns: those that are read.
        first: the header, or else the first row.
        width: the number of columns if nothing says which two are the pairs, else 0.
        row: the number of the header, from 1.
    """
    if titles := pair_titles(first, columns):
        which = "the first row is a header" if row == 1 else f"row {row} is a header, rows above it are left out"
        found = f"{name}: {which}: source {titles[0]!r}, target {titles[1]!r}"
        if columns.named or width <= 2:
            return found
        return f"{found}; for others of the {width} columns, set data.source_column and data.target_column"
    if width <= 2:
        return ""
    which = f"columns {columns.source + 1} and {columns.target + 1} of {width}"
    which = f"the first two of {width} columns" if columns[:2] == (0, 1) else which
    return (
        f"{name}: {which} are read as source and target: for others, set data.source_column and data.target_column to "
        "their titles or numbers"
    )


def pair_columns(
    rows: Sequence[Sequence[str]], languages: tuple[str, str], given: tuple[str | None, str | None], name: str
) -> PairColumns:
    """Choose the columns of a table of pairs, and warn if its header names other languages than the settings.

    Without settings and without a header that names them, they are the first two columns with text.

    Args:
        rows: the first of the table; the very first is the header if there is one.
        languages: codes of source and target.
        given: the settings data.source_column and data.target_column.
        name: of the file, for messages.

    Raises:
        DataError: a named column does not exist, the header does not decide which of several a side is, or only one
            column has text.
    """
    first = rows[0] if rows else []
    header = header_columns(first, *languages, rows[1:])
    wide = max(map(len, rows), default=0) > 2
    texts = texts_in_order(rows, languages) if wide and given == (None, None) else []
    defaults = header.columns if header else (texts[0], texts[1]) if len(texts) > 1 else (0, 1)
    if header is not None:
        require_decision(header, first, given, name)
    source, target = (
        default if column is None else _column(column, first, side, name)
        for column, default, side in zip(given, defaults, ("source", "target"), strict=True)
    )
    if given == (None, None) and header is not None and source == target and not all(header.named):
        raise same_column(name, source, "data.")
    if header is not None and header.misfit and (source, target) == header.columns:
        log.warning(
            "%s names the languages %s, but the settings say %s and %s: set data.source_language and "
            "data.target_language",
            *(name, " and ".join(first[column] for column in sorted(header.columns)), *languages),
        )
    titles = any(column is not None and not column.isdecimal() for column in given)
    content = len(texts) > 1 and header is None
    numbered = content and titles_numbers(rows)
    inferred = wide and given == (None, None) and header is not None and not all(header.named)
    named = not numbered and not inferred and not (content and (source, target) != (0, 1))
    return PairColumns(source, target, header is not None or titles or numbered, named)


def require_decision(
    header: Header, titles: Sequence[str], given: tuple[str | None, str | None], name: str, prefix: str = "data."
) -> None:
    """Check that a header decides the columns that the settings do not.

    Args:
        header, titles: what it names, and its cells.
        given: the settings source_column and target_column.
        name: of the file, for messages.
        prefix: of the settings, for messages.

    Raises:
        DataError: it has several columns that could each be a side.
    """
    if not header.choices:
        return
    for side, column, named in zip(("source", "target"), given, header.named, strict=True):
        if column is None and not named:
            choices = " or ".join(repr(titles[number].strip()) for number in header.choices)
            raise DataError(f"{name}: the {side} could be column {choices}: set {prefix}{side}_column to its title")


def same_column(name: str, column: int, prefix: str = "") -> DataError:
    """The error for a column, from 0, that would be both sides."""
    return DataError(
        f"{name}: column {column + 1} is both source and target: set {prefix}source_column or {prefix}target_column"
    )


def _column(column: str, titles: Iterable[str], side: str, name: str) -> int:
    """The index of a column that a setting names, by its number from 1 or by its title."""
    if column.isdecimal() and int(column) > 0:
        return int(column) - 1
    names = [title.strip() for title in titles]
    if (title := matching_name(column, names)) is None:
        raise no_column(name, column, side, names)
    return names.index(title)
