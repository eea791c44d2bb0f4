"""A report as plain text, Markdown or HTML. Text from files is escaped in each format."""

import html
import re
from collections.abc import Sequence
from typing import NamedTuple

from seq2seq.errors import shown
from seq2seq.report.aligned import aligned
from seq2seq.report.page import heading, page, table


class Section(NamedTuple):
    """One table of a report."""

    title: str
    notes: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    """The first row is the header."""
    sentences: bool = False
    """Whether cells are sentences, which plain text shows below each other."""


def as_text(sections: Sequence[Section]) -> str:
    """The report as plain text for a terminal."""
    blocks = []
    for section in sections:
        lines = [section.title, *(f"  {note}" for note in section.notes)]
        if section.sentences:
            lines += _stacked(section.rows)
        elif section.rows:
            lines.append(aligned(section.rows))
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _stacked(rows: Sequence[Sequence[str]]) -> list[str]:
    """One block of lines for each row, with one cell per line after its column name."""
    header, *rest = rows
    width = max(map(len, header))
    blocks = (
        ["", *(f"  {name.ljust(width)}  {shown(cell)}" for name, cell in zip(header, row, strict=True))] for row in rest
    )
    return [line for block in blocks for line in block]


def as_markdown(sections: Sequence[Section]) -> str:
    """The report as Markdown."""
    blocks = []
    for section in sections:
        blocks.append(f"## {_as_markdown_text(section.title)}")
        blocks += ["  \n".join(map(_as_markdown_text, section.notes))] if section.notes else []
        if section.rows:
            header, *rest = ([_as_markdown_text(cell) for cell in row] for row in section.rows)
            aligns = ["---" if column == 0 or section.sentences else "---:" for column in range(len(header))]
            blocks.append("\n".join(f"| {' | '.join(row)} |" for row in [header, aligns, *rest]))
    return "\n\n".join(blocks) + "\n"


def as_html(title: str, sections: Sequence[Section]) -> str:
    """The report as a self-contained HTML page without scripts."""
    parts = []
    for section in sections:
        parts.append(heading(section.title, *section.notes))
        if section.rows:
            header, *rest = section.rows
            parts.append(table(header, rest, () if section.sentences else range(1, len(header))))
    return page(title, parts)


def _as_markdown_text(text: str) -> str:
    """One line of text with Markdown syntax escaped."""
    escaped = html.escape(shown(text), quote=False)
    return re.sub(r"([\\`*_\[\]#|~$])", r"\\\1", escaped)
