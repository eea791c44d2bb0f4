"""Pre-trained word vectors in the text format of word2vec, GloVe and fastText.

A line is a word and its values, separated by spaces; word2vec and fastText start with a line of the number of words and
the dimension. Files are read once, line by line, and only the requested words are kept.
"""

import re
from collections.abc import Collection
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.corpora.lines import read_lines
from seq2seq.errors import DataError

Vector = NDArray[np.float32]

_ADVICE = "fetch the file again, or remove the line"


class _Header(NamedTuple):
    words: int | None
    """Number of words according to the first line; None without such a line."""
    width: int


def vector_width(path: Path) -> int:
    """The dimension of the vectors in a file.

    Raises:
        DataError: the file is missing, unreadable, empty or not regular, or its first line has no vector.
    """
    CorpusFile(path).require_regular()
    return _header(path, next(read_lines(path), "")).width


def read_vectors(path: Path, words: Collection[str]) -> dict[str, Vector]:
    """The vectors of the words that a file contains, each [width]; the first one of a repeated word.

    Words are compared exactly, including case. Lines end as in `read_lines`; fields are separated by spaces only, so a
    word may contain any other character. Some words of GloVe contain spaces; these are skipped.

    Args:
        path: a UTF-8 file, plain or ``.gz``.
        words: the requested words; a set or a dict, because each line is looked up.

    Raises:
        DataError: the file is missing, unreadable or empty, or has another number of words than its first line; or a
            line has another number of values than the first, or values that are not finite numbers.
    """
    lines = read_lines(path)
    first = next(lines, "")
    header = _header(path, first)
    body = lines if header.words is not None else chain([first], lines)
    vectors: dict[str, Vector] = {}
    count, headings = 0, int(header.words is not None)
    for count, line in enumerate(body, 1):
        where = f"{path}, line {count + headings:,}"
        word, values = _fields(line.rstrip(" "), header.width, where)
        if word in words and word not in vectors:
            vectors[word] = _vector(values, where)
    if header.words not in (None, count):
        raise DataError(
            f"{path}: the first line announces {header.words:,} words, but {count:,} follow: fetch the file again or "
            "correct the first line"
        )
    return vectors


def _header(path: Path, first: str) -> _Header:
    fields = first.rstrip(" ").split(" ")
    if len(fields) == 2 and all(re.fullmatch("[0-9]{1,12}", field) for field in fields):
        count, width = map(int, fields)
        if width:
            return _Header(count, width)
    if len(fields) < 2:
        raise DataError(
            f"{path}, line 1 is not a word with its values: name a text file of vectors in the format of word2vec, "
            "GloVe or fastText"
        )
    return _Header(None, len(fields) - 1)


def _fields(line: str, width: int, where: str) -> tuple[str, str]:
    """The word of a line, and its values as text."""
    spaces = line.count(" ")
    if spaces == width:
        word, _, values = line.partition(" ")
        return word, values
    parts = line.rsplit(" ", width)
    # A word that contains spaces has more fields too, but does not end with a number.
    if spaces < width or _is_number(parts[0].rpartition(" ")[2]):
        raise DataError(f"{where}: {spaces} values instead of {width}: {_ADVICE}")
    return parts[0], " ".join(parts[1:])


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _vector(values: str, where: str) -> Vector:
    try:
        with np.errstate(over="ignore"):  # too large values become infinite
            vector = np.array(values.split(" "), dtype=np.float32)
    except ValueError as error:
        raise DataError(f"{where}: {' '.join(str(error).split())}: {_ADVICE}") from None
    if not np.isfinite(vector).all():
        raise DataError(f"{where}: a value is not finite: {_ADVICE}")
    return vector
