"""The private functions of sacreBLEU that this project calls, with the reason for each (sacreBLEU 2.4 to 2.6)."""

from collections.abc import Sequence
from typing import Any

from sacrebleu.metrics.base import Metric


def corpus_counts(metric: Metric, hypotheses: Sequence[str], references: Sequence[str]) -> list[Any]:
    """Return each sentence's counts: resampling and significance tests add them up, and no public function has them."""
    counts: list[Any] = metric._extract_corpus_statistics(hypotheses, [references])
    return counts


def corpus_score(metric: Metric, counts: list[Any]) -> float:
    """Return the score of the summed counts: `corpus_score` would count the n-grams again."""
    return float(metric._aggregate_and_compute(counts).score)


def score_from_sums(metric: Metric, sums: list[float]) -> float:
    """Return the score of counts that were summed here: no public function takes sums."""
    return float(metric._compute_score_from_stats(sums).score)


def preprocessed(metric: Metric, text: str) -> str:
    """Return a sentence as the metric tokenizes it, with spaces between words: no public function does."""
    return str(metric._preprocess_segment(text))


def sentence_scores(metric: Metric, hypotheses: Sequence[str], reference: str) -> list[float]:
    """Return a sentence score per hypothesis; `sentence_score` would count the reference's n-grams for each of them.

    Counting them once halves the time.
    """
    info = metric._extract_reference_info([metric._preprocess_segment(reference)])
    counts = (metric._compute_segment_statistics(metric._preprocess_segment(text), info) for text in hypotheses)
    return [score_from_sums(metric, own) for own in counts]
