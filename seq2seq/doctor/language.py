"""Which side a sentence is written like: naive Bayes over characters, three at a time, learnt from the corpus itself.

A sentence's score is the mean over its trigrams of log p(trigram | source side) - log p(trigram | target side):
positive for what is written like the source. No language is known beforehand; trigrams share 65,536 buckets.
"""

import numpy as np
import numpy.typing as npt

from seq2seq.doctor.chunk import Chunk, Mask, Side
from seq2seq.doctor.types import Found, Reason

BUCKETS = 1 << 16
APART = 0.5
"""Mean scores of the two sides must be so far apart, or the languages cannot be told (both sides may be one)."""
SHORT = 15
"""Sentences of fewer characters are too short to be told by."""
EVIDENCE = 8.0
"""The least sum of a sentence's scores, in nats, against its own side."""

Counts = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]


def buckets(side: Side) -> npt.NDArray[np.intp]:
    """The bucket of the trigram that begins at each character but the last two of all, [characters + lines - 2]."""
    codes = side.codes
    mixed = codes[:-2] * 0x9E3779B1 + codes[1:-1] * 0x85EBCA6B + codes[2:] * 0xC2B2AE35
    return (mixed ^ (mixed >> 15)) & (BUCKETS - 1)


def count_trigrams(side: Side) -> Counts:
    """How often each bucket is met, [buckets]."""
    return np.bincount(buckets(side), minlength=BUCKETS)


class Languages:
    """The two sides' ways of writing.

    Args:
        source, target: counts of `count_trigrams`, [buckets].

    Attributes:
        usual: the mean score of the source side, above 0, and of the target side, below.
        apart: whether the two can be told.
    """

    def __init__(self, source: Counts, target: Counts) -> None:
        shares = [(counts + 0.5) / (counts.sum() + 0.5 * BUCKETS) for counts in (source, target)]
        weights = np.log(shares[0] / shares[1])
        self.usual = tuple(float(counts @ weights) / max(1, int(counts.sum())) for counts in (source, target))
        self.apart = self.usual[0] - self.usual[1] >= APART
        self._weights = weights.astype(np.float32)

    def scores(self, side: Side) -> Scores:
        """The score of each sentence, [lines]."""
        weights = np.zeros(len(side.codes), np.float32)
        found = self._weights[buckets(side)]
        weights[: len(found)] = found
        return side.sums(weights) / (side.lengths + 1)

    def like_target(self, side: Side) -> Mask:
        """Which sentences are written rather like the target side, [lines]: at least half as much so as is usual."""
        scores = self.scores(side)
        enough = (side.lengths >= SHORT) & (scores * side.lengths < -EVIDENCE)
        return enough & (scores < self.usual[1] / 2)

    def like_source(self, side: Side) -> Mask:
        """Which sentences are written rather like the source side, [lines]."""
        scores = self.scores(side)
        enough = (side.lengths >= SHORT) & (scores * side.lengths > EVIDENCE)
        return enough & (scores > self.usual[0] / 2)


class Language:
    """Sides that are exchanged or in the other's language, and sentences that are not translated at all.

    Args:
        languages: what was learnt of the corpus.
    """

    def __init__(self, languages: Languages) -> None:
        self._languages = languages

    def find(self, seen: Chunk) -> list[Found]:
        """Up to four findings."""
        same = seen.same & ~seen.source.blank
        for row in np.flatnonzero(same):
            same[row] = any(map(str.isalpha, seen.source.lines[row]))
        found = [Found(Reason.untranslated, np.flatnonzero(same))]
        if self._languages.apart:
            source, target = self._languages.like_target(seen.source), self._languages.like_source(seen.target)
            found += [
                Found(Reason.exchanged, np.flatnonzero(source & target)),
                Found(Reason.other_language, np.flatnonzero(source & ~target & ~same), "source"),
                Found(Reason.other_language, np.flatnonzero(target & ~source & ~same), "target"),
            ]
        return [one for one in found if len(one.rows)]
