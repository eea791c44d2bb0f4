"""Prefetching: a background thread makes the next batches while the caller uses the current one.

A thread is enough: making a batch copies a few rows from files in half a millisecond, and the copy to a GPU is
asynchronous.
"""

import threading
from collections.abc import Generator, Iterator
from queue import SimpleQueue
from typing import TypeVar

DEPTH = 3
"""Prefetched items: enough to hide one that is slow, such as the first batch of an epoch."""

Item = TypeVar("Item")


def prefetch(items: Iterator[Item], depth: int = DEPTH) -> Generator[Item]:
    """Yield the same items in the same order, up to ``depth`` of them computed in advance.

    The thread starts with the first item. It is joined when the generator is closed, when the items end, and on an
    error: use `contextlib.closing`.

    Raises:
        BaseException: whatever ``items`` raises, in order.
    """
    ready: SimpleQueue[tuple[Item | None, BaseException | None]] = SimpleQueue()
    room, closed = threading.Semaphore(depth), threading.Event()

    def work() -> None:
        try:
            while True:
                room.acquire()
                if closed.is_set():
                    return
                ready.put((next(items), None))
        except BaseException as error:  # includes StopIteration; the caller raises it
            ready.put((None, error))

    thread = threading.Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            room.release()
            yield item  # type: ignore[misc]  # None only with an error
    finally:
        closed.set()
        room.release()
        thread.join()
