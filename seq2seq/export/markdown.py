"""The model card in the page: the Markdown that `seq2seq.run.card` writes, as HTML.

All text is escaped; HTML and links of the card are shown as text.
"""

import html
import re
from collections.abc import Iterator

SKIPPED = {"Use", "Training"}
"""Sections for those who have the folder, not only the page."""

FOLDER_ONLY = ("| file |", "It runs with ")
"""How blocks begin that are likewise about the folder."""

FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
BLOCK_ENDS = re.compile(r"\n(?:[ \t]*\n)+")


def card_html(card: str) -> str:
    """The sections of a card as HTML, without its title and `SKIPPED`."""
    card = COMMENT.sub("", FRONT_MATTER.sub("", card.replace("\r\n", "\n")))
    title_and_summary, *sections = re.split(r"^## ", card, flags=re.MULTILINE)
    parts = [*_blocks(re.sub(r"^# .*\n", "", title_and_summary.lstrip()))]
    for section in sections:
        title, _, body = section.partition("\n")
        if title.strip() not in SKIPPED:
            parts += [f"<h3>{_inline(title.strip())}</h3>", *_blocks(body)]
    return "\n".join(parts)


def _blocks(text: str) -> Iterator[str]:
    """The blocks of a section: tables, code, headings, lists and paragraphs."""
    for block in BLOCK_ENDS.split(text.strip("\n")):
        lines = block.splitlines()
        if not lines or block.startswith(FOLDER_ONLY):
            continue
        if all(line.startswith("|") for line in lines) and len(lines) > 1:
            yield _table([_cells(line) for line in lines if not re.fullmatch(r"[|\s:-]+", line)])
        elif lines[0].startswith("```") or all(line.startswith("    ") for line in lines):
            code = [line.removeprefix("    ") for line in lines if not line.startswith("```")]
            yield f"<pre>{html.escape(chr(10).join(code))}</pre>"
        elif heading := re.match(r"#{1,6}\s+(.*)", block):
            yield f"<h3>{_inline(heading[1])}</h3>"
        elif all(re.match(r"[-*] ", line) for line in lines):
            yield f"<ul>{''.join(f'<li>{_inline(line[2:])}</li>' for line in lines)}</ul>"
        else:
            yield f"<p>{_inline(' '.join(lines))}</p>"


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def _table(rows: list[list[str]]) -> str:
    head, *body = rows
    header = "".join(f'<th scope="col">{_inline(cell)}</th>' for cell in head)
    lines = "".join(f"<tr>{''.join(f'<td>{_inline(cell)}</td>' for cell in row)}</tr>" for row in body)
    return f'<div class="scroll"><table><thead><tr>{header}</tr></thead><tbody>{lines}</tbody></table></div>'


def _inline(text: str) -> str:
    """Text with code and bold, escaped; a backslash before a mark is dropped."""
    parts = re.split(r"`([^`]*)`", re.sub(r"\\([|<>\[\]])", r"\1", text))
    shown = [f"<code>{html.escape(part)}</code>" if n % 2 else html.escape(part) for n, part in enumerate(parts)]
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", "".join(shown))
