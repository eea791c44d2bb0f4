"""The stream of batches that a run learns from: rows in their order, cut into pieces, padded."""

from collections.abc import Callable, Iterator
from itertools import islice

from seq2seq.data.batch import Batch, make_batch
from seq2seq.data.batch_sampler import Order, Place
from seq2seq.data.subword_resampling import Resampler
from seq2seq.data.table import Encoded

Batches = Iterator[tuple[Batch, Place]]
"""Batches without end, each with the place after it."""

BatchStream = Callable[[Place], Batches]
"""The batches from a place on."""


def batch_stream(table: Encoded, order: Order, resample: Resampler, rank: int = 0, count: int = 1) -> BatchStream:
    """Batches of a table, from any place on the same as a stream from the beginning has there.

    Places count the batches of all processes, so that a run may go on with more of them, or fewer. Where ``count``
    share a stream, each takes one batch of every ``count``, and makes only that; the place given with it is the one
    after them all.

    Args:
        table: the encoded pairs.
        order: which of them share a batch, and when it comes.
        resample: cuts a batch's text anew, where that is asked for; what it draws depends on the batch's own place.
        rank: the number of this process, from 0.
        count: how many processes share the stream.
    """

    def stream(place: Place) -> Batches:
        batches = order.stream(place)
        while turn := list(islice(batches, count)):
            rows, after = turn[rank]
            yield make_batch(*resample(table.rows(rows), after)), turn[-1][1]

    return stream
