"""How many of the target's words stand in its source, and from which share on a model should copy them."""

import re

from seq2seq.corpora.corpus import Pair

POINTER_FROM = 0.25
"""Share of the target's words that stand in their source from which a model should copy by a pointer."""

WORD = re.compile(r"\w")
"""What a word contains; punctuation is in most sentences."""


def copied_words(pair: Pair) -> tuple[int, int]:
    """The number of the target's words that stand in the source, and the number of all its words."""
    known = {*pair.source.split()}
    words = [word for word in pair.target.split() if WORD.search(word)]
    return sum(word in known for word in words), len(words)
