"""Quotation marks of CSV files: which sentences are quoted cells."""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

QUOTED_CELL = re.compile('"(?:[^"]|"")*"')
"""A cell of a CSV file in quotation marks; marks within it are doubled."""

QUOTED, DOUBLED, UNQUOTED = 1, 2, 4
"""Flags of a sentence with quotation marks: a quoted cell, with marks inside, or not a cell of a CSV file."""


def unquoted(text: str) -> str:
    """The text of a quoted cell; another text as it is."""
    return text[1:-1].replace('""', '"') if QUOTED_CELL.fullmatch(text) else text


def quote_flags(sentences: Sequence[str]) -> npt.NDArray[np.uint8]:
    """Return how each sentence uses quotation marks, [sentences]; 0: it has none."""
    return np.fromiter(map(_flags, sentences), np.uint8, len(sentences))


def _flags(text: str) -> int:
    if '"' not in text:
        return 0
    quoted = len(text) > 2 and QUOTED_CELL.fullmatch(text)
    return QUOTED + DOUBLED * ('""' in text[1:-1]) if quoted else UNQUOTED
