"""The columns of a table of pairs: what its first row names, and what the settings say."""

import logging
import re
import string
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from seq2seq.corpora.columns import matching_name, no_column
from seq2seq.corpora.languages import language_named
from seq2seq.corpora.near_copies import normalized

log = logging.getLogger("seq2seq")

SIDES = (
    {"source", "src", "source text", "source sentence", "source language", "original", "sentence", "text"}
    | {"word", "headword", "lemma", "term", "phrase"},
    {"target", "tgt", "trg", "target text", "target sentence", "target language", "translation"}
    | {"translations", "gloss", "meaning", "definition"},
)
"""Titles of columns that name a side."""

TITLE_ROWS = 10
"""Rows at the start of a table among which its header is, below the title of a spreadsheet for example."""

ENOUGH = 10
"""Cells of a column that show numbers and labels, at least; one in as many may differ in its letters."""


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
    named: bool = True
    """Whether the header or the settings name them, and not their content alone."""


def header_columns(cells: Sequence[str], source_language: str, target_language: str) -> Header | None:
    """What a first row says if it names languages or sides; None if it is a pair.

    Args:
        cells: of the row.
        source_language, target_language: codes of the languages.
    """
    titles = [cell.strip().casefold() for cell in cells]
    languages = [_language(title) for title in titles]
    wanted = language_named(source_language), language_named(target_language)
    named = [[number for number, language in enumerate(languages) if language == side] for side in wanted]
    sides = [[number for number, title in enumerate(titles) if title.replace("_", " ") in side] for side in SIDES]
    mixed = [numbers if len(numbers) == 1 else others for numbers, others in zip(named, sides, strict=True)]
    for places in (named, sides, mixed):
        if [len(numbers) for numbers in places] == [1, 1] and places[0] != places[1]:
            return Header((places[0][0], places[1][0]), misfit=False)
    # Words such as "no" and "the" are codes too, and a sentence has punctuation.
    names = all(len(title) > 3 and not set(title) & set(string.punctuation) for title in titles)
    # A small language may have no code; its title has a word or two.
    ours = any(language is not None and language in wanted for language in languages) and all(
        len(title.split()) <= 2 for title in titles
    )
    plain = len(cells) == 2 and (all(languages) or ours) and languages[0] != languages[1] and names
    if not plain:
        return None
    crossed = (languages[1], languages[0]) in ((wanted[0], None), (None, wanted[1]))
    misfit = not crossed and any(language not in (None, side) for language, side in zip(languages, wanted, strict=True))
    return Header((1, 0) if crossed else (0, 1), misfit, both=all(languages))


def _language(title: str) -> str | None:
    """The language that a title names: ``en``, ``English``, ``sentence_en``, ``Text (en)``; None: none, or several."""
    if language := language_named(title):
        return language
    parts = re.split(r"[_()]+", title) if "_" in title or title.endswith(")") else []
    found = {language for part in parts if (language := language_named(part.strip())) is not None}
    return found.pop() if len(found) == 1 else None


def header_row(rows: Sequence[Sequence[str]], languages: tuple[str, str], given: tuple[str | None, str | None]) -> int:
    """The index of the header among the rows at the start of a table; 0 if none is found.

    A title of the whole table may stand above it. No row above has a pair in the header's columns, so no text is lost.

    Args:
        rows: the first of a table that are not blank.
        languages: codes of source and target.
        given: the settings data.source_column and data.target_column.
    """
    for number, row in enumerate(rows[:TITLE_ROWS]):
        columns = _named_columns(row, languages, given)
        if columns and not any(all(_filled([above], column) for column in columns) for above in rows[:number]):
            return number
    return 0


def _named_columns(
    row: Sequence[str], languages: tuple[str, str], given: tuple[str | None, str | None]
) -> Sequence[int]:
    """The columns, from 0, that a row names as a header does; none if it is no header."""
    titles = [cell.strip() for cell in row]
    named = [column for column in given if column is not None and not column.isdecimal()]
    if named:
        return [titles.index(title) for column in named if (title := matching_name(column, titles)) is not None]
    header = header_columns(row, *languages)
    return header.columns if header is not None and header.both and not header.misfit else ()


def text_columns(rows: Sequence[Sequence[str]]) -> list[int]:
    """The columns with text, from 0: not blank ones, and not those of numbers or of labels: ``GEN 1:1``, ``noun``.

    Most labels are equal without digits and punctuation. Few rows do not show them.

    Args:
        rows: the first of a table; one of them may be a header.
    """
    texts = []
    for column in range(max(map(len, rows), default=0)):
        cells = _filled(rows[1:], column)
        forms = set(map(normalized, cells))
        labels = len(cells) >= ENOUGH and len(forms) <= len(cells) // ENOUGH
        if not labels and (cells or len(rows) < ENOUGH):
            texts.append(column)
    return texts


def _titles_numbers(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row has a word above a column of numbers, and so is a header."""
    for column, title in enumerate(rows[0]):
        cells = _filled(rows[1:], column)
        numbers = len(cells) >= ENOUGH and not any(map(normalized, cells))
        if numbers and normalized(title):
            return True
    return False


def _filled(rows: Iterable[Sequence[str]], column: int) -> list[str]:
    """The cells of a column that are not blank."""
    return [row[column] for row in rows if column < len(row) and row[column].strip()]


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
        DataError: a named column does not exist.
    """
    first = rows[0] if rows else []
    header = header_columns(first, *languages)
    texts = text_columns(rows) if max(map(len, rows), default=0) > 2 and given == (None, None) else []
    defaults = header.columns if header else (texts[0], texts[1]) if len(texts) > 1 else (0, 1)
    source, target = (
        default if column is None else _column(column, first, side, name)
        for column, default, side in zip(given, defaults, ("source", "target"), strict=True)
    )
    if header is not None and header.misfit:
        log.warning(
            "%s names the languages %s, but the settings say %s and %s: set data.source_language and "
            "data.target_language",
            *(name, " and ".join(first), *languages),
        )
    titles = any(column is not None and not column.isdecimal() for column in given)
    content = len(texts) > 1 and header is None
    numbered = content and _titles_numbers(rows)
    named = not numbered and not (content and (source, target) != (0, 1))
    return PairColumns(source, target, header is not None or titles or numbered, named)


def _column(column: str, titles: Iterable[str], side: str, name: str) -> int:
    """The index of a column that a setting names, by its number from 1 or by its title."""
    if column.isdecimal() and int(column) > 0:
        return int(column) - 1
    names = [title.strip() for title in titles]
    if (title := matching_name(column, names)) is None:
        raise no_column(name, column, side, names)
    return names.index(title)
