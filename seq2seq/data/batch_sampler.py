"""Composes the batches of an epoch and orders them: a function of (lengths, weights, curriculum, seed, epoch)."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from seq2seq.data.config import BatchConfig
from seq2seq.errors import ConfigError, counted

Indices = NDArray[np.integer[Any]]
"""Row numbers of pairs: 32 bits each, or 64 if there are more pairs."""


class StreamPosition(NamedTuple):
    """A position in the stream of batches."""

    epoch: int
    batch: int
    """Batches of this epoch before the position."""


class Curriculum(NamedTuple):
    """Training begins with the shortest pairs, and longer ones join (Platanios et al. 2019)."""

    start: float
    """Competence before the first batch, in (0, 1)."""
    batches: int
    """Batches after which competence is 1, at least 1."""

    def competence(self, batches: int) -> float:
        """The share of the pairs, the shortest ones, that is trained on after this number of batches.

        c(t) = √(t (1 - c₀²) / T + c₀²): competence grows more slowly when more pairs share the batches.
        """
        return min(1.0, math.sqrt(batches * (1 - self.start**2) / self.batches + self.start**2))


class EpochBatches(Sequence[Indices]):
    """The batches of an epoch, each an array of row numbers: a view of one array, made on access.

    Args:
        rows: all rows of the epoch, grouped by batch.
        starts: start of each batch in ``rows``, [batches].
        order: permutation of the batches, [batches].
    """

    def __init__(self, rows: Indices, starts: Indices, order: Indices) -> None:
        self._rows, self._order = rows, order
        self._bounds = np.append(starts, len(rows))

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, index: int) -> Indices: ...

    @overload
    def __getitem__(self, index: slice) -> list[Indices]: ...

    def __getitem__(self, index: int | slice) -> Indices | list[Indices]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        batch = self._order[index]
        return self._rows[self._bounds[batch] : self._bounds[batch + 1]]


class BatchSampler:
    """Draws batches of pairs with similar lengths.

    Every epoch shuffles all pairs, divides them into pools, sorts each pool by length, divides the pools into batches
    of at most ``config.tokens`` padded tokens on either side, and shuffles the batches. A longer pair is a batch of its
    own. The number of tokens follows the given lengths: resegmented text can have more (`seq2seq.data.stream`).

    Memory: 2 to 4 bytes per pair and side for the lengths, 4 bytes per pair during an epoch, and with weights about 60
    bytes per pair while an epoch is shuffled.

    Args:
        source_lengths: tokens in each source, [pairs], without EOS.
        target_lengths: tokens in each target, [pairs], without EOS.
        config: the size of batches.
        seed: of the shuffling.
        weights: average repetitions of each pair per epoch, [pairs]. With 2.3, each epoch has two copies of a pair, and
            a third copy in three of ten epochs, resampled each epoch. None: every pair once.
        curriculum: an epoch has only the share of the pairs that is the competence at its beginning, the shortest on
            their longer side, so it is shorter; these epochs are composed at once. None: every epoch has all pairs.

    Raises:
        ConfigError: the weights add up to less than one pair per epoch.
    """

    def __init__(
        self,
        source_lengths: NDArray[np.int32],
        target_lengths: NDArray[np.int32],
        config: BatchConfig,
        seed: int,
        weights: NDArray[np.float64] | None = None,
        curriculum: Curriculum | None = None,
    ) -> None:
        self.source_lengths = _narrow(source_lengths + 1)  # EOS
        self.target_lengths = _narrow(target_lengths + 1)
        self.config = config
        self.seed = seed
        self.weights = None if weights is None or (weights == 1).all() else weights
        if weights is not None and weights.sum() < 1:
            raise ConfigError(
                f"the weights leave {weights.sum():.2g} of {counted(len(weights), 'pair')} in an epoch: raise "
                "data.weight, or the weight of a corpus in data.more"
            )
        self.longest: list[int] = []
        """Tokens of the longest pair in each epoch of the curriculum."""
        if curriculum is not None:
            self._compose(curriculum)

    def epoch(self, number: int) -> EpochBatches:
        """All batches of an epoch as row numbers; takes some seconds for ten million pairs."""
        generator = np.random.default_rng([self.seed, number])
        rows = self._shuffled(generator)
        if number < len(self.longest):
            rows = self._up_to(self.longest[number], rows)
        mean_length = float(self.target_lengths[rows].mean())
        pool_size = max(1, int(self.config.pool * self.config.tokens / mean_length))
        starts: list[int] = []
        for start in range(0, len(rows), pool_size):
            pool = rows[start : start + pool_size]
            pool[:] = pool[self._by_length(pool)]
            starts += [start + first for first in self._batch_starts(pool)]
        order = np.arange(len(starts))
        generator.shuffle(order)
        return EpochBatches(rows, np.array(starts), order)

    def batches_in(self, epochs: int, at_most: int) -> int:
        """Number of batches in the first epochs, or ``at_most`` if there are more.

        Epochs differ by a few batches, because each is shuffled anew; so every epoch is composed.
        """
        batches = 0
        for number in range(epochs):
            batches += len(self.epoch(number))
            if batches >= at_most:
                return at_most
        return batches

    def position_after(self, batches: int) -> StreamPosition:
        """The position after this number of batches from the start; every epoch before it is composed."""
        epoch = 0
        while batches and batches >= (count := len(self.epoch(epoch))):
            epoch, batches = epoch + 1, batches - count
        return StreamPosition(epoch, batches)

    def stream(self, position: StreamPosition) -> Iterator[tuple[Indices, StreamPosition]]:
        """Endless batches from a position on, each with the position after it."""
        epoch, first = position
        while True:
            batches = self.epoch(epoch)
            for number in range(first, len(batches)):
                last = number + 1 == len(batches)
                yield batches[number], StreamPosition(epoch + 1, 0) if last else StreamPosition(epoch, number + 1)
            epoch, first = epoch + 1, 0

    def _shuffled(self, generator: np.random.Generator) -> Indices:
        """The rows of an epoch in random order, repeated according to their weights.

        Systematic sampling in random order (Madow 1949) gives every fraction its exact probability and fixes the size
        of the epoch to within one pair. The copies of a pair are spread: copy k of n is in the k-th n-th of the epoch.
        """
        count = len(self.target_lengths)
        shuffled: Indices = np.arange(count, dtype=np.int32 if count < 2**31 else np.int64)
        generator.shuffle(shuffled)
        if self.weights is None:
            return shuffled
        whole = np.floor(self.weights[shuffled])
        cumulative = np.floor(np.cumsum(self.weights[shuffled] - whole) + generator.random())
        copies = (whole + np.diff(cumulative, prepend=0)).astype(np.int64)
        del whole, cumulative
        copy = np.arange(copies.sum()) - np.repeat(np.cumsum(copies) - copies, copies)
        position = (copy + generator.random(len(copy))) / np.repeat(copies, copies)
        del copy
        return np.repeat(shuffled, copies)[np.argsort(position)]

    def _compose(self, curriculum: Curriculum) -> None:
        """Fill `longest`, one epoch after the other: their batches are the time in which competence grows."""
        lengths = np.maximum(self.source_lengths, self.target_lengths)
        totals = np.cumsum(np.bincount(lengths, self.weights))  # pairs per epoch up to each length
        batches = 0
        while batches < curriculum.batches:
            self.longest.append(int(np.searchsorted(totals, curriculum.competence(batches) * totals[-1])))
            batches += len(self.epoch(len(self.longest) - 1))

    def _up_to(self, length: int, rows: Indices) -> Indices:
        """The rows whose pairs are not longer; all of them if weights have left none of these in this epoch."""
        short = rows[np.maximum(self.source_lengths[rows], self.target_lengths[rows]) <= length]
        return short if len(short) else rows

    def _by_length(self, pool: Indices) -> NDArray[np.intp]:
        """Sorts the pool's pairs by target length, then by source length, ascending and descending in turn.

        A batch with the last pairs of one target length and the first of the next then has sources of similar length.
        """
        source, target = self.source_lengths[pool].astype(np.int64), self.target_lengths[pool]
        return np.lexsort((np.where(target % 2, -source, source), target))

    def _batch_starts(self, pool: Indices) -> Iterator[int]:
        """The starts of batches in sorted rows: a batch ends before the pair that would exceed ``config.tokens``."""
        longest = np.maximum(self.target_lengths[pool], self.source_lengths[pool]).astype(np.int64)
        counts = np.arange(1, len(pool) + 1)
        start = 0
        while start < len(pool):
            yield start
            # The first pair's length bounds the number of pairs.
            room = max(1, self.config.tokens // int(longest[start]))
            widths = np.maximum.accumulate(longest[start : start + room])
            fits = widths * counts[: len(widths)] <= self.config.tokens
            start += max(1, len(fits) if fits.all() else int(fits.argmin()))


def _narrow(lengths: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """The same numbers in 16 bits, if all fit."""
    return lengths.astype(np.uint16) if lengths.max(initial=0) < 2**16 else lengths
