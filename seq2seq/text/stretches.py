"""Text that is longer than any sentence, cut into stretches that are translated one by one."""

import re
from collections.abc import Collection, Iterator

LONGEST = 1_000
"""Characters of a stretch: what the corpus doctor, too, takes for the length of a sentence at most.

Models learn from sentences of a few hundred pieces (``data.filters.max_length``) and are lost in longer ones; and what
a search costs grows with the square of the length.
"""

ENDS = (re.compile(r"[.!?…]['\"”’»)\]]*\s|[。！？]"), re.compile(r"\s"))
"""Where to cut, best first: behind a sentence, between words."""


def stretches(text: str, tags: Collection[str] = ()) -> list[str]:
    """The text in stretches of at most `LONGEST` characters; most texts are one. Of blank text, none.

    Cut behind a sentence, else between words, else anywhere. If the first word is one of the ``tags``, each stretch
    begins with it.
    """
    if len(text) <= LONGEST:
        return [text] if text.strip() else []
    first, _, rest = text.partition(" ")
    if first in tags and len(first) < LONGEST // 2:
        return [f"{first} {stretch}" for stretch in _cut(rest, LONGEST - len(first) - 1)]
    return list(_cut(text, LONGEST))


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
