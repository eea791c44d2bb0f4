"""Sentences in a language that neither side has, by the language identifier ``py3langid`` (an extra).

It knows about 100 languages. The language of a side is the one that most of its sentences are identified as; a side
without one is not checked, because its language is unknown to the identifier.
"""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from seq2seq.corpora.corpus import Pair
from seq2seq.doctor.findings import Finding
from seq2seq.doctor.reasons import Reason
from seq2seq.errors import install_hint

SAMPLE = 400
"""Sentences of a side from which its language is determined."""
MAJORITY = 0.8
"""Least share of them that one language has."""
MIN_LETTERS = 30
MARGIN = 25.0
"""Least difference of the log probabilities of a third language and of those of both sides."""
CHECKED = 10_000
"""Sentences of a side that are identified, at most, evenly spaced; each takes a quarter of a millisecond."""
HINT = f"a third language is not looked for: {install_hint('languages')}"


@cache
def identifier() -> Any | None:
    """The language identifier; None if it is not installed."""
    if find_spec("py3langid") is None:
        return None
    import py3langid

    return py3langid


def find_third_language(pairs: Sequence[Pair]) -> tuple[list[Finding], list[str]]:
    """Return at most one finding per side, and notes on what is not checked."""
    if identifier() is None:
        return [], [HINT]
    sides = dict(zip(("source", "target"), zip(*pairs, strict=True), strict=True)) if pairs else {}
    languages = {side: _language(sentences) for side, sentences in sides.items()}
    findings, notes = [], []
    for side, language in languages.items():
        if language is None:
            notes.append(f"the {side} side is not checked for a third language: its own language was not identified")
        elif rows := _foreign(sides[side], {name for name in languages.values() if name}):
            names = Counter(rows.values())
            every = "" if len(sides[side]) <= CHECKED else f" of {CHECKED:,} that were examined"
            note = f"identified{every} as " + ", ".join(f"{name} ({count:,})" for name, count in names.most_common(3))
            findings.append(Finding(Reason.third_language, np.array(list(rows), np.int64), side, note=note))
    return findings, notes


def _language(sentences: Sequence[str]) -> str | None:
    long = [text for text in sentences if _letters(text) >= MIN_LETTERS]
    sample = long[:: max(1, len(long) // SAMPLE)]
    names = Counter(identify(text)[0][0] for text in sample)
    name, count = names.most_common(1)[0] if names else ("", 0)
    return name if count >= MAJORITY * len(sample) and len(sample) >= 20 else None


def _foreign(sentences: Sequence[str], own: set[str]) -> dict[int, str]:
    """The language of each sentence that is in none of ``own``, by row."""
    found = {}
    candidates = [row for row, text in enumerate(sentences) if _letters(text) >= MIN_LETTERS]
    for row in candidates[:: -(-len(candidates) // CHECKED) or 1]:
        ranking = identify(sentences[row])
        scores = dict(ranking)
        name, best = ranking[0]
        if name not in own and all(best - scores.get(other, best) >= MARGIN for other in own):
            found[row] = name
    return found


def identify(text: str) -> list[tuple[str, float]]:
    """All languages with their log probabilities, likeliest first."""
    package = identifier()
    assert package is not None
    return [(str(name), float(score)) for name, score in package.rank(text)]


def _letters(text: str) -> int:
    return sum(map(str.isalpha, text))
