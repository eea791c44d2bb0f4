"""Which sentences share a batch, and in what order batches come: a function of (lengths, seed, epoch) alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2seq.settings import setting

Indices = NDArray[np.int64]


@dataclass(kw_only=True)
class BatchConfig:
    """How sentences are put together."""

    tokens: int = setting(4096, "target pieces of a batch, padding included", at_least=1)
    pool: int = setting(100, "batches whose sentences are sorted by length together; more: less padding", at_least=1)


class Place(NamedTuple):
    """Where in the stream of batches training stands."""

    epoch: int
    batch: int
    """Batches of this epoch already taken."""


class Order:
    """The endless stream of batches over a table of sentence lengths.

    Every epoch shuffles all pairs, cuts them into pools, sorts each pool by length, cuts the pools into batches of at
    most ``tokens`` padded target (and source) pieces, and shuffles the batches.
    """

    def __init__(
        self, source_lengths: NDArray[np.int32], target_lengths: NDArray[np.int32], config: BatchConfig, seed: int
    ) -> None:
        # One more piece a sentence: the end mark on both sides.
        self.source_lengths = source_lengths + 1
        self.target_lengths = target_lengths + 1
        self.config = config
        self.seed = seed

    def epoch(self, number: int) -> list[Indices]:
        """All batches of an epoch, each the row numbers of its pairs."""
        generator = np.random.default_rng([self.seed, number])
        shuffled = generator.permutation(len(self.target_lengths))
        mean_length = float(self.target_lengths.mean())
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
