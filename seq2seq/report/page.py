"""Self-contained HTML pages: images are embedded, text is escaped, nothing is loaded."""

from base64 import b64encode
from collections.abc import Collection, Iterable, Sequence
from html import escape
from pathlib import Path

from seq2seq.system.atomic import atomic_write

STYLE = (
    "body{font:15px/1.5 sans-serif;margin:2em auto;max-width:90em;padding:0 1em;color:#222}"
    "table{border-collapse:collapse}td,th{padding:.15em .7em;text-align:left;border-bottom:1px solid #ddd;"
    "vertical-align:top}td.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}"
    "p,td{overflow-wrap:anywhere}.scroll{overflow-x:auto}img{max-width:none}h2{margin-top:1.6em}"
)
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Content security policy: only embedded images and styles."""
AUTO = ' dir="auto"'
"""Attribute of elements with any text: the browser detects the text direction."""


def page(title: str, parts: Iterable[str]) -> str:
    """A document from HTML parts, which the functions below return; the title is plain text."""
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
            f"<h1{AUTO}>{escape(title)}</h1>",
            *parts,
            "</body></html>\n",
        ]
    )


def heading(title: str, *texts: str) -> str:
    """A heading with paragraphs of plain text."""
    return "\n".join([f"<h2{AUTO}>{escape(title)}</h2>", *(f"<p{AUTO}>{escape(text)}</p>" for text in texts)])


def table(names: Sequence[str], rows: Iterable[Sequence[str]], numbers: Collection[int] = ()) -> str:
    """A table of plain text; the columns ``numbers`` are right-aligned."""
    head = f"<tr>{''.join(f'<th{AUTO}>{escape(name)}</th>' for name in names)}</tr>" if any(names) else ""
    body = (
        "<tr>"
        + "".join(
            f"<td{' class=n' if column in numbers else AUTO}>{escape(cell)}</td>" for column, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table>{head}{"".join(body)}</table></div>'


def picture(png: bytes, alternative: str) -> str:
    """An embedded PNG with its alternative text."""
    data = b64encode(png).decode()
    return f'<div class="scroll"><img alt="{escape(alternative)}" src="data:image/png;base64,{data}"></div>'


def write_page(path: Path, text: str) -> None:
    """Write a page atomically.

    Raises:
        RunError: the file cannot be written.
    """
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
