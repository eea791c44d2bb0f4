"""How much of a translation is copied from its source: the score of the source itself, and when a pointer pays."""

from collections.abc import Sequence

from seq2seq.corpora.copied_words import POINTER_FROM, copied_words
from seq2seq.corpora.corpus import Pair
from seq2seq.tokenizer.normalization import normalize

SAMPLE = 2_000
"""Pairs, evenly spaced, that are scored."""


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
    copied, words = map(sum, zip(*map(copied_words, filled), strict=True))
    share = copied / max(1, words)
    if share >= POINTER_FROM:
        notes.append(
            f"{name}: {share:.0%} of the target's words stand in the source: set model.copy=pointer, which lets the "
            "model copy words of the source instead of spelling them from its vocabulary"
        )
    return notes
