"""How many of the target's words stand in its source, and from which share on a model should copy them."""

from collections.abc import Iterator

import regex

from seq2seq.corpora.corpus import Pair
from seq2seq.corpora.words import LETTER, UNSPACED

POINTER_FROM = 0.25
"""Share of the target's words that stand in their source from which a model should copy by a pointer."""

_RUNS = regex.compile(rf"(?P<unspaced>(?:{UNSPACED})+)|(?:(?!{UNSPACED}){LETTER})+")
"""Letters of scripts without spaces between words, or a word of another script."""


def copied_words(pair: Pair) -> tuple[int, int]:
    """The number of the target's words that stand in the source, and the number of all its words."""
    known = {*_words(pair.source)}
    words = [*_words(pair.target)]
    return sum(word in known for word in words), len(words)


def _words(text: str) -> Iterator[str]:
    """The words, without punctuation; in scripts without spaces, every two neighbouring characters count as a word."""
    for run in _RUNS.finditer(text):
        if run["unspaced"] and len(run[0]) > 1:
            yield from map("".join, zip(run[0], run[0][1:], strict=False))
        else:
            yield run[0]
