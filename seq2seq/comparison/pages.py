"""A report as plain text, Markdown or a page of HTML; whatever is in the sentences, it stays text."""

import html
import re
from collections.abc import Sequence
from typing import NamedTuple

ENDINGS = (".json", ".md", ".html")
"""What a report can be written as."""

STYLE = """
body { font-family: sans-serif; max-width: 80rem; margin: 2rem auto; padding: 0 1rem; line-height: 1.4 }
table { border-collapse: collapse; margin: 0.5rem 0 }
th, td { border: 1px solid #ccc; padding: 0.25rem 0.6rem; vertical-align: top; text-align: left }
th { background: #f2f2f2 }
td.figure { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
p { margin: 0.25rem 0; overflow-wrap: anywhere }
"""


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
            lines += _aligned(section.rows)
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns side by side, the first to the left, the others to the right."""
    rows = [[_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  " + "   ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows]


def _stacked(rows: Sequence[Sequence[str]]) -> list[str]:
    """Each row a block: its cells below each other, behind their names."""
    header, *rest = rows
    width = max(map(len, header))
    blocks = (
        ["", *(f"  {name.ljust(width)}  {_line(cell)}" for name, cell in zip(header, row, strict=True))] for row in rest
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
    body = [f"<h1>{html.escape(title)}</h1>"]
    for section in sections:
        body.append(f"<h2>{html.escape(section.title)}</h2>")
        body += [f"<p>{html.escape(note)}</p>" for note in section.notes]
        if section.rows:
            header, *rest = section.rows
            body.append("<table>")
            body.append(_html_row("th", header))
            body += [_html_row("td", row, figures=not section.sentences) for row in rest]
            body.append("</table>")
    head = f'<meta charset="utf-8">\n<title>{html.escape(title)}</title>\n<style>{STYLE}</style>'
    return f"<!DOCTYPE html>\n<html>\n<head>\n{head}\n</head>\n<body>\n" + "\n".join(body) + "\n</body>\n</html>\n"


def _html_row(tag: str, cells: Sequence[str], figures: bool = False) -> str:
    """A row of names or sentences, in any direction; the cells after the first may be figures."""
    shown = (
        f'<{tag} class="figure">{html.escape(cell)}</{tag}>'
        if figures and place
        else f'<{tag} dir="auto">{html.escape(cell)}</{tag}>'
        for place, cell in enumerate(cells)
    )
    return f"<tr>{''.join(shown)}</tr>"


def _marked_down(text: str) -> str:
    """Text that Markdown shows as it is: marks escaped, on one line."""
    escaped = html.escape(_line(text), quote=False)
    return re.sub(r"([\\`*_\[\]#|~$])", r"\\\1", escaped)


def _line(text: str) -> str:
    """Text on one line, with what a terminal would obey spelt out."""
    return "".join(
        char if char.isprintable() else f"\\u{ord(char):04x}" if char not in "\n\t" else " " for char in text
    )
