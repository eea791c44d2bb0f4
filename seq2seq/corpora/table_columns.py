"""The columns of a table of pairs: what its first row names, and what the settings say."""

import logging
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from seq2seq.corpora.columns import matching_name, no_column
from seq2seq.corpora.languages import is_kind_of, language_named, tag_named
from seq2seq.corpora.near_copies import normalized
from seq2seq.errors import DataError

log = logging.getLogger("seq2seq")

SIDES = (
    {"source", "src", "source text", "source sentence", "source language", "original", "sentence", "text"}
    | {"word", "headword", "lemma", "term", "phrase"},
    {"target", "tgt", "trg", "target text", "target sentence", "target language", "translation"}
    | {"translations", "gloss", "meaning", "definition"},
)
"""Titles of columns that name a side."""

TITLE_WORDS = {"language", *(word for side in SIDES for title in side for word in title.split())}
"""Words beside the name of a language in a title: ``English text``, ``sentence_en``."""

MOST_WORDS = 3
"""Words of the title beside the name of a language, at most: a sentence has more, or ends with a mark."""

CODE_LETTERS = 3
"""Letters of a code, at most. Words such as "no" and "the" are codes too."""

LONGEST_TITLE = 100
"""Characters of a title that names a language, at most."""

END = (".", "!", "?", "…", "。", "？", "！", "।", "؟", "።")
"""Marks at the end of a sentence."""

FILE_STEM = re.compile(r"\S+(?=\.[A-Za-z0-9]{2,4}$)")
"""The name of a file without its ending."""

TITLE_ROWS = 10
"""Rows at the start of a table among which its header is, below the title of a spreadsheet for example."""

ENOUGH = 10
"""Cells of a column for each label that differs in its letters; fewer cells show a single label."""


class Header(NamedTuple):
    """The columns that a header names."""

    columns: tuple[int, int]
    """Of the source and of the target, from 0; equal if there is no text for one side."""
    named: tuple[bool, bool] = (True, True)
    """Whether a title names each side; if not, its column is the first other one with text."""
    languages: bool = False
    """Whether titles name both languages."""
    misfit: bool = False
    """Whether it names other languages than the settings."""
    choices: Sequence[int] = ()
    """All columns of a side that could each be it, if the titles do not decide."""


class PairColumns(NamedTuple):
    """The columns of a table of pairs, from 0."""

    source: int
    target: int
    header: bool
    """Whether the first row is a header."""
    named: bool = True
    """Whether the header or the settings name them, and not their content alone."""


def header_columns(
    cells: Sequence[str],
    source_language: str,
    target_language: str,
    below: Sequence[Sequence[str]] = (),
    above: Sequence[Sequence[str]] = (),
) -> Header | None:
    """What a row says if it names languages or sides; None if it is a pair.

    Args:
        cells: of the row.
        source_language, target_language: codes of the languages, equal if only one side is read.
        below, above: other rows, which show that a cell is no title.
    """
    titles = [cell.strip() for cell in cells]
    named, sides = named_columns(titles, (source_language, target_language), below, above)
    mixed = [numbers if len(numbers) == 1 else others for numbers, others in zip(named, sides, strict=True)]
    for source, target in (named, mixed, sides):
        if len(source) == len(target) == 1 and (source != target or source_language == target_language):
            return Header((source[0], target[0]), languages=all(named))
    if all(named) and named[0] != named[1]:  # several columns of one language
        both = named[0][0], named[1][0]
        decided = len(named[0]) == 1, len(named[1]) == 1
        return Header(both, decided, languages=True, choices=max(named, key=len))
    return _one_language(titles, named, below) or _other_languages(titles)


def named_columns(
    titles: Sequence[str],
    languages: tuple[str, str],
    below: Sequence[Sequence[str]] = (),
    above: Sequence[Sequence[str]] = (),
) -> tuple[list[list[int]], list[list[int]]]:
    """The columns whose titles name the language of source and target best, and those that name them as sides.

    A code or name decides before a title that has other words too, and a tag before its language: ``pt-BR`` is not
    ``pt-PT`` where both are there. A column of labels is no side; a language code in every row is a label.
    """
    ranks = [
        {number: rank for number, title in enumerate(titles) if (rank := _mismatch(title, language)) is not None}
        for language in languages
    ]
    sides = [
        [number for number, title in enumerate(titles) if title.casefold().replace("_", " ") in side] for side in SIDES
    ]
    if any(ranks) or any(sides):
        labels = label_columns([titles, *below]) if len(titles) > 2 else []
        labels += [number for number, title in enumerate(titles) if _repeats(title, number, [*above, *below])]
        ranks = [{number: rank for number, rank in side.items() if number not in labels} for side in ranks]
        sides = [[number for number in side if number not in labels] for side in sides]
    named: list[list[int]] = [[], []]
    for side in sorted((0, 1), key=lambda side: sorted(ranks[side].values())):  # the better named side first
        others = named[1 - side] if len(named[1 - side]) == 1 and languages[0] != languages[1] else []
        free = {number: rank for number, rank in ranks[side].items() if number not in others}
        named[side] = [number for number, rank in free.items() if rank == min(free.values())]
    return named, sides


@lru_cache
def _mismatch(title: str, wanted: str) -> int | None:
    """How badly a title names a language: 0 for exactly its code or name; None if it does not name it."""
    language, whole = _language(title)
    if (title and title.casefold() == wanted.casefold()) or (language and language == tag_named(wanted)):
        rank = 0
    elif language and language_named(language) == language_named(wanted):
        rank = 2
    elif language and is_kind_of(wanted, language):
        rank = 4
    else:
        return None
    return rank + (not whole)


@lru_cache
def _language(title: str) -> tuple[str | None, bool]:
    """The tag of the language that a title names, and whether nothing else is in it; None: it names none, or several.

    Other words are separated by marks or are those of titles: ``sentence_en``, ``Guarani (revised)``, ``English text``.
    """
    title = title.casefold()
    if len(title) > LONGEST_TITLE:
        return None, False
    if tag := tag_named(title):
        return tag, True
    parts = [part.strip() for part in re.split(r"[_()\[\]:]+", title)]
    words = [word for word in re.split(r"[\s_()\[\]:]+", title) if word not in TITLE_WORDS]
    tags = {tag for part in (*parts, " ".join(words)) if part not in TITLE_WORDS and (tag := tag_named(part))}
    return (tags.pop() if len(tags) == 1 else None), False


def _repeats(title: str, column: int, rows: Sequence[Sequence[str]]) -> bool:
    """Whether a title stands in most other rows of its column, and so is none."""
    cells = _filled(rows, column)
    return 2 * sum(cell.strip() == title for cell in cells) > len(cells)


def _one_language(titles: Sequence[str], named: list[list[int]], below: Sequence[Sequence[str]]) -> Header | None:
    """What a row says that names the language of one side: the other side is the first other column with text."""
    side = 0 if named[0] else 1
    if len(named[side]) != 1:
        return None
    column = named[side][0]
    if len(titles) > 2:
        texts = [number for number in text_columns([titles, *below]) if any(map(normalized, _filled(below, number)))]
        own = _language(titles[column])[0]
        others = [number for number in texts if number != column and (not own or _language(titles[number])[0] != own)]
    elif len(titles) == 2 and len(titles[column]) > CODE_LETTERS and _is_title(titles[1 - column]):
        others = [1 - column]
    else:
        return None
    other = others[0] if others else column
    foreign = [number for number in others if _is_name(titles[number])]
    return Header(
        (other, column) if side else (column, other),
        (side == 0, side == 1),
        misfit=other in foreign,
        choices=others if foreign and len(others) > 1 else (),
    )


def _other_languages(titles: Sequence[str]) -> Header | None:
    """What a row of two columns says that names two other languages, or two kinds of one."""
    languages = [_language(title) for title in titles]
    names = all(tag and len(title) > CODE_LETTERS for title, (tag, _) in zip(titles, languages, strict=True))
    # "German" and "Deutsch" are a pair; "German (Bern)" and "German (Basel)" are titles.
    kinds = len(set(languages)) > 1 or not any(whole for _, whole in languages)
    return Header((0, 1), (False, False), misfit=True) if len(titles) == 2 and names and kinds else None


def _is_title(cell: str) -> bool:
    """Whether a cell has few words and no mark at its end, unlike a sentence."""
    return 0 < len(cell.split()) <= MOST_WORDS and not cell.endswith(END)


def _is_name(title: str) -> bool:
    """Whether a title is the name of a language, and not a code, which may be a word."""
    return len(title) > CODE_LETTERS and _language(title)[1]


def header_row(rows: Sequence[Sequence[str]], languages: tuple[str, str], given: tuple[str | None, str | None]) -> int:
    """The index of the header among the rows at the start of a table; 0 if none is found.

    A title of the whole table and other notes may stand above it. A row that names both languages is the header before
    one that names less, such as ``Language,English``. If the first row is a pair, a row below it is a header only if it
    names both languages: in a list of words one of them may be the name of a language.

    Args:
        rows: the first of a table that are not blank.
        languages: codes of source and target.
        given: the settings data.source_column and data.target_column.
    """
    titles = {column for column in given if column is not None and not column.isdecimal()}
    found = [(0, 0, 0)]
    for number, row in enumerate(rows[:TITLE_ROWS]):
        cells = [cell.strip() for cell in row]
        if any(matching_name(title, cells) is not None for title in titles):
            return number
        header = None if titles else header_columns(row, *languages, rows[number + 1 :], rows[:number])
        if header is not None and (number == 0 or header.languages or _below_notes(row, header, rows[0])):
            found.append((-header.languages, -sum(header.named), number))
    return min(found)[2]


def _below_notes(row: Sequence[str], header: Header, first: Sequence[str]) -> bool:
    """Whether a row that names less than both languages is a header, below a first row that is no pair."""
    titled = all(_filled([row], column) for column in header.columns)
    names = [row[column].strip() for column, named in zip(*header[:2], strict=True) if named]
    word = len(names) < 2 and all(len(name) <= CODE_LETTERS for name in names)
    return titled and not word and not all(_filled([first], column) for column in header.columns)


def text_columns(rows: Sequence[Sequence[str]]) -> list[int]:
    """The columns with text, from 0: not blank ones, and not those of `label_columns`.

    Args:
        rows: the first of a table; one of them may be a header.
    """
    labels = label_columns(rows)
    filled = rows[1:] if len(rows) >= ENOUGH else rows
    return [
        number for number in range(max(map(len, rows), default=0)) if number not in labels and _filled(filled, number)
    ]


def texts_in_order(rows: Sequence[Sequence[str]], languages: tuple[str, str]) -> list[int]:
    """As `text_columns`; the second is first if columns of the languages' codes are in this order, as Tatoeba has them.

    Args:
        rows: the first of a table without a header.
        languages: codes of source and target.
    """
    texts = text_columns(rows)
    codes = [
        [
            number
            for number, cell in enumerate(map(str.strip, rows[0] if rows else ()))
            if number not in texts and _mismatch(cell, language) is not None and _repeats(cell, number, rows[1:])
        ]
        for language in languages
    ]
    if all(codes) and codes[1] < codes[0]:
        texts[:2] = reversed(texts[:2])
    return texts


def label_columns(rows: Sequence[Sequence[str]]) -> list[int]:
    """The columns of numbers, names of files and labels, from 0: ``GEN 1:1``, ``noun``, ``a.wav``.

    Most labels are equal without digits and punctuation. One or two rows do not show them.

    Args:
        rows: the first of a table; the very first may be a header.
    """
    labels = []
    for column in range(max(map(len, rows), default=0)):
        cells = _filled(rows[1:], column)
        forms = {normalized(FILE_STEM.sub("", cell.strip())) for cell in cells}
        if len(cells) > 2 and len(forms) <= max(1, len(cells) // ENOUGH):
            labels.append(column)
    return labels


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
    numbered = content and _titles_numbers(rows)
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
