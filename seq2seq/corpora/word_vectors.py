"""Pre-trained word vectors in the text format of word2vec, GloVe and fastText.

A line is a word and its values, parted by spaces; word2vec and fastText put a line with the count of words and the
width before them. Files are read once, line by line, and only the words asked for are kept.
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

_AGAIN = "fetch the file again, or take the line out"


class _Header(NamedTuple):
    promised: int | None
    """Words that the first line promises; None where there is no such line."""
    width: int


def vector_width(path: Path) -> int:
    """How many values each vector of a file has.

    Raises:
        DataError: the file is missing, unreadable or empty, can be read only once, or its first line holds no vector.
    """
    CorpusFile(path).require_regular()
    return _header(path, next(read_lines(path), "")).width


def read_vectors(path: Path, words: Collection[str]) -> dict[str, Vector]:
    """The vectors of those words that a file has, each [width]; of a word that stands there twice, the first.

    Words are compared exactly, case included. Lines end as `read_lines` has it, fields at a space and nowhere else, so
    that a word may hold any other character. A few of GloVe's even hold spaces: nobody asks for these.

    Args:
        path: the file, UTF-8; ``.gz`` is unpacked on the fly.
        words: what to look for; a set or a dict, as each line is looked up in it.

    Raises:
        DataError: the file is missing, unreadable, empty, shorter than its first line promises, or a line of it has
            another number of values than the first, or something else than finite numbers (names the line).
    """
    lines = read_lines(path)
    first = next(lines, "")
    header = _header(path, first)
    body = lines if header.promised is not None else chain([first], lines)
    found: dict[str, Vector] = {}
    count, headings = 0, int(header.promised is not None)
    for count, line in enumerate(body, 1):
        where = f"{path}, line {count + headings:,}"
        word, values = _fields(line.rstrip(" "), header.width, where)
        if word in words and word not in found:
            found[word] = _vector(values, where)
    if header.promised not in (None, count):
        raise DataError(
            f"{path}: the first line promises {header.promised:,} words, {count:,} follow; fetch the file again, or "
            "correct the first line"
        )
    return found


def _header(path: Path, first: str) -> _Header:
    fields = first.rstrip(" ").split(" ")
    if len(fields) == 2 and all(re.fullmatch("[0-9]{1,12}", field) for field in fields):
        count, width = map(int, fields)
        if width:
            return _Header(count, width)
    if len(fields) < 2:
        raise DataError(
            f"{path}, line 1: no word with values behind it; name a text file of vectors as word2vec, GloVe or "
            "fastText write it"
        )
    return _Header(None, len(fields) - 1)


def _fields(line: str, width: int, where: str) -> tuple[str, str]:
    """The word of a line and its values, not yet parted."""
    spaces = line.count(" ")
    if spaces == width:
        word, _, values = line.partition(" ")
        return word, values
    parts = line.rsplit(" ", width)
    # A word with spaces in it has more fields as well: what it ends with is no number.
    if spaces < width or _is_number(parts[0].rpartition(" ")[2]):
        raise DataError(f"{where}: {spaces} values in place of {width}; {_AGAIN}")
    return parts[0], " ".join(parts[1:])


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _vector(values: str, where: str) -> Vector:
    try:
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is found below
            vector = np.array(values.split(" "), dtype=np.float32)
    except ValueError as error:
        raise DataError(f"{where}: {' '.join(str(error).split())}; {_AGAIN}") from None
    if not np.isfinite(vector).all():
        raise DataError(f"{where}: a value is not finite; {_AGAIN}")
    return vector
