"""Whether two sentences translate each other, by their words: a linear map from source words to target words.

A sentence is a bag of words, hashed into `SIZE` dimensions with random signs and divided by the square root of each
word's frequency. The map W is the ridge regression of targets on sources, and the score of a pair the cosine of W x and
y. It is estimated from the corpus itself. Two halves of the corpus score each other, so that no pair has been seen.
"""

import zlib
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

SIZE, LARGE = 512, 50_000
"""Dimensions of a sentence; a quarter of them in corpora of more pairs, where they suffice and save memory."""
STEM = 5
"""Characters of a word that count."""
LONGEST_WORD = 12
"""A longer word counts as its pairs of characters, as does text without spaces."""
BLOCK = 256
"""Consecutive pairs in the same half."""
SAMPLE = 20_000
"""Pairs of each half that the map is estimated from, at most."""
RIDGE = 0.3
"""Regularization, as a multiple of the mean variance."""
MAX_GAIN = 3.0
"""Bound of the gain of one pair, in nats."""
OTHER = 37
"""Lines to the sentence that stands for a random one."""

Floats = npt.NDArray[np.float32]


class LexicalModel:
    """Scores of pairs of lines by their words.

    Args:
        source, target: the sentences, as many on both sides.

    Attributes:
        evidence: mean gain of an aligned pair, in nats; near 0 if the words show nothing.
    """

    def __init__(self, source: Sequence[str], target: Sequence[str]) -> None:
        self._sides = sketches(source), sketches(target)
        self._halves = np.arange(len(source)) // BLOCK % 2
        self.evidence = 0.0

    def fit(self, partners: npt.NDArray[np.int64]) -> float:
        """Estimate the map and the distributions of scores; return `evidence`.

        Args:
            partners: the target line of each source line; -1: none, [pairs].
        """
        source, target = self._sides
        known = np.flatnonzero(partners >= 0)
        if not np.bincount(self._halves[known], minlength=2).all():  # each half is scored by the map of the other
            self.evidence = 0.0
            return self.evidence
        maps = [_ridge(source, target, known[self._halves[known] == half], partners) for half in (0, 1)]
        mapped = np.empty_like(source)
        for half, rows in enumerate(self._halves == half for half in (0, 1)):
            mapped[rows] = source[rows] @ maps[1 - half]
        self._mapped = mapped / np.maximum(np.linalg.norm(mapped, axis=1, keepdims=True), 1e-6)
        aligned = self._scores(known, partners[known])
        random = self._scores(known, partners[np.roll(known, OTHER)])
        self._means = float(aligned.mean()), float(random.mean())
        self._spreads = max(float(aligned.std()), 1e-3), max(float(random.std()), 1e-3)
        self.evidence = float(self._gains(aligned).mean()) if self._means[0] > self._means[1] else 0.0
        return self.evidence

    def gain(self, lag: int, start: int, stop: int) -> Floats:
        """The log likelihood ratio, aligned or random, of source line i with target line i + lag, [stop - start]."""
        low, high = max(start, -lag), min(stop, len(self._halves) - lag)
        gains = np.zeros(stop - start, np.float32)
        if self.evidence > 0 and low < high:
            rows = np.arange(low, high)
            gains[low - start : high - start] = self._gains(self._scores(rows, rows + lag))
        return gains

    def _scores(self, rows: npt.NDArray[np.int64], partners: npt.NDArray[np.int64]) -> Floats:
        parts = [
            np.einsum("ij,ij->i", self._mapped[rows[part]], self._sides[1][partners[part]])
            for part in _parts(len(rows))
        ]
        return np.concatenate([np.zeros(0, np.float32), *parts])

    def _gains(self, scores: Floats) -> Floats:
        (mean, other), (spread, wide) = self._means, self._spreads
        ratio = ((scores - other) / wide) ** 2 / 2 - ((scores - mean) / spread) ** 2 / 2 + np.log(wide / spread)
        return np.asarray(np.clip(ratio, -MAX_GAIN, MAX_GAIN), np.float32)


def sketches(sentences: Sequence[str]) -> Floats:
    """The bags of words of sentences as unit vectors, centred, [sentences, dimensions]."""
    found: list[int] = []
    counts = np.zeros(len(sentences), np.int64)
    known: dict[str, int] = {}
    for row, sentence in enumerate(sentences):
        before = len(found)
        found += [known.setdefault(word, len(known)) for word in _units(sentence)]
        counts[row] = len(found) - before
    words = np.array(found, np.int64)
    codes = np.fromiter((zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in known), np.int64, len(known))
    frequencies = np.bincount(words, minlength=len(known))
    weights = np.where(codes >> 20 & 1, 1, -1) / np.sqrt(np.maximum(frequencies, 1))
    size = SIZE if len(sentences) <= LARGE else SIZE // 4
    vectors = np.zeros((len(sentences), size), np.float32)
    np.add.at(vectors, (np.repeat(np.arange(len(sentences)), counts), codes[words] % size), weights[words])
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
    return np.asarray(vectors - vectors.mean(0), np.float32)


def _units(sentence: str) -> Iterator[str]:
    for word in sentence.lower().split():
        if len(word) > LONGEST_WORD:
            yield from (word[start : start + 2] for start in range(len(word) - 1))
        else:
            yield word[:STEM]


def _ridge(source: Floats, target: Floats, rows: npt.NDArray[np.int64], partners: npt.NDArray[np.int64]) -> Floats:
    """The map from source to target vectors, from at most `SAMPLE` of these source lines."""
    rows = rows[:: -(-len(rows) // SAMPLE)] if len(rows) else rows
    inputs, outputs = source[rows], target[partners[rows]]
    products = inputs.T @ inputs
    products[np.diag_indices(len(products))] += RIDGE * max(float(np.trace(products)) / len(products), 1e-6)
    return np.asarray(np.linalg.solve(products, inputs.T @ outputs), np.float32)


def _parts(count: int) -> Iterator[slice]:
    return (slice(start, start + 10_000) for start in range(0, count, 10_000))
