"""Batches prepared ahead: a background thread makes the next few while the caller works on this one.

A thread and not processes: making a batch copies a few memory-mapped rows, half a millisecond's work, and a GPU fetches
it by itself. Nothing here knows of training, only of an iterator; so it lives with the batches.
"""

import threading
from collections.abc import Generator, Iterator
from queue import SimpleQueue
from typing import TypeVar

DEPTH = 3
"""Batches ready and waiting: enough to bridge one that is slow to make, such as the first of an epoch."""

Item = TypeVar("Item")


def ahead(items: Iterator[Item], depth: int = DEPTH) -> Generator[Item]:
    """The same items in the same order, up to ``depth`` of them made before they are asked for.

    The thread starts with the first item asked for. Closing the generator ends it and waits until it is gone, as do an
    error and the end of the items; hold it in `contextlib.closing`.

    Raises:
        BaseException: whatever ``items`` raises, at its place in the order.
    """
    made: SimpleQueue[tuple[Item | None, BaseException | None]] = SimpleQueue()
    room, closed = threading.Semaphore(depth), threading.Event()

    def work() -> None:
        try:
            while True:
                room.acquire()
                if closed.is_set():
                    return
                made.put((next(items), None))
        except BaseException as error:  # the end of the items too: it is for the caller to see, whatever it is
            made.put((None, error))

    thread = threading.Thread(target=work, name="batches ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error = made.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            room.release()
            yield item  # type: ignore[misc]  # None only beside an error
    finally:
        closed.set()
        room.release()
        thread.join()
