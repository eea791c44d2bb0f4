"""The score of the source left unchanged: what no translation at all is worth on a test set.

It is high for closely related languages, dialects, simplification and spelling, where a translator without a copy
mechanism can stay below it.
"""

from collections.abc import Sequence

from seq2seq.metrics.score import Score, check_lengths, fresh_metrics, measure

WORTH_SAYING = 1.0
"""BLEU of the unchanged source from which it is reported even if the translations are better."""


def copied_source_score(
    sources: Sequence[str], references: Sequence[str], *, language: str = "", lowercase: bool = False
) -> Score:
    """Return BLEU and chrF of the sources, left as they are, against the references; no TER and no intervals.

    Both sides are compared as given: normalize them as the translations that the score is compared with.

    Args:
        sources: text without tags such as ``<2de>``.
        references: as many, in the same order.
        language: language code of the references, which selects the tokenization of BLEU.
        lowercase: ignore case.

    Raises:
        DataError: no lines, or the numbers of sources and references differ.
    """
    check_lengths(sources, references)
    metrics = fresh_metrics(lowercase, language)
    bleu, chrf = (measure(metrics[name], sources, references, bootstrap=0) for name in ("bleu", "chrf"))
    return Score(bleu, chrf, None, len(sources))


CLOSE = 30.0
"""chrF of the unchanged source from which the advice names a copy mechanism: unrelated languages have 10 to 20."""


def copied_source_report(copied: Score, *translated: Score, copies: bool = False) -> str:
    """One line about the score of the unchanged source; empty if there is nothing to say.

    Args:
        copied: of the source (`copied_source_score`).
        translated: of the translations, one for each search; none for a corpus without translations.
        copies: whether the model has a copy mechanism.
    """
    best = max((each.bleu.score for each in translated), default=0.0)
    values = f"the unchanged source scores BLEU {copied.bleu.score:.1f}, chrF {copied.chrf.score:.1f}"
    if translated and copied.bleu.score > best:
        pointer = copied.chrf.score >= CLOSE and not copies
        how = "or with model.copy=pointer, which can copy words of the source"
        return f"{values}: above the translations (BLEU {best:.1f}); train longer{', ' + how if pointer else ''}"
    return values if copied.bleu.score >= WORTH_SAYING else ""
