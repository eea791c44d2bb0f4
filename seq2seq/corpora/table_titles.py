"""What a row of a table names: the languages or the sides of a pair, as a header does."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from seq2seq.corpora.columns import matching_name
from seq2seq.corpora.languages import is_kind_of, language_named, tag_named
from seq2seq.corpora.near_copies import normalized
from seq2seq.corpora.table_content import filled_cells, label_columns, text_columns

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

TITLE_ROWS = 10
"""Rows at the start of a table among which its header is, below the title of a spreadsheet for example."""


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
    cells = filled_cells(rows, column)
    return 2 * sum(cell.strip() == title for cell in cells) > len(cells)


def _one_language(titles: Sequence[str], named: list[list[int]], below: Sequence[Sequence[str]]) -> Header | None:
    """What a row says that names the language of one side: the other side is the first other column with text."""
    side = 0 if named[0] else 1
    if len(named[side]) != 1:
        return None
    column = named[side][0]
    if len(titles) > 2:
        texts = [
            number for number in text_columns([titles, *below]) if any(map(normalized, filled_cells(below, number)))
        ]
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


def _below_notes(row: Sequence[str], header: Header, first: Sequence[str]) -> bool:
    """Whether a row that names less than both languages is a header, below a first row that is no pair."""
    titled = all(filled_cells([row], column) for column in header.columns)
    names = [row[column].strip() for column, named in zip(*header[:2], strict=True) if named]
    word = len(names) < 2 and all(len(name) <= CODE_LETTERS for name in names)
    return titled and not word and not all(filled_cells([first], column) for column in header.columns)
