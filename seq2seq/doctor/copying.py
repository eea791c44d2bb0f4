"""How much of a translation is copied from its source: the score of the source itself, and when a pointer pays."""

import re
from collections.abc import Sequence

from seq2seq.corpora.corpus import Pair
from seq2seq.tokenizer.normalization import normalize

SAMPLE = 2_000
"""Pairs, evenly spaced, that are scored."""

POINTER_FROM = 0.25
"""Share of the target's words that stand in their source from which a model should copy by a pointer."""

WORD = re.compile(r"[^\W\d_]{2}")
"""Words have two letters; punctuation and single letters are in most sentences."""


def copied_share(pairs: Sequence[Pair]) -> float:
    """The share of the target's words that stand in their source, from 0 to 1."""
    found = total = 0
    for source, target in pairs:
        known = set(source.split())
        words = [word for word in target.split() if WORD.search(word)]
        found, total = found + sum(word in known for word in words), total + len(words)
    return found / max(1, total)


def copying_notes(name: str, pairs: Sequence[Pair], language: str) -> list[str]:
    """Return what copying the source unchanged scores, and whether a pointer is advisable; nothing if it is not.

    Args:
        name: of the corpus.
        pairs: the corpus.
        language: language code of the targets, for BLEU.
    """
    from seq2seq.metrics.copied_source import copied_source_report, copied_source_score  # imports sacreBLEU

    filled = [Pair(*map(normalize, pair)) for pair in pairs[:: max(1, len(pairs) // SAMPLE)]]
    filled = [pair for pair in filled if all(pair)]
    if not filled:
        return []
    sources, targets = zip(*filled, strict=True)
    report = copied_source_report(copied_source_score(sources, targets, language=language))
    notes = [f"{name}: {report}; a translator should score above that"] if report else []
    share = copied_share(filled)
    if share >= POINTER_FROM:
        notes.append(
            f"{name}: {share:.0%} of the target's words stand in the source: model.copy=pointer lets the model copy "
            "words instead of spelling them from its vocabulary (experiment=auto chooses it, elsewhere set it)"
        )
    return notes
