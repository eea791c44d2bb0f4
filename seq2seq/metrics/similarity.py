"""How alike two sentences are: sacreBLEU's sentence scores, as a share, and what follows from them for many."""

from collections import Counter
from collections.abc import Sequence

from sacrebleu.metrics.chrf import CHRF

from seq2seq.metrics.score import sentence_bleu


class Similarity:
    """sacreBLEU's score of single sentences, as a share: 0 to 1.

    BLEU as `sacrebleu.sentence_bleu` has it: exponential smoothing and effective order (Chen & Cherry 2014).

    Args:
        metric: bleu or chrf.
        language: code of the language, by which BLEU cuts words.
    """

    def __init__(self, metric: str, language: str = "") -> None:
        self.metric = sentence_bleu(language) if metric == "bleu" else CHRF()

    def __call__(self, hypotheses: Sequence[str], reference: str) -> list[float]:
        """One score a hypothesis; those that read alike are scored once.

        `sentence_score` would count the reference's n-grams anew for each: half of the time.
        """
        metric = self.metric
        counted = metric._extract_reference_info([metric._preprocess_segment(reference)])
        scores = {}
        for text in set(hypotheses):
            counts = metric._compute_segment_statistics(metric._preprocess_segment(text), counted)
            scores[text] = float(metric._compute_score_from_stats(counts).score) / 100
        return [scores[text] for text in hypotheses]


def expected_utilities(texts: Sequence[str], similarity: Similarity) -> dict[str, float]:
    """What every text is worth as the translation, going by all: the mean of its similarity to each of them.

    Minimum Bayes risk with samples for references (Eikema & Aziz 2022, equation 6, "MBR N-by-N"): each text is a
    candidate, and each of those drawn, itself among them, a reference. A text that was drawn twice counts twice.

    Returns:
        a value within [0, 1] for each different text, in the order in which they came first.
    """
    times = Counter(texts)
    candidates = list(times)
    expected = dict.fromkeys(candidates, 0.0)
    for reference, count in times.items():
        for text, score in zip(candidates, similarity(candidates, reference), strict=True):
            expected[text] += score * count / len(texts)
    return expected
