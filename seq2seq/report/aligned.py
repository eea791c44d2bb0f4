"""Tables for a terminal."""

from collections.abc import Collection, Sequence
from itertools import zip_longest

from seq2seq.errors import shown

GAP = "   "


def aligned(rows: Sequence[Sequence[str]], texts: Collection[int] = (0,), indent: str = "  ") -> str:
    """Align cells in columns, one line per row; control characters are escaped.

    Args:
        rows: cells; short rows are allowed.
        texts: left-aligned columns; others are right-aligned as numbers.
        indent: start of each line.
    """
    columns = list(zip_longest(*([shown(cell) for cell in row] for row in rows), fillvalue=""))
    even = [
        [cell.ljust(width) if number in texts else cell.rjust(width) for cell in column]
        for number, column in enumerate(columns)
        for width in [max(map(len, column))]
    ]
    return "\n".join(f"{indent}{GAP.join(row)}".rstrip() for row in zip(*even, strict=True))
