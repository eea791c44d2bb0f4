"""Which side's language a sentence is in: naive Bayes over character trigrams, estimated from the corpus itself.

The score of a sentence is the mean over its trigrams of log p(trigram | source side) - log p(trigram | target side). It
is positive for sentences like those of the source side. No languages are known in advance. Trigrams are hashed into
65,536 buckets.
"""

import numpy as np
import numpy.typing as npt

from seq2seq.doctor.arrays import Mask, PairArrays, SentenceArray
from seq2seq.doctor.findings import Finding
from seq2seq.doctor.reasons import Reason

BUCKETS = 1 << 16
MIN_DIFFERENCE = 0.5
"""Least difference between the mean scores of the two sides; below it, both sides may be in one language."""
DISTANT = 3.0
"""Least difference of distant languages; Burmese and Rakhine have 1.4, Spanish and Aymara 3.8."""
MIN_LENGTH = 15
"""Least characters of a sentence that is classified."""
MIN_EVIDENCE = 8.0
"""Least sum of the scores of a sentence for the other side, in nats."""

MIN_COPIED_WORDS = 7
"""Least words of letters in a sentence that is surely not translated if both sides have it."""

Counts = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]


def trigram_buckets(sentences: SentenceArray) -> npt.NDArray[np.intp]:
    """Return the bucket of the trigram that starts at each code, [codes - 2]."""
    codes = sentences.codes
    mixed = codes[:-2] * 0x9E3779B1 + codes[1:-1] * 0x85EBCA6B + codes[2:] * 0xC2B2AE35
    return (mixed ^ (mixed >> 15)) & (BUCKETS - 1)


def count_trigrams(sentences: SentenceArray) -> Counts:
    """Count the trigrams of each bucket, [buckets]."""
    return np.bincount(trigram_buckets(sentences), minlength=BUCKETS)


class TrigramModel:
    """Trigram statistics of both sides.

    Args:
        source, target: counts from `count_trigrams`, [buckets].

    Attributes:
        mean_scores: of the source side (positive) and of the target side (negative).
        separable: whether the two sides differ enough to classify sentences.
        distant: whether they differ so much that no long sentence is right in both languages.
    """

    def __init__(self, source: Counts, target: Counts) -> None:
        shares = [(counts + 0.5) / (counts.sum() + 0.5 * BUCKETS) for counts in (source, target)]
        weights = np.log(shares[0] / shares[1])
        self.mean_scores = tuple(float(counts @ weights) / max(1, int(counts.sum())) for counts in (source, target))
        difference = self.mean_scores[0] - self.mean_scores[1]
        self.separable, self.distant = difference >= MIN_DIFFERENCE, difference >= DISTANT
        self._weights = weights.astype(np.float32)

    def scores(self, sentences: SentenceArray) -> Scores:
        """Return the score of each sentence, [sentences]."""
        weights = np.zeros(len(sentences.codes), np.float32)
        trigrams = self._weights[trigram_buckets(sentences)]
        weights[: len(trigrams)] = trigrams
        return sentences.sums(weights) / (sentences.lengths + 1)

    def like_target(self, sentences: SentenceArray) -> Mask:
        """Return which sentences resemble the target side, with at least half of its mean score, [sentences]."""
        scores = self.scores(sentences)
        certain = (sentences.lengths >= MIN_LENGTH) & (scores * sentences.lengths < -MIN_EVIDENCE)
        return certain & (scores < self.mean_scores[1] / 2)

    def like_source(self, sentences: SentenceArray) -> Mask:
        """Return which sentences resemble the source side, likewise, [sentences]."""
        scores = self.scores(sentences)
        certain = (sentences.lengths >= MIN_LENGTH) & (scores * sentences.lengths > MIN_EVIDENCE)
        return certain & (scores > self.mean_scores[0] / 2)


class WrongLanguages:
    """Finds exchanged sides, sides in the language of the other, and untranslated sentences.

    Args:
        model: statistics of the corpus.
    """

    def __init__(self, model: TrigramModel) -> None:
        self._model = model

    def find(self, data: PairArrays) -> list[Finding]:
        """Return at most five findings."""
        same = data.identical & ~data.source.blank
        for row in np.flatnonzero(same):
            same[row] = any(map(str.isalpha, data.source.sentences[row]))
        findings = [Finding(Reason.untranslated, np.flatnonzero(same))]
        if self._model.separable:
            source, target = self._model.like_target(data.source), self._model.like_source(data.target)
            # The sides are equal, so one of them is not translated; names and headings are short.
            copied = same & (source | target) & self._model.distant
            for row in np.flatnonzero(copied):
                words = map(str.isalpha, data.source.sentences[row].replace(",", "").replace(".", "").split())
                copied[row] = sum(words) >= MIN_COPIED_WORDS
            findings[0] = Finding(Reason.untranslated, np.flatnonzero(same & ~copied))
            findings.append(Finding(Reason.copied, np.flatnonzero(copied)))
            findings += [
                Finding(Reason.exchanged, np.flatnonzero(source & target)),
                Finding(Reason.other_language, np.flatnonzero(source & ~target & ~same), "source"),
                Finding(Reason.other_language, np.flatnonzero(target & ~source & ~same), "target"),
            ]
        return [finding for finding in findings if len(finding.rows)]
