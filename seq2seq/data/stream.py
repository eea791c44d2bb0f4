"""The stream of batches that a run learns from: rows in their order, cut into pieces, padded."""

from collections.abc import Callable, Iterator

from seq2seq.data.batch import Batch, make_batch
from seq2seq.data.order import Order, Place
from seq2seq.data.sampling import Resampler
from seq2seq.data.table import Encoded

Batches = Iterator[tuple[Batch, Place]]
"""Batches without end, each with the place after it."""

BatchStream = Callable[[Place], Batches]
"""The batches from a place on."""


def batch_stream(table: Encoded, order: Order, resample: Resampler) -> BatchStream:
    """Batches of a table, from any place on the same as a stream from the beginning has there.

    Args:
        table: the encoded pairs.
        order: which of them share a batch, and when it comes.
        resample: cuts a batch's text anew, where that is asked for.
    """

    def stream(place: Place) -> Batches:
        for rows, after in order.stream(place):
            yield make_batch(*resample(table.rows(rows), after)), after

    return stream
