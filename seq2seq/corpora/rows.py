"""Lines that are the rows of a table, in a file that is read as text: tabs, or the quoted cells of CSV."""

import re
from collections import Counter
from collections.abc import Iterable

SAMPLE = 1_000
"""Lines at the start of a file that are examined."""

QUOTED_CELLS = 3
"""Quoted cells with separators or doubled marks; fewer are no sign of CSV, because a sentence may look so."""

CELL = r'(?:"(?:[^"]|"")*+"|[^"{0}]*+)'
QUOTED = re.compile(r'"(?:[^"]|"")*+"')


def table_sign(lines: Iterable[str]) -> str | None:
    """Why lines look like the rows of a table and not like sentences; None: they do not.

    Args:
        lines: the first `SAMPLE` of a file.
    """
    filled = [line for line in lines if line.strip()]
    if len(filled) < QUOTED_CELLS:
        return None
    tabs = Counter(line.count("\t") for line in filled)
    if tabs[0] == 0 and len(tabs) == 1:
        return "every line has a tab"
    for separator in ",;|":
        row = re.compile(f"{CELL.format(separator)}(?:{separator}{CELL.format(separator)})*+")
        if sign := _quoted_cells(filled, separator, row):
            return sign
    return None


def _quoted_cells(lines: list[str], separator: str, row: re.Pattern[str]) -> str | None:
    """Whether lines are CSV with a separator: all marks enclose cells, some of which need them, and rows are equal."""
    marked = [line for line in lines if '"' in line]
    rows = [line for line in marked if row.fullmatch(line)]
    needed = [cell for line in rows for cell in QUOTED.findall(line) if separator in cell or '""' in cell[1:-1]]
    if len(needed) < QUOTED_CELLS or len(rows) < 0.99 * len(marked):
        return None
    widths = Counter(len(QUOTED.sub("", line).split(separator)) for line in lines)
    width, count = widths.most_common(1)[0]
    doubled = any('""' in cell[1:-1] for cell in needed)
    if count < 0.95 * len(lines) or (width == 1 and not doubled):
        return None
    return f"its lines are CSV: cells in quotation marks{f', separated by {separator}' if width > 1 else ''}"
