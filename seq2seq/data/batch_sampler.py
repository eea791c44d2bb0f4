"""Which sentences share a batch, and in what order batches come: a function of (lengths, weights, seed, epoch)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from seq2seq.errors import ConfigError
from seq2seq.settings import setting

Indices = NDArray[np.integer[Any]]
"""Row numbers of pairs: 32 bits each, but where there are more pairs than that."""


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


class Batches(Sequence[Indices]):
    """The batches of an epoch, each the row numbers of its pairs: views of one array, made when they are asked for.

    Args:
        rows: all rows of the epoch, those of a batch side by side.
        starts: where each batch begins in them, [batches].
        order: which of these batches comes first, second, …, [batches].
    """

    def __init__(self, rows: Indices, starts: Indices, order: Indices) -> None:
        self._rows, self._order = rows, order
        self._bounds = np.append(starts, len(rows))

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, place: int) -> Indices: ...

    @overload
    def __getitem__(self, place: slice) -> list[Indices]: ...

    def __getitem__(self, place: int | slice) -> Indices | list[Indices]:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        batch = self._order[place]
        return self._rows[self._bounds[batch] : self._bounds[batch + 1]]


class Order:
    """The endless stream of batches over a table of sentence lengths.

    Every epoch shuffles all pairs, cuts them into pools, sorts each pool by length, cuts the pools into batches of at
    most ``tokens`` padded target (and source) pieces, a longer pair alone, and shuffles the batches. Pieces are those
    of the lengths given: text that is then cut anew has more (`seq2seq.data.subword_resampling.GROWTH`).

    An epoch costs 4 bytes a pair while it lasts, and its lengths, kept throughout, 2 to 4 for each side; with weights
    some 60 while it is shuffled.

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
        self.source_lengths = _narrow(source_lengths + 1)
        self.target_lengths = _narrow(target_lengths + 1)
        self.config = config
        self.seed = seed
        self.weights = None if weights is None or (weights == 1).all() else weights
        if weights is not None and weights.sum() < 1:
            raise ConfigError(
                f"the weights leave {weights.sum():.2g} of {len(weights):,} pairs in an epoch: raise data.weight, or "
                "the weight of a corpus in data.more"
            )

    def epoch(self, number: int) -> Batches:
        """All batches of an epoch, each the row numbers of its pairs; some seconds for ten million pairs."""
        generator = np.random.default_rng([self.seed, number])
        rows = self._shuffled(generator)
        mean_length = float(self.target_lengths[rows].mean())
        pool_size = max(1, int(self.config.pool * self.config.tokens / mean_length))
        starts: list[int] = []
        for start in range(0, len(rows), pool_size):
            pool = rows[start : start + pool_size]
            pool[:] = pool[self._by_length(pool)]
            starts += [start + cut for cut in self._cuts(pool)]
        order = np.arange(len(starts))
        generator.shuffle(order)
        return Batches(rows, np.array(starts), order)

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
        count = len(self.target_lengths)
        shuffled: Indices = np.arange(count, dtype=np.int32 if count < 2**31 else np.int64)
        generator.shuffle(shuffled)
        if self.weights is None:
            return shuffled
        whole = np.floor(self.weights[shuffled])
        reached = np.floor(np.cumsum(self.weights[shuffled] - whole) + generator.random())
        copies = (whole + np.diff(reached, prepend=0)).astype(np.int64)
        del whole, reached
        number = np.arange(copies.sum()) - np.repeat(np.cumsum(copies) - copies, copies)
        place = (number + generator.random(len(number))) / np.repeat(copies, copies)
        del number
        return np.repeat(shuffled, copies)[np.argsort(place)]

    def _by_length(self, pool: Indices) -> NDArray[np.intp]:
        """The order of the pool's pairs by target length, and by source length up and down in turn.

        So a batch that has the last pairs of one target length and the first of the next has sources alike in length.
        """
        source, target = self.source_lengths[pool].astype(np.int64), self.target_lengths[pool]
        return np.lexsort((np.where(target % 2, -source, source), target))

    def _cuts(self, pool: Indices) -> Iterator[int]:
        """Where in rows sorted by length batches begin: wherever one more pair would overflow the budget."""
        longest = np.maximum(self.target_lengths[pool], self.source_lengths[pool]).astype(np.int64)
        counts = np.arange(1, len(pool) + 1)
        start = 0
        while start < len(pool):
            yield start
            # The first pair's width alone bounds how many there is room for.
            room = max(1, self.config.tokens // int(longest[start]))
            widths = np.maximum.accumulate(longest[start : start + room])
            fits = widths * counts[: len(widths)] <= self.config.tokens
            start += max(1, len(fits) if fits.all() else int(fits.argmin()))


def _narrow(lengths: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """The same numbers in 16 bits, where they all fit."""
    return lengths.astype(np.uint16) if lengths.max(initial=0) < 2**16 else lengths
