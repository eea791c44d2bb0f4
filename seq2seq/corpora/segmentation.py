"""A document cut into sentences and what lies between them, nothing lost: joined again the parts are the document.

A small rule of our own, for the libraries made for this are either large models or have not been kept up. A sentence
ends at ``.``, ``!``, ``?`` or ``…``, with the quotation marks and brackets that close behind it, where white space and
what may begin a sentence follow: no small letter. A period does not end one behind a single letter (``J. Smith``,
``z. B.``), behind digits (``3. Mai``) or behind one of the abbreviations below; behind ``。``, ``！`` and ``？`` no
white space is needed. What has no letter (``---``, ``|---|``, ``12:30``) is no sentence, nor is a block of code between
fences. Line ends and tabs part sentences, so that none of them is lost.

What that gives up: other abbreviations before a capital end a sentence; so does nothing before a small letter
(``iPhone``), nor a number at the end of a sentence, nor the initial of a name there: two sentences then stay together,
which costs little, for a model reads them as one. Thai, Khmer and others without such marks are cut at line ends alone.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

_WORDS = """
mr mrs ms dr prof st sr jr vs vol fig pp ed eds al inc ltd co gen col capt lt sgt rev hon approx dept
hr fr frl str nr bzw ca vgl evtl usw bd abb aufl hrsg geb gest jh mio mrd tel abs ziff inkl zzgl
mme mlle mm av bd env etc cf jan feb febr aug sept okt oct nov dez dec
"""
ABBREVIATIONS = frozenset(_WORDS.split())
"""Words behind which a period ends no sentence, in small letters: English, German, French."""

END = re.compile(r"""(?<![.!?…])[.!?…]++["'”’»«“)\]]*+(?=\s)|[。！？]+[」』”’）]*""")
"""Only looked for where a row of marks begins, and nothing given back (``++``): 50,000 periods are read once."""

SPACE = re.compile(r"\s*")
MARKER = re.compile(r"\s*(?:(?:[-*•+–—]|#{1,6}|>+|\d{1,3}[.)]|[a-zA-Z]\))\s+)*")
"""What stands at the beginning of a line and is no text: indentation, bullets, numbers of lists, marks of headings."""

LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
LINE = re.compile(rf"[^{LINE_ENDS}]*(?:\r\n|[{LINE_ENDS}])|[^{LINE_ENDS}]+")
TAB = re.compile(rf"(?<=\S)([^\S{LINE_ENDS}\t\x1f]*+[\t\x1f][^\S{LINE_ENDS}]*+)(?=\S)")
"""White space within a line with a tab in it: what parts columns."""

FENCE = re.compile(r"[ \t>]*(`{3,}+|~{3,}+)([^`]*)")
"""A line that begins a block of code, or without the rest ends it (CommonMark, section 4.5)."""


class Segment(NamedTuple):
    """A part of a document."""

    text: str
    is_sentence: bool
    """Whether it is to be translated; if not, it is white space, a mark at the beginning of a line, or no text."""


def segments(document: str, *, wrapped: bool = False) -> Iterator[Segment]:
    """The parts of a document in order; their texts, joined, are the document.

    Args:
        document: text with its line ends, of any kind.
        wrapped: lines were broken to a width, so that a sentence may go on in the next; only blank lines, and lines
            that begin with a mark of a list, end one. Otherwise every line end does.
    """
    for lines, is_code in _code(LINE.findall(document)):
        if is_code:
            yield Segment("".join(lines), False)
            continue
        for block in _blocks(lines, wrapped):
            marker = MARKER.match(block)
            start = marker.end() if marker else 0
            body = block[start:].rstrip()
            if start:
                yield Segment(block[:start], False)
            for number, part in enumerate(TAB.split(body)):
                yield from [Segment(part, False)] if number % 2 else _sentences(part)
            if end := block[start + len(body) :]:
                yield Segment(end, False)


def _code(lines: list[str]) -> Iterator[tuple[list[str], bool]]:
    """The lines in turn, those of a block of code together; a fence that nothing closes is a block by itself."""
    start = place = 0
    ends = _fences(lines)
    while place < len(lines):
        if place not in ends:
            place += 1
            continue
        yield lines[start:place], False
        yield lines[place : ends[place]], True
        start = place = ends[place]
    yield lines[start:], False


def _fences(lines: list[str]) -> dict[int, int]:
    """Where the block would end, the line after its last, that each line with a fence would begin.

    From the last line to the first, so that each is looked at once: of the fences that may close a block, those are
    kept that are longer than all before them, nearest last.
    """
    ends: dict[int, int] = {}
    closing: dict[str, list[tuple[int, int]]] = {"`": [], "~": []}  # the length of each, and the line after it
    for place in range(len(lines) - 1, -1, -1):
        fence = FENCE.fullmatch(lines[place].rstrip())
        if fence is None:
            continue
        length, nearest_last = len(fence[1]), closing[fence[1][0]]
        first = bisect_right(nearest_last, -length, key=lambda known: -known[0])  # those before are long enough
        ends[place] = nearest_last[first - 1][1] if first else place + 1
        if not fence[2]:
            while nearest_last and nearest_last[-1][0] <= length:
                nearest_last.pop()
            nearest_last.append((length, place + 1))
    return ends


def _blocks(lines: list[str], wrapped: bool) -> Iterator[str]:
    """Lines with their ends; where they are wrapped, paragraphs."""
    if not wrapped:
        yield from lines
        return
    block: list[str] = []
    for line in lines:
        marker = MARKER.match(line)
        begins = not line.strip() or (marker is not None and marker[0].strip() != "")
        if block and (begins or not block[-1].strip()):  # a blank line is a block by itself
            yield "".join(block)
            block = []
        block.append(line)
    if block:
        yield "".join(block)


def _sentences(text: str) -> Iterator[Segment]:
    """The sentences of a text without white space at its ends, and what is between them."""
    start = word = 0  # where the sentence begins, and where its last word may at the earliest
    for mark in END.finditer(text):
        space = SPACE.match(text, mark.end())
        following = mark.end() if space is None else space.end()
        if following < len(text) and _ends(text, max(start, word), mark, text[following]):
            yield _segment(text[start : mark.end()])
            if following > mark.end():
                yield Segment(text[mark.end() : following], False)
            start = following
        if following > mark.end():
            word = following
    if start < len(text):
        yield _segment(text[start:])


def _segment(text: str) -> Segment:
    """A sentence; what has no letter stays as it is."""
    return Segment(text, any(map(str.isalpha, text)))


def _ends(text: str, word: int, mark: re.Match[str], following: str) -> bool:
    """Whether a mark ends a sentence, whose last word begins at a place in the text or behind it."""
    if following.islower():
        return False
    if mark[0] != ".":
        return True
    last = text[word : mark.start()].split()[-1:]
    name = last[0].lstrip("\"'“„‚‘«»([").lower() if last else ""
    single = len(name.split(".")[-1]) == 1 and name[-1:].isalpha()
    return not (single or name.isdigit() or name in ABBREVIATIONS)
