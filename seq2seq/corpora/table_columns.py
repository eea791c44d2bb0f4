"""The columns of a table of pairs: what its first row names, and what the settings say."""

import logging
import string
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from seq2seq.corpora.columns import no_column
from seq2seq.corpora.languages import language_named

log = logging.getLogger("seq2seq")

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
