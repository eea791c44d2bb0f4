"""A second thread for what is looked into, so that translations go on beside it."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import ParamSpec, TypeVar

from seq2seq.serving.worker import BusyError

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

WAITING = 32
"""Calls that wait or run, at most."""


class Aside:
    """Runs one call at a time; it works inside ``with``."""

    def __init__(self, waiting: int = WAITING) -> None:
        self._executor = ThreadPoolExecutor(1, "aside")
        self._room = threading.Semaphore(waiting)

    def __enter__(self) -> "Aside":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._executor.shutdown(cancel_futures=True)

    def submit(
        self, function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Future[Result]:
        """Have it called; the future may be cancelled while it waits.

        Raises:
            BusyError: too many wait.
        """
        if not self._room.acquire(blocking=False):
            raise BusyError("too many are looking into sentences: ask again in a moment")
        future = self._executor.submit(function, *args, **kwargs)
        future.add_done_callback(lambda _: self._room.release())
        return future
