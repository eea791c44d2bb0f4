"""Similarity of two sentences by sacreBLEU, and the expected utilities of minimum Bayes risk."""

from collections import Counter
from collections.abc import Sequence

from sacrebleu.metrics.chrf import CHRF

from seq2seq.metrics.sacrebleu_private import sentence_scores
from seq2seq.metrics.score import sentence_bleu


class Similarity:
    """sacreBLEU's sentence score, scaled to 0 … 1; equal texts have 1, even if they are empty.

    BLEU is that of `sacrebleu.sentence_bleu`: exponential smoothing and effective order (Chen & Cherry 2014).

    Args:
        metric: bleu or chrf.
        language: language code that selects BLEU's tokenization.
    """

    def __init__(self, metric: str, language: str = "") -> None:
        self.metric = sentence_bleu(language) if metric == "bleu" else CHRF()

    def __call__(self, hypotheses: Sequence[str], reference: str) -> list[float]:
        """Return one score per hypothesis; equal texts are scored once."""
        texts = list(dict.fromkeys(hypotheses))
        scores = dict(zip(texts, sentence_scores(self.metric, texts, reference), strict=True))
        return [1.0 if text == reference else min(1.0, scores[text] / 100) for text in hypotheses]


def expected_utilities(texts: Sequence[str], similarity: Similarity) -> dict[str, float]:
    """Return the utility of every text: its mean similarity to all texts.

    Minimum Bayes risk with samples as references (Eikema & Aziz 2022, equation 6, "MBR N-by-N"): each text is a
    candidate and each sample, itself included, a reference. Duplicates count as often as they occur.

    Returns:
        a value in [0, 1] for each different text, in order of first occurrence.
    """
    counts = Counter(texts)
    candidates = list(counts)
    utilities = dict.fromkeys(candidates, 0.0)
    for reference, count in counts.items():
        for text, score in zip(candidates, similarity(candidates, reference), strict=True):
            utilities[text] += score * count / len(texts)
    return utilities
