"""The endless stream of training batches: rows in the sampler's order, changed if asked for, and padded.

Subword regularization (Kudo 2018, https://aclanthology.org/P18-1007) and BPE-dropout (Provilkov et al. 2020,
https://aclanthology.org/2020.acl-main.170) segment the training text randomly in each epoch. The table stores one
segmentation of each sentence, whose tokens spell its text, so sentences are segmented again when their batch is made
and the corpus is stored once. Bidirectional training exchanges source and target of pairs at the same place. The result
depends on the seed and the batch's position alone: a resumed run reads what an uninterrupted run would have read.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice

import numpy as np

from seq2seq.data.batch import Batch, Ids, make_batch
from seq2seq.data.batch_sampler import BatchSampler, StreamPosition
from seq2seq.data.table import EncodedPairs
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.subword_sampling import SubwordSampler
from seq2seq.tokenizer.tokenizer import Tokenizers

MAX_GROWTH = 3
"""A resegmented sentence has at most this many times the tokens of the longest sentence in its batch.

It is a bound on memory that is rarely reached. Batches are built from the stored lengths, because random lengths would
require a whole epoch to be segmented before its first batch. A batch may therefore exceed `BatchConfig.tokens` by this
factor.
"""

DIRECTIONS = 2
"""Distinguishes the seed of reversed pairs from the seeds of sides 0 and 1, which are resegmented."""

Rows = Sequence[Ids]
"""Token ids of sentences, without BOS and EOS."""

RowTransform = Callable[[tuple[Rows, Rows], StreamPosition], tuple[Rows, Rows]]
"""Changes the sources and targets of a batch, as a function of them and of the stream's position after the batch."""

BatchIterator = Iterator[tuple[Batch, StreamPosition]]
"""Endless batches, each with the position after it."""

BatchStream = Callable[[StreamPosition], BatchIterator]
"""The batches from a position on."""


def batch_stream(
    table: EncodedPairs, sampler: BatchSampler, transform: RowTransform, rank: int = 0, count: int = 1
) -> BatchStream:
    """The batches of a table, from any position on equal to those of a stream from the start.

    Positions count the batches of all processes, so that a run can be resumed with more or fewer of them. Each of
    ``count`` processes makes one batch of every ``count``; the position after it is the one after all of them.

    Args:
        table: the encoded pairs.
        sampler: composes and orders the batches.
        transform: changes the rows of a batch.
        rank: number of this process, from 0.
        count: number of processes that share the stream.
    """

    def stream(position: StreamPosition) -> BatchIterator:
        batches = sampler.stream(position)
        while group := list(islice(batches, count)):
            rows, after = group[rank]
            yield make_batch(*transform(table.rows(rows), after)), group[-1][1]

    return stream


class BothDirections:
    """Exchanges source and target of each pair with probability 1/2, up to a position (Ding et al. 2021).

    Args:
        until: position after the last batch with both directions.
        seed: seed of the run.
        tags: tokens that can begin a source; a pair that is reversed loses them.
    """

    def __init__(self, until: StreamPosition, seed: int, tags: Collection[int] = ()) -> None:
        self.until = until
        self.seed = seed
        self.tags = {*tags}

    def __call__(self, rows: tuple[Rows, Rows], position: StreamPosition) -> tuple[Rows, Rows]:
        """The rows with reversed pairs; see `RowTransform`."""
        if position > self.until:
            return rows
        generator = np.random.default_rng([self.seed, *position, DIRECTIONS])
        pairs = [
            (target, without_tags(source, self.tags)) if reverse else (source, target)
            for source, target, reverse in zip(*rows, generator.random(len(rows[0])) < 0.5, strict=True)
        ]
        return [source for source, _ in pairs], [target for _, target in pairs]


def without_tags(row: Ids, tags: Collection[int]) -> Ids:
    """The row after its leading tags; a token for the space before each of them is left out with it."""
    start = 0
    for number, token in enumerate(row):
        if token in tags:
            start = number + 1
        elif number > start:
            break
    return row[start:]


class SubwordResampler:
    """Segments the sentences of a batch randomly; with ``tokenizer.sampling=0`` it returns them unchanged.

    Args:
        tokenizers: of both sides.
        config: the rate, and whether it applies to the target too.
        seed: seed of the run.
        source_tags: further tokens of the source that are never split, besides the config's tags.
        until: position after the last batch that is segmented again; None: all are.

    Raises:
        DataError: a tokenizer has only one segmentation of a text, or lacks a tag.
    """

    def __init__(
        self,
        tokenizers: Tokenizers,
        config: TokenizerConfig,
        seed: int,
        source_tags: Sequence[str] = (),
        until: StreamPosition | None = None,
    ) -> None:
        self.seed = seed
        self.until = until
        sides = [(tokenizers.source, [*config.tags, *source_tags]), (tokenizers.target, config.tags)]
        self.samplers = [
            SubwordSampler(tokenizer, config.sampling, tokenizer.ids_of_tags(tags))
            for tokenizer, tags in sides[: 2 if config.sample_target else 1]
            if config.sampling
        ]

    def __call__(self, rows: tuple[Rows, Rows], position: StreamPosition) -> tuple[Rows, Rows]:
        """Random segmentations of source and target rows.

        Args:
            rows: ids of sources and targets.
            position: of the stream after this batch.
        """
        if self.until is not None and position > self.until:
            return rows
        sides = list(rows)
        for side, sampler in enumerate(self.samplers):
            seed = int(np.random.SeedSequence([self.seed, *position, side]).generate_state(1)[0])
            sides[side] = resample_rows(sampler, rows[side], seed)
        return sides[0], sides[1]


def resample_rows(sampler: SubwordSampler, rows: Rows, seed: int) -> list[list[int]]:
    """Random segmentations of the same texts.

    A row stays as it is if its tokens do not spell its text (it contains ``<unk>``), or if the new row is longer than
    `MAX_GROWTH` times the longest row.
    """
    stored = [row.tolist() if isinstance(row, np.ndarray) else list(row) for row in rows]
    longest = MAX_GROWTH * max(map(len, stored), default=0)
    return [new if len(new) <= longest else row for row, new in zip(stored, sampler(stored, seed), strict=True)]
