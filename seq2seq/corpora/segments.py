"""Text that is longer than any sentence, cut into stretches that are translated one by one."""

import re
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from itertools import accumulate

from seq2seq.corpora.segmentation import segments

LONGEST = 1_000
"""Characters of a stretch: what the corpus doctor, too, takes for the length of a sentence at most.

Models learn from sentences of a few hundred pieces (``data.filters.max_length``) and are lost in longer ones; and what
a search costs grows with the square of the length.
"""

ENDS = (re.compile(r"[.!?…]['\"”’»)\]]*\s|[。！？]"), re.compile(r"\s"))
"""Where to cut, best first: behind a sentence, between words."""


def stretches(text: str, tags: Collection[str] = (), together: int = 1) -> list[str]:
    """The text in stretches of at most `LONGEST` characters; most texts are one. Of blank text, none.

    A longer text is cut into its sentences (`segmentation`), for which models are trained; a sentence that is too long
    between words, else anywhere. If the first word is one of the ``tags``, each stretch begins with it.

    Args:
        text: of any length.
        tags: words that a model reads before each sentence.
        together: so many sentences are the first stretch, as far as they fit.
    """
    if len(text) <= LONGEST:
        return [text] if text.strip() else []
    first, _, rest = text.partition(" ")
    tag, body = (f"{first} ", rest) if first in tags and len(first) < LONGEST // 2 else ("", text)
    longest = LONGEST - len(tag)
    parts = [part for sentence in sentences(body) for part in _cut(sentence, longest)]
    while together > 1 and len(parts) > 1 and len(parts[0]) + 1 + len(parts[1]) <= longest:
        parts[:2] = [f"{parts[0]} {parts[1]}"]
        together -= 1
    return [f"{tag}{part}" for part in parts]


def sentences(text: str) -> list[str]:
    """The sentences of a text, with what stands before each; what has no letter goes with its neighbour."""
    found, parts = list[str](), list[str]()
    for part, is_sentence in segments(text, wrapped=True):
        parts.append(part)
        if is_sentence:
            found.append("".join(parts).strip())
            parts = []
    rest = "".join(parts).strip()
    if rest and found:
        found[-1] = f"{found[-1]} {rest}"
    elif rest:
        found.append(rest)
    return found


def aligned(sources: Sequence[str], targets: Sequence[str]) -> list[tuple[str, str]]:
    """The stretches of a text and those of its translation, put together in order: pairs of similar shares of both.

    As many pairs as the side with fewer stretches has; each has one of that side and one or more of the other.
    """
    if len(sources) > len(targets):
        return [(source, target) for target, source in aligned(targets, sources)]
    if not sources:
        return []
    length, shares = sum(map(len, sources)), list(_shares(targets))
    ends, wanted = [0], 0.0
    for number, source in enumerate(sources, 1):
        wanted += len(source) / length
        lowest, highest = ends[-1] + 1, len(targets) - (len(sources) - number)
        above = min(bisect_left(shares, wanted, lowest - 1) + 1, highest)  # shares rise: the nearest is beside it
        best = min(range(max(lowest, above - 1), above + 1), key=lambda end: abs(shares[end - 1] - wanted))
        ends.append(highest if number == len(sources) else best)
    return [(source, " ".join(targets[start:end])) for source, start, end in zip(sources, ends, ends[1:], strict=False)]


def _shares(texts: Sequence[str]) -> Iterator[float]:
    """The part of all characters that are in the first text, in the first two, and so on."""
    length = sum(map(len, texts))
    return accumulate(len(text) / length for text in texts)


def _cut(text: str, longest: int) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = start + longest
        if end < len(text):
            end = next(filter(None, (_last(pattern, text, end - longest // 2, end) for pattern in ENDS)), end)
        stretch = text[start:end].strip()
        if stretch:
            yield stretch
        start = end


def _last(pattern: re.Pattern[str], text: str, start: int, end: int) -> int | None:
    """The end of the last match between two places."""
    places = [match.end() for match in pattern.finditer(text, start, end)]
    return places[-1] if places else None
