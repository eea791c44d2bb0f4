"""A report as plain text, Markdown or a page of HTML; whatever is in the sentences, it stays text."""

import html
import re
from collections.abc import Sequence
from typing import NamedTuple

from seq2seq.errors import shown
from seq2seq.report.aligned import aligned
from seq2seq.report.page import heading, page, table

ENDINGS = (".json", ".md", ".html")
"""What a report can be written as."""


class Section(NamedTuple):
    """One table of a report."""

    title: str
    notes: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    """Its header first."""
    sentences: bool = False
    """The cells are whole sentences: in plain text one below the other."""


def as_text(sections: Sequence[Section]) -> str:
    """For a terminal."""
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
    """Each row a block: its cells below each other, behind their names."""
    header, *rest = rows
    width = max(map(len, header))
    blocks = (
        ["", *(f"  {name.ljust(width)}  {shown(cell)}" for name, cell in zip(header, row, strict=True))] for row in rest
    )
    return [line for block in blocks for line in block]


def as_markdown(sections: Sequence[Section]) -> str:
    """For a repository or a paper's notes."""
    blocks = []
    for section in sections:
        blocks.append(f"## {_marked_down(section.title)}")
        blocks += ["  \n".join(map(_marked_down, section.notes))] if section.notes else []
        if section.rows:
            header, *rest = ([_marked_down(cell) for cell in row] for row in section.rows)
            aligns = ["---" if place == 0 or section.sentences else "---:" for place in range(len(header))]
            blocks.append("\n".join(f"| {' | '.join(row)} |" for row in [header, aligns, *rest]))
    return "\n\n".join(blocks) + "\n"


def as_html(title: str, sections: Sequence[Section]) -> str:
    """A page that needs nothing else and runs nothing."""
    parts = []
    for section in sections:
        parts.append(heading(section.title, *section.notes))
        if section.rows:
            header, *rest = section.rows
            parts.append(table(header, rest, () if section.sentences else range(1, len(header))))
    return page(title, parts)


def _marked_down(text: str) -> str:
    """Text that Markdown shows as it is: marks escaped, on one line."""
    escaped = html.escape(shown(text), quote=False)
    return re.sub(r"([\\`*_\[\]#|~$])", r"\\\1", escaped)
