"""Copy words and numbers from the source into a translation, by attention.

Shapes: T target tokens, S source tokens, EOS of each excluded.
"""

import re
import unicodedata
from collections.abc import Collection, Sequence

from torch import Tensor

from seq2seq.tokenizer.normalization import SPACE
from seq2seq.translation.config import Copy
from seq2seq.translation.types import Translation

UNKNOWN = "<unk>"
"""The text of an unknown word (`tokenizer.vocabulary`)."""

NUMBER = re.compile(r"(?<!⟨ph)\d+(?:[.,:' \u2009\u202f]\d+)*")


def copy_from_source(translation: Translation, copy: Copy, tags: Collection[str] = ()) -> str:
    """Return the text of a translation with words or numbers copied from its source.

    Args:
        translation: with attention weights.
        copy: what to copy.
        tags: words at the start of the source that are not copied.
    """
    words = translation.text.split(" ") if translation.text else []
    rows = word_numbers(translation.tokens)
    if translation.attention is None or len(words) != max(rows, default=-1) + 1:
        return translation.text  # the words do not match the tokens: invalid bytes or white space
    source_words = translation.source.split()
    columns = word_numbers(translation.source_tokens)
    if len(source_words) != max(columns, default=-1) + 1:
        return translation.text
    weights_TS = translation.attention[:-1, :-1]
    begin = next((place for place, word in enumerate(source_words) if word not in tags), len(source_words))
    source_words = source_words[begin:]
    table = [weights[begin:] for weights in word_attention(weights_TS, rows, columns)]
    if copy in (Copy.unknown, Copy.all):
        words = replace_unknown_words(words, source_words, table)
    if copy in (Copy.numbers, Copy.all):
        words = replace_wrong_numbers(words, source_words, table)
    return " ".join(words)


def word_numbers(tokens: Sequence[str]) -> list[int]:
    """Return the number of the word, from 0, of each token; a single space belongs to the word after it."""
    numbers, word, after_space = [], -1, True
    for token in tokens:
        begins = token.startswith(SPACE) or token == UNKNOWN or word < 0
        word += begins and not (after_space and word >= 0)
        after_space = token == SPACE
        numbers.append(word)
    return numbers


def word_attention(weights_TS: Tensor, rows: Sequence[int], columns: Sequence[int]) -> list[list[float]]:
    """Return the attention of every target word to every source word.

    Weights are summed over the tokens of the source word and averaged over those of the target word.
    """
    table = [[0.0] * (max(columns, default=-1) + 1) for _ in range(max(rows, default=-1) + 1)]
    for row, weights in zip(rows, weights_TS.tolist(), strict=True):
        for column, weight in zip(columns, weights, strict=True):
            table[row][column] += weight / rows.count(row)
    return table


def replace_unknown_words(
    words: Sequence[str], source_words: Sequence[str], table: Sequence[Sequence[float]]
) -> list[str]:
    """Replace every unknown word by the source word with most attention."""
    return [
        max(zip(weights, source_words, strict=True), key=lambda pair: pair[0])[1]
        if word == UNKNOWN and weights
        else word
        for word, weights in zip(words, table, strict=True)
    ]


def replace_wrong_numbers(
    words: Sequence[str], source_words: Sequence[str], table: Sequence[Sequence[float]]
) -> list[str]:
    """Replace every number that the source does not have by a source number that the translation lacks.

    Numbers are compared by the values of their digits, so ``1,000`` equals ``1.000``, and ``٣`` equals ``3``. If
    several are missing, the number whose word has the largest attention weight is copied. If none is missing, numbers
    stay: languages count hours and floors differently.
    """
    missing = [(digits(number), number, index) for index, word in enumerate(source_words) for number in numbers(word)]
    source_digits = {own for own, _, _ in missing}
    for word in words:
        for number in numbers(word):
            missing = _without_first(missing, digits(number))
    changed = []
    for word, weights in zip(words, table, strict=True):
        parts, end = [], 0
        for match in NUMBER.finditer(word):
            if digits(match[0]) not in source_digits and missing:
                best = max(missing, key=lambda entry: weights[entry[2]])
                missing.remove(best)
                parts += [word[end : match.start()], best[1]]
                end = match.end()
        changed.append("".join([*parts, word[end:]]))
    return changed


def numbers(word: str) -> list[str]:
    """Return the numbers in a word, with the punctuation between their digits."""
    return NUMBER.findall(word)


def digits(number: str) -> str:
    """Return the digits of a number alone, in ASCII whatever script they are in."""
    return "".join(str(unicodedata.decimal(character)) for character in number if character.isdecimal())


def _without_first(missing: list[tuple[str, str, int]], own: str) -> list[tuple[str, str, int]]:
    """Return the list without the first number of these digits."""
    index = next((index for index, (known, _, _) in enumerate(missing) if known == own), len(missing))
    return missing[:index] + missing[index + 1 :]
