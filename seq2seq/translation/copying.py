"""Words and numbers that a translation takes from its source, by attention.

T target pieces, S source pieces; the end mark of each is left out.
"""

import re
from collections.abc import Sequence

from torch import Tensor

from seq2seq.tokenizer.tokenizer import SPACE
from seq2seq.translation.types import Copy, Translation

UNKNOWN = "<unk>"
"""How an unknown word reads (`text.vocabulary`)."""

NUMBER = re.compile(r"\d+(?:[.,:' \u2009\u202f]\d+)*")


def copied(translation: Translation, copy: Copy) -> str:
    """The text of a translation with what it takes from its source.

    Args:
        translation: with its attention weights.
        copy: what to take.
    """
    words = translation.text.split(" ") if translation.text else []
    rows = word_numbers(translation.pieces)
    if translation.attention is None or len(words) != max(rows, default=-1) + 1:
        return translation.text  # the words are not those of the pieces: bytes that are no text, or white space
    source_words = translation.source.split()
    columns = word_numbers(translation.source_pieces)
    if len(source_words) != max(columns, default=-1) + 1:
        return translation.text
    weights_TS = translation.attention[:-1, :-1]
    table = by_word(weights_TS, rows, columns)
    if copy in (Copy.unknown, Copy.all):
        words = with_known_words(words, source_words, table)
    if copy in (Copy.numbers, Copy.all):
        words = with_own_numbers(words, source_words, table)
    return " ".join(words)


def word_numbers(pieces: Sequence[str]) -> list[int]:
    """The number of the word, from 0, that each piece belongs to; a space by itself belongs to the word it begins."""
    numbers, word, waiting = [], -1, True
    for piece in pieces:
        begins = piece.startswith(SPACE) or piece == UNKNOWN or word < 0
        word += begins and not (waiting and word >= 0)
        waiting = piece == SPACE
        numbers.append(word)
    return numbers


def by_word(weights_TS: Tensor, rows: Sequence[int], columns: Sequence[int]) -> list[list[float]]:
    """For every target word its attention to every source word: the mean over its pieces of the sum over theirs."""
    table = [[0.0] * (max(columns, default=-1) + 1) for _ in range(max(rows, default=-1) + 1)]
    for row, weights in zip(rows, weights_TS.tolist(), strict=True):
        for column, weight in zip(columns, weights, strict=True):
            table[row][column] += weight / rows.count(row)
    return table


def with_known_words(words: Sequence[str], source_words: Sequence[str], table: Sequence[Sequence[float]]) -> list[str]:
    """Every unknown word replaced by the source word that it attends to most."""
    return [
        max(zip(weights, source_words, strict=True), key=lambda one: one[0])[1] if word == UNKNOWN and weights else word
        for word, weights in zip(words, table, strict=True)
    ]


def with_own_numbers(words: Sequence[str], source_words: Sequence[str], table: Sequence[Sequence[float]]) -> list[str]:
    """Every number that the source does not have replaced by one that it has and the translation lacks.

    Numbers are compared by their digits, so that ``1,000`` may become ``1.000``. Of the missing ones the one whose word
    is attended most is taken; where none is missing a number stays as it is, for languages count hours and floors in
    ways of their own.
    """
    missing = [(digits(number), number, place) for place, word in enumerate(source_words) for number in numbers(word)]
    known = {own for own, _, _ in missing}
    for word in words:
        for number in numbers(word):
            missing = _without_first(missing, digits(number))
    changed = []
    for word, weights in zip(words, table, strict=True):
        parts, end = [], 0
        for found in NUMBER.finditer(word):
            if digits(found[0]) not in known and missing:
                best = max(missing, key=lambda one: weights[one[2]])
                missing.remove(best)
                parts += [word[end : found.start()], best[1]]
                end = found.end()
        changed.append("".join([*parts, word[end:]]))
    return changed


def numbers(word: str) -> list[str]:
    """The numbers in a word, with the marks between their digits."""
    return NUMBER.findall(word)


def digits(number: str) -> str:
    """The digits alone."""
    return re.sub(r"\D", "", number)


def _without_first(missing: list[tuple[str, str, int]], own: str) -> list[tuple[str, str, int]]:
    """The list less the first number of these digits."""
    place = next((place for place, (known, _, _) in enumerate(missing) if known == own), len(missing))
    return missing[:place] + missing[place + 1 :]
