"""Which sentences share a batch, and in what order batches come: a function of (lengths, weights, seed, epoch)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2seq.errors import ConfigError
from seq2seq.settings import setting

Indices = NDArray[np.int64]


@dataclass(kw_only=True)
class BatchConfig:
    """How sentences are put together."""

    tokens: int = setting(
        4096,
        "pieces of a batch on either side, padding included; tokenizer.sampling: up to 3 times as many",
        at_least=1,
    )
    pool: int = setting(100, "batches whose sentences are sorted by length together; more: less padding", at_least=1)


class Place(NamedTuple):
    """Where in the stream of batches training stands."""

    epoch: int
    batch: int
    """Batches of this epoch already taken."""


class Order:
    """The endless stream of batches over a table of sentence lengths.

    Every epoch shuffles all pairs, cuts them into pools, sorts each pool by length, cuts the pools into batches of at
    most ``tokens`` padded target (and source) pieces, a longer pair alone, and shuffles the batches. Pieces are those
    of the lengths given: text that is then cut anew has more (`seq2seq.data.sampling.GROWTH`).

    Args:
        source_lengths: pieces of each pair's source, [pairs], end mark not counted.
        target_lengths: the same of the targets.
        config: how full a batch is.
        seed: of all that is random.
        weights: how often an epoch holds each pair on average, [pairs]: 2.3 is two copies in each epoch and a third in
            three of ten, other pairs each time. None, or 1 throughout: every pair once.

    Raises:
        ConfigError: the weights add up to less than one pair an epoch.
    """

    def __init__(
        self,
        source_lengths: NDArray[np.int32],
        target_lengths: NDArray[np.int32],
        config: BatchConfig,
        seed: int,
        weights: NDArray[np.float64] | None = None,
    ) -> None:
        # One more piece a sentence: the end mark on both sides.
        self.source_lengths = source_lengths + 1
        self.target_lengths = target_lengths + 1
        self.config = config
        self.seed = seed
        self.weights = None if weights is None or (weights == 1).all() else weights
        if weights is not None and weights.sum() < 1:
            raise ConfigError(
                f"the weights leave {weights.sum():.2g} of {len(weights):,} pairs in an epoch: raise data.weight, or "
                "the weight of a corpus in data.more"
            )

    def epoch(self, number: int) -> list[Indices]:
        """All batches of an epoch, each the row numbers of its pairs."""
        generator = np.random.default_rng([self.seed, number])
        shuffled = self._shuffled(generator)
        mean_length = float(self.target_lengths[shuffled].mean())
        pool_size = max(1, int(self.config.pool * self.config.tokens / mean_length))
        batches: list[Indices] = []
        for start in range(0, len(shuffled), pool_size):
            batches += self._cut(shuffled[start : start + pool_size])
        generator.shuffle(batches)
        return batches

    def stream(self, place: Place) -> Iterator[tuple[Indices, Place]]:
        """Batches from ``place`` on, each with the place after it."""
        epoch, taken = place
        while True:
            batches = self.epoch(epoch)
            for number in range(taken, len(batches)):
                last = number + 1 == len(batches)
                yield batches[number], Place(epoch + 1, 0) if last else Place(epoch, number + 1)
            epoch, taken = epoch + 1, 0

    def _shuffled(self, generator: np.random.Generator) -> Indices:
        """The rows of an epoch in random order, each as often as its weight says.

        Systematic sampling in random order (Madow 1949) gives a fraction its exact chance and the epoch its size to one
        pair. The copies of a pair are spread: the k-th of n lies in the k-th n-th of the epoch, seldom in one batch.
        """
        shuffled = generator.permutation(len(self.target_lengths))
        if self.weights is None:
            return shuffled
        whole = np.floor(self.weights[shuffled])
        reached = np.floor(np.cumsum(self.weights[shuffled] - whole) + generator.random())
        copies = (whole + np.diff(reached, prepend=0)).astype(np.int64)
        number = np.arange(copies.sum()) - np.repeat(np.cumsum(copies) - copies, copies)
        place = (number + generator.random(len(number))) / np.repeat(copies, copies)
        return np.repeat(shuffled, copies)[np.argsort(place)]

    def _cut(self, rows: Indices) -> list[Indices]:
        """Sort by target then source length and cut where one more pair would overflow the budget."""
        rows = rows[np.lexsort((self.source_lengths[rows], self.target_lengths[rows]))]
        longest = np.maximum(self.target_lengths[rows], self.source_lengths[rows])
        batches, start, width = [], 0, 0
        for end, length in enumerate(longest.tolist()):
            wider = max(width, length)
            if end > start and wider * (end + 1 - start) > self.config.tokens:
                batches.append(rows[start:end])
                start, wider = end, length
            width = wider
        batches.append(rows[start:])
        return batches
