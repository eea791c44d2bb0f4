"""Time-slice scheduling: several threads, one of which computes at a time. They alternate between search steps.

The next time slice belongs to the client with the least computing time, and to its task with the least computing time,
small tasks first. So no task delays another for much longer than a time slice.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

Result = TypeVar("Result")

TIME_SLICE = 0.25
"""Seconds; a slice ends with the next search step. Ordinary batches need one slice."""

SLOTS = 8
"""Tasks in progress, each with its tensors in memory."""

RESERVED_SLOTS = 2
"""Slots for small tasks only."""

SMALL_SIZE = 2048
"""Largest size of a small task."""

SMALL_SECONDS = 2.0
"""Computing time after which no task counts as small."""


class BusyError(Exception):
    """The server is at capacity; the message says in which respect."""


class ClosedError(BusyError):
    """The server is shutting down."""

    def __init__(self) -> None:
        super().__init__("the server is shutting down: retry after its restart")


class CancelledError(Exception):
    """The client no longer needs the result."""


class Task(ABC):
    """A computation for a client.

    Args:
        client: address of the client.
        size: approximate work, in target tokens of all hypotheses.
    """

    batchable = False
    """Whether similar tasks should be collected before this one starts."""

    def __init__(self, client: str, size: int) -> None:
        self.client, self.size = client, size
        self.seconds = 0.0
        """Computing time so far."""
        self.cancelled = False

    @property
    def obsolete(self) -> bool:
        """Whether the task should end before its next step."""
        return self.cancelled

    @property
    def small(self) -> bool:
        """Whether the task precedes the large tasks of its client."""
        return self.size <= SMALL_SIZE and self.seconds < SMALL_SECONDS

    @abstractmethod
    def run(self) -> None:
        """Compute, and deliver the result or the error."""

    @abstractmethod
    def fail(self, error: Exception) -> None:
        """Deliver an error instead of a result."""


@dataclass(frozen=True)
class PendingResult(Generic[Result]):
    """A result that is being computed."""

    future: "Future[Result]"
    cancel: Callable[[], None]
    """Stops the computation. It has no effect afterwards."""


class FutureTask(Task, Generic[Result]):
    """A task that sets a future."""

    def __init__(self, client: str, size: int) -> None:
        super().__init__(client, size)
        self.future: Future[Result] = Future()

    def finish(self, result: Result) -> None:
        """Set the result, unless the future was cancelled."""
        with suppress(InvalidStateError):
            self.future.set_result(result)

    def fail(self, error: Exception) -> None:
        """Set an error, likewise."""
        with suppress(InvalidStateError):
            self.future.set_exception(error)


class CallTask(FutureTask[Result]):
    """A function call."""

    def __init__(self, client: str, size: int, function: Callable[[], Result]) -> None:
        super().__init__(client, size)
        self.function = function

    def run(self) -> None:
        """Call the function."""
        try:
            self.finish(self.function())
        except Exception as error:  # the thread must survive any error; the client receives it
            self.fail(error)


class Scheduler:
    """The threads and the queue.

    Args:
        name: prefix of the thread names.
        slots: tasks in progress.
        reserved: slots for small tasks only.
        collect: seconds for which a batchable task waits for similar ones.
        merge: receives a task that is about to start and the queue; returns the task to run in its place, and may
            remove others from the queue.
    """

    def __init__(
        self,
        name: str,
        slots: int = SLOTS,
        reserved: int = RESERVED_SLOTS,
        collect: float = 0.0,
        merge: Callable[[Task, list[Task]], Task] = lambda task, _: task,
    ) -> None:
        self.reserved, self.collect, self.merge = reserved, collect, merge
        self._changed = threading.Condition()
        self._queue: list[Task] = []
        self._paused: list[Task] = []
        self._running: Task | None = None
        self._slice_start = 0.0
        self._idle_threads = 0
        self._client_seconds: dict[str, float] = {}  # of every client with tasks here
        self._open = False
        self._current = threading.local()
        self._threads = [threading.Thread(target=self._work, name=f"{name}-{n}", daemon=True) for n in range(slots)]

    def start(self) -> None:
        """Start the threads."""
        self._open = True
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End every task before its next step, and accept no others."""
        with self._changed:
            self._open = False
            waiting, self._queue = self._queue, []
            self._changed.notify_all()
        for task in waiting:
            task.fail(ClosedError())

    def join(self, seconds: float | None = None) -> None:
        """Wait for the end of each thread, at most for so long. Threads are daemons, so a task may outlast it."""
        for thread in self._threads:
            thread.join(seconds)

    def submit(self, task: Task, check_capacity: Callable[[Sequence[Task], Sequence[Task]], None]) -> None:
        """Queue a task.

        Args:
            task: the task.
            check_capacity: receives the queued tasks and those in progress; raises `BusyError` if they are too many.

        Raises:
            BusyError: there is no capacity, or the scheduler is closed.
        """
        with self._changed:
            if not self._open:
                raise ClosedError
            check_capacity(self._queue, [*self._paused, *([] if self._running is None else [self._running])])
            # A new client starts level with the client that has had the least time.
            self._client_seconds.setdefault(task.client, min(self._client_seconds.values(), default=0.0))
            self._queue.append(task)
            self._changed.notify_all()

    def cancel(self, task: Task) -> None:
        """End a task before its next step, or remove it from the queue."""
        with self._changed:
            task.cancelled = True
            queued = task in self._queue
            if queued:
                self._queue.remove(task)
            self._changed.notify_all()
        if queued:
            task.fail(CancelledError())

    def before_step(self) -> None:
        """Let other tasks run if the time slice is over. Searches call this before each step; other threads may too.

        Raises:
            CancelledError: the task was cancelled.
            ClosedError: the scheduler was closed.
        """
        task = getattr(self._current, "task", None)
        if task is None:
            return
        self._check(task)
        if time.monotonic() - self._slice_start >= TIME_SLICE:
            self._pause(task)
            self._check(task)

    def _check(self, task: Task) -> None:
        if not self._open:
            raise ClosedError
        if task.obsolete:
            raise CancelledError

    def _work(self) -> None:
        while (task := self._begin()) is not None:
            self._current.task = task
            task.run()
            self._current.task = None
            with self._changed:
                self._end_slice(task)
                active = {other.client for other in (*self._queue, *self._paused)}
                self._client_seconds = {
                    client: seconds for client, seconds in self._client_seconds.items() if client in active
                }

    def _begin(self) -> Task | None:
        """Wait for a queued task that is next; return None once the scheduler is closed."""
        with self._changed:
            self._idle_threads += 1
            self._changed.wait_for(lambda: not self._open or (self._running is None and self._next() in self._queue))
            task = self._next() if self._open else None
            self._idle_threads -= 1
            if task is None:
                return None
            self._queue.remove(task)
            self._start_slice(task)
            if task.batchable and not self._paused:
                self._changed.wait_for(lambda: not self._open, self.collect)
            task = self.merge(task, self._queue)
            self._start_slice(task)
            return task

    def _pause(self, task: Task) -> None:
        """Let the other tasks run until this one is next."""
        with self._changed:
            self._end_slice(task)
            self._paused.append(task)
            self._changed.wait_for(lambda: not self._open or (self._running is None and self._next() is task))
            self._paused.remove(task)
            self._start_slice(task)

    def _start_slice(self, task: Task) -> None:
        self._running, self._slice_start = task, time.monotonic()

    def _end_slice(self, task: Task) -> None:
        seconds = time.monotonic() - self._slice_start
        task.seconds += seconds
        self._client_seconds[task.client] = self._client_seconds.get(task.client, 0.0) + seconds
        self._running = None
        self._changed.notify_all()

    def _next(self) -> Task | None:
        """Return the task for the next slice. Tasks that only have to end come first."""
        ready = list(self._paused)
        if self._idle_threads > self.reserved:
            ready += self._queue
        elif self._idle_threads:
            ready += [task for task in self._queue if task.small]
        return min(
            ready,
            key=lambda task: (
                not task.obsolete,
                self._client_seconds.get(task.client, 0.0),
                not task.small,
                task.seconds,
                task.size,
            ),
            default=None,
        )
