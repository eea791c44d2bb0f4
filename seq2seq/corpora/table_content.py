"""The columns of a table by what they contain: text, labels, numbers."""

import re
from collections.abc import Iterable, Sequence

from seq2seq.corpora.near_copies import normalized

ENOUGH = 10
"""Cells of a column for each label that differs in its letters; fewer cells show a single label."""

FILE_STEM = re.compile(r"\S+(?=\.[A-Za-z0-9]{2,4}$)")
"""The name of a file without its ending."""


def text_columns(rows: Sequence[Sequence[str]]) -> list[int]:
    """The columns with text, from 0: not blank ones, and not those of `label_columns`.

    Args:
        rows: the first of a table; one of them may be a header.
    """
    labels = label_columns(rows)
    filled = rows[1:] if len(rows) >= ENOUGH else rows
    return [
        number
        for number in range(max(map(len, rows), default=0))
        if number not in labels and filled_cells(filled, number)
    ]


def label_columns(rows: Sequence[Sequence[str]]) -> list[int]:
    """The columns of numbers, names of files and labels, from 0: ``GEN 1:1``, ``noun``, ``a.wav``.

    Most labels are equal without digits and punctuation. One or two rows do not show them.

    Args:
        rows: the first of a table; the very first may be a header.
    """
    labels = []
    for column in range(max(map(len, rows), default=0)):
        cells = filled_cells(rows[1:], column)
        forms = {normalized(FILE_STEM.sub("", cell.strip())) for cell in cells}
        if len(cells) > 2 and len(forms) <= max(1, len(cells) // ENOUGH):
            labels.append(column)
    return labels


def titles_numbers(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row has a word above a column of numbers, and so is a header."""
    for column, title in enumerate(rows[0]):
        cells = filled_cells(rows[1:], column)
        numbers = len(cells) >= ENOUGH and not any(map(normalized, cells))
        if numbers and normalized(title):
            return True
    return False


def filled_cells(rows: Iterable[Sequence[str]], column: int) -> list[str]:
    """The cells of a column that are not blank."""
    return [row[column] for row in rows if column < len(row) and row[column].strip()]
