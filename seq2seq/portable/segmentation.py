"""Sentence segmentation: documents into sentences and what is between them, long texts into segments.

The rules are few and written here, because the libraries for this task are large models or no longer maintained. A
sentence ends at ``.``, ``!``, ``?`` or ``…``, including closing quotation marks and brackets, if white space follows
and then anything except a lowercase letter. A period does not end a sentence after a single letter (``J. Smith``,
``z. B.``), after digits (``3. Mai``) or after one of the abbreviations below. After the full-width marks ``。！？`` no
white space is needed. Text without a letter (``---``, ``|---|``, ``12:30``) is not a sentence, nor is a fenced block of
code. Line ends and tabs separate sentences and are preserved.

Limitations: other abbreviations before a capital end a sentence. A sentence does not end before a lowercase letter
(``iPhone``), after a number, or after a name's initial; the two sentences then stay together, and a model translates
them as one. Thai, Khmer and other scripts without such punctuation are split at line ends only.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from seq2seq.portable.normalization import LEADING, is_blank, normalize
from seq2seq.portable.normalization import SPACE as SPACE_TOKEN
from seq2seq.portable.placeholders import Placeholders

_WORDS = """
mr mrs ms dr prof st sr jr vs vol fig pp ed eds al inc ltd co gen col capt lt sgt rev hon approx dept
hr fr frl str nr bzw ca vgl evtl usw bd abb aufl hrsg geb gest jh mio mrd tel abs ziff inkl zzgl
mme mlle mm av bd env etc cf jan feb febr aug sept okt oct nov dez dec
"""
ABBREVIATIONS = frozenset(_WORDS.split())
"""Lowercase words after which a period does not end a sentence: English, German, French."""

SENTENCE_END = re.compile(r"""(?<![.!?…])[.!?…]++["'”’»«“)\]]*+(?=\s)|[。！？]+[」』”’）]*""")
"""Matches only at the first mark of a row and does not backtrack (``++``), so that 50,000 periods are read once."""

SPACE = re.compile(r"\s*")
SEPARATOR = re.compile(r"[.!?…。！？\s]")
"""What may separate sentences."""

MARKER = re.compile(r"\s*(?:(?:[-*•+–—]|#{1,6}|>+|\d{1,3}[.)]|[a-zA-Z]\))\s+)*")
"""The start of a line that is not text: indentation, bullets, list numbers, heading marks."""

LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
LINE = re.compile(rf"[^{LINE_ENDS}]*(?:\r\n|[{LINE_ENDS}])|[^{LINE_ENDS}]+")
TAB = re.compile(rf"(?<=\S)([^\S{LINE_ENDS}\t\x1f]*+[\t\x1f][^\S{LINE_ENDS}]*+)(?=\S)")
"""White space with a tab inside a line: it separates columns."""

FENCE = re.compile(r"[ \t>]*(`{3,}+|~{3,}+)([^`]*)")
"""A line that opens a block of code, or closes it if the second group is empty (CommonMark, section 4.5)."""

MAX_SEGMENT = 1_000
"""Characters per segment of a long text; also the longest sentence that the corpus doctor accepts.

Models are trained on sentences of a few hundred tokens (``data.filters.max_length``) and fail on longer ones, and the
cost of a search grows with the square of the length.
"""

CUTS = (re.compile(r"[.!?…]['\"”’»)\]]*\s|[。！？]"), re.compile(r"\s"))
"""Where to cut a sentence that is too long, best first: after punctuation, between words."""


class DocumentPart(NamedTuple):
    """A part of a document."""

    text: str
    is_sentence: bool
    """False for white space, markers at the start of a line, and text without a letter."""


def split_document(
    document: str, *, wrapped: bool = False, placeholders: Placeholders | None = None
) -> Iterator[DocumentPart]:
    """The parts of a document in order; their texts joined are the document.

    Args:
        document: text with line ends of any kind.
        wrapped: lines are broken at a fixed width, so a sentence may continue on the next line. Only blank lines and
            lines that start with a list marker end a sentence. Otherwise every line end does.
        placeholders: no sentence ends inside one of them (at a line end only if ``wrapped``).
    """
    for lines, is_code in _code_blocks(LINE.findall(document)):
        if is_code:
            yield DocumentPart("".join(lines), False)
            continue
        for block in _paragraphs(lines) if wrapped else lines:
            masked = _masked(block, placeholders)
            marker = MARKER.match(masked)
            place = marker.end() if marker else 0
            if place:
                yield DocumentPart(block[:place], False)
            for number, part in enumerate(TAB.split(masked[place:].rstrip())):
                text = block[place : place + len(part)]
                yield from [DocumentPart(text, False)] if number % 2 else _sentences(text, part)
                place += len(part)
            if end := block[place:]:
                yield DocumentPart(end, False)


def _masked(text: str, placeholders: Placeholders | None) -> str:
    """A text of the same length, in which no white space or punctuation of a placeholder separates sentences."""
    masked, end = "", 0
    for start, stop in [] if placeholders is None else placeholders.spans(text):
        masked += text[end:start] + SEPARATOR.sub("_", text[start:stop])
        end = stop
    return masked + text[end:]


def _code_blocks(lines: list[str]) -> Iterator[tuple[list[str], bool]]:
    """Consecutive lines, and whether they are a block of code; an unclosed fence is a block by itself."""
    start = line = 0
    ends = _fence_ends(lines)
    while line < len(lines):
        if line not in ends:
            line += 1
            continue
        yield lines[start:line], False
        yield lines[line : ends[line]], True
        start = line = ends[line]
    yield lines[start:], False


def _fence_ends(lines: list[str]) -> dict[int, int]:
    """For each line with a fence, the line after the block that it would open.

    Lines are read backwards, each once. A list keeps the fences that may close a block and are longer than all
    fences before them, the nearest last.
    """
    ends: dict[int, int] = {}
    closing: dict[str, list[tuple[int, int]]] = {"`": [], "~": []}  # length of each fence, and the line after it
    for line in range(len(lines) - 1, -1, -1):
        fence = FENCE.fullmatch(lines[line].rstrip())
        if fence is None:
            continue
        length, nearest_last = len(fence[1]), closing[fence[1][0]]
        long_enough = bisect_right(nearest_last, -length, key=lambda candidate: -candidate[0])
        ends[line] = nearest_last[long_enough - 1][1] if long_enough else line + 1
        if not fence[2]:
            while nearest_last and nearest_last[-1][0] <= length:
                nearest_last.pop()
            nearest_last.append((length, line + 1))
    return ends


def _paragraphs(lines: list[str]) -> Iterator[str]:
    """Lines joined to paragraphs; a blank line is a paragraph by itself."""
    paragraph: list[str] = []
    for line in lines:
        marker = MARKER.match(line)
        begins = not line.strip() or (marker is not None and marker[0].strip() != "")
        if paragraph and (begins or not paragraph[-1].strip()):
            yield "".join(paragraph)
            paragraph = []
        paragraph.append(line)
    if paragraph:
        yield "".join(paragraph)


def _sentences(text: str, masked: str) -> Iterator[DocumentPart]:
    """The sentences of a stripped text, and the white space between them; they end where those of ``masked`` do."""
    start = word = 0  # of the sentence; the earliest start of its last word
    for mark in SENTENCE_END.finditer(masked):
        space = SPACE.match(masked, mark.end())
        following = mark.end() if space is None else space.end()
        if following < len(text) and _ends_sentence(text, max(start, word), mark, text[following]):
            yield _sentence(text[start : mark.end()])
            if following > mark.end():
                yield DocumentPart(text[mark.end() : following], False)
            start = following
        if following > mark.end():
            word = following
    if start < len(text):
        yield _sentence(text[start:])


def _sentence(text: str) -> DocumentPart:
    return DocumentPart(text, any(map(str.isalpha, text)))


def _ends_sentence(text: str, word: int, mark: re.Match[str], following: str) -> bool:
    """Whether a mark ends a sentence whose last word starts at ``word`` or later."""
    if following.islower():
        return False
    if mark[0] != ".":
        return True
    last = text[word : mark.start()].split()[-1:]
    name = last[0].lstrip("\"'“„‚‘«»([").lower() if last else ""
    single = len(name.split(".")[-1]) == 1 and name[-1:].isalpha()
    return not (single or name.isdigit() or name in ABBREVIATIONS)


# Long texts


def split_long_text(
    text: str, tags: Collection[str] = (), first_sentences: int = 1, placeholders: Placeholders | None = None
) -> list[str]:
    """A text in segments of at most `MAX_SEGMENT` characters: one for most texts, none for blank text.

    A longer text is split into its sentences. A sentence that is too long is cut between words, or anywhere if it has
    one word. If the first words are ``tags``, every segment starts with them.

    Args:
        text: of any length.
        tags: words that a model expects at the start of each sentence.
        first_sentences: number of sentences that are joined in the first segment, as far as they fit.
        placeholders: no segment ends inside one of them, unless it is longer than a segment.
    """
    if len(text) <= MAX_SEGMENT:
        return [] if is_blank(text) else [text]
    start, body = _leading_tags(text, tags)
    longest = MAX_SEGMENT - len(start)
    sentences = split_sentences(body, placeholders)
    segments = [segment for sentence in sentences for segment in _cut(sentence, longest, placeholders)]
    while first_sentences > 1 and len(segments) > 1 and len(segments[0]) + 1 + len(segments[1]) <= longest:
        segments[:2] = [f"{segments[0]} {segments[1]}"]
        first_sentences -= 1
    return [f"{start}{segment}" for segment in segments]


def _leading_tags(text: str, tags: Collection[str]) -> tuple[str, str]:
    """The first words of a text that are tags, each with a space, as models read them, and the rest of the text."""
    start = ""
    while words := LEADING.sub("", text.replace(SPACE_TOKEN, " ")).split(maxsplit=1):
        tag = normalize(words[0])
        if tag not in tags or len(start) + len(tag) >= MAX_SEGMENT // 2:
            break
        start, text = f"{start}{tag} ", "".join(words[1:])
    return start, text


def split_sentences(text: str, placeholders: Placeholders | None = None) -> list[str]:
    """The sentences of a text, each with what precedes it; text without a letter at the end joins the last sentence."""
    sentences, parts = list[str](), list[str]()
    for part, is_sentence in split_document(text, wrapped=True, placeholders=placeholders):
        parts.append(part)
        if is_sentence:
            sentences.append("".join(parts).strip())
            parts = []
    rest = "".join(parts).strip()
    if rest and sentences:
        sentences[-1] = f"{sentences[-1]} {rest}"
    elif rest:
        sentences.append(rest)
    return sentences


def align_segments(sources: Sequence[str], targets: Sequence[str]) -> list[tuple[str, str]]:
    """Pair the segments of a text with those of its translation, in order, by similar shares of the characters.

    There are as many pairs as segments on the side with fewer. Each pair has one of these and one or more of the other
    side, joined by a space.
    """
    if len(sources) > len(targets):
        return [(source, target) for target, source in align_segments(targets, sources)]
    if not sources:
        return []
    source_shares, target_shares = _shares(sources), _shares(targets)
    ends = [0]
    for number, share in enumerate(source_shares, 1):
        lowest, highest = ends[-1] + 1, len(targets) - (len(sources) - number)
        above = min(bisect_left(target_shares, share, lowest - 1) + 1, highest)  # shares ascend
        nearest = min(range(max(lowest, above - 1), above + 1), key=lambda end: abs(target_shares[end - 1] - share))
        ends.append(highest if number == len(sources) else nearest)
    return [(source, " ".join(targets[start:end])) for source, start, end in zip(sources, ends, ends[1:], strict=False)]


def _shares(texts: Sequence[str]) -> list[float]:
    """The share of all characters in the first text, in the first two, and so on."""
    length = sum(map(len, texts))
    return list(accumulate(len(text) / length for text in texts))


def _cut(text: str, longest: int, placeholders: Placeholders | None) -> Iterator[str]:
    masked, start = _masked(text, placeholders), 0
    spans = [] if placeholders is None or len(text) <= longest else placeholders.spans(text)
    while start < len(text):
        end = start + longest
        if end < len(text):
            inside = [first for first, last in spans if start < first < end < last]
            places = (_last_match(cut, masked, end - longest // 2, end) for cut in CUTS)
            end = next(filter(None, places), inside[0] if inside else end)
        segment = text[start:end].strip()
        if not is_blank(segment):
            yield segment
        start = end


def _last_match(pattern: re.Pattern[str], text: str, start: int, end: int) -> int | None:
    """The end of the pattern's last match between two positions."""
    ends = [match.end() for match in pattern.finditer(text, start, end)]
    return ends[-1] if ends else None
