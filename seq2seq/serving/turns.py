"""Turns at computing: threads of which one computes at a time, and changes with the others between steps of a search.

The next turn belongs to the client that has had the least time, and among the works of a client to the one that has had
the least, small ones before all others. So no work keeps another waiting for much longer than a turn.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

TURN = 0.25
"""Seconds of a turn; it ends with the next step. Long enough that ordinary batches need only one."""

LANES = 8
"""Works that may be under way, each with its tensors in memory."""

KEPT_FREE = 2
"""Lanes for small works only."""

SMALL = 2048
"""Size of the largest small work."""

SHORT = 2.0
"""Seconds of computing after which no work is small."""


class BusyError(Exception):
    """There is no room: the message says of what there is too much."""


class ClosedError(BusyError):
    """The server is being stopped."""

    def __init__(self) -> None:
        super().__init__("the server is being stopped: ask again once it is back")


class StoppedError(Exception):
    """Nobody waits for this work any more."""


class Work(ABC):
    """Something to compute.

    Args:
        client: for whom.
        size: about how much it is, in target tokens of all hypotheses.
    """

    gathers = False
    """Whether it is worth to wait for others that would be computed with it."""

    def __init__(self, client: str, size: int) -> None:
        self.client, self.size = client, size
        self.used = 0.0
        """Seconds of computing so far."""
        self.stopped = False
        """Whether nobody waits for it any more."""

    @property
    def over(self) -> bool:
        """Whether it should end before its next step."""
        return self.stopped

    @property
    def small(self) -> bool:
        """Whether the large works of its client let it go first."""
        return self.size <= SMALL and self.used < SHORT

    @abstractmethod
    def run(self) -> None:
        """Compute, and deliver what comes of it, errors too."""

    @abstractmethod
    def refuse(self, error: Exception) -> None:
        """Deliver an error in place of a result."""


class Turns:
    """The threads; they run inside ``with``.

    Args:
        name: of the threads.
        lanes: works that may be under way.
        kept_free: lanes for small works only.
        collect: seconds that a work which gathers others waits for them.
        merge: what to run in place of a work that is about to begin: it may take others from the queue (its second
            argument) along.
    """

    def __init__(
        self,
        name: str,
        lanes: int = LANES,
        kept_free: int = KEPT_FREE,
        collect: float = 0.0,
        merge: Callable[[Work, list[Work]], Work] = lambda work, _: work,
    ) -> None:
        self.kept_free, self.collect, self.merge = kept_free, collect, merge
        self._changed = threading.Condition()
        self._queue: list[Work] = []
        self._resting: list[Work] = []
        self._running: Work | None = None
        self._since = 0.0  # when the turn began
        self._idle = 0
        self._used: dict[str, float] = {}  # seconds of every client that has works here
        self._open = False
        self._mine = threading.local()
        self._threads = [threading.Thread(target=self._lane, name=f"{name}-{n}", daemon=True) for n in range(lanes)]

    def open(self) -> None:
        """Start the threads."""
        self._open = True
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End every work before its next step, and take no other."""
        with self._changed:
            self._open = False
            waiting, self._queue = self._queue, []
            self._changed.notify_all()
        for work in waiting:
            work.refuse(ClosedError())

    def join(self, seconds: float | None = None) -> None:
        """Wait for the threads to end, each for so long at most; what cannot be stopped ends with the process."""
        for thread in self._threads:
            thread.join(seconds)

    def submit(self, work: Work, room: Callable[[Sequence[Work], Sequence[Work]], None]) -> None:
        """Have it computed; ``room`` sees what waits and what is under way, and raises `BusyError` if that is too much.

        Raises:
            BusyError: there is no room, or this is closed.
        """
        with self._changed:
            if not self._open:
                raise ClosedError
            room(self._queue, [*self._resting, *([] if self._running is None else [self._running])])
            # A newcomer begins level with whoever has had least: nobody is owed the time before.
            self._used.setdefault(work.client, min(self._used.values(), default=0.0))
            self._queue.append(work)
            self._changed.notify_all()

    def stop(self, work: Work) -> None:
        """Nobody waits for it: it ends before its next step, or never begins."""
        with self._changed:
            work.stopped = True
            waits = work in self._queue
            if waits:
                self._queue.remove(work)
            self._changed.notify_all()
        if waits:
            work.refuse(StoppedError())

    def step(self) -> None:
        """To be called before each step in a thread of these: another may have its turn first.

        Raises:
            StoppedError: nobody waits for the work.
            ClosedError: this was closed.
        """
        work = getattr(self._mine, "work", None)
        if work is None:
            return
        self._check(work)
        if time.monotonic() - self._since >= TURN:
            self._rest(work)
            self._check(work)

    def _check(self, work: Work) -> None:
        if not self._open:
            raise ClosedError
        if work.over:
            raise StoppedError

    def _lane(self) -> None:
        while (work := self._begin()) is not None:
            self._mine.work = work
            work.run()
            self._mine.work = None
            with self._changed:
                self._leave(work)
                active = {one.client for one in (*self._queue, *self._resting)}
                self._used = {client: used for client, used in self._used.items() if client in active}

    def _begin(self) -> Work | None:
        """Wait for a new work whose turn it is; None once this is closed."""
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: not self._open or (self._running is None and self._next() in self._queue))
            work = self._next() if self._open else None
            self._idle -= 1
            if work is None:
                return None
            self._queue.remove(work)
            self._enter(work)
            if work.gathers and not self._resting:  # others may be on their way
                self._changed.wait_for(lambda: not self._open, self.collect)
            work = self.merge(work, self._queue)
            self._enter(work)
            return work

    def _rest(self, work: Work) -> None:
        """Let the others have their turns."""
        with self._changed:
            self._leave(work)
            self._resting.append(work)
            self._changed.wait_for(lambda: not self._open or (self._running is None and self._next() is work))
            self._resting.remove(work)
            self._enter(work)

    def _enter(self, work: Work) -> None:
        self._running, self._since = work, time.monotonic()

    def _leave(self, work: Work) -> None:
        seconds = time.monotonic() - self._since
        work.used += seconds
        self._used[work.client] = self._used.get(work.client, 0.0) + seconds
        self._running = None
        self._changed.notify_all()

    def _next(self) -> Work | None:
        """Whose turn it is: what only has to end comes first."""
        ready = list(self._resting)
        if self._idle > self.kept_free:
            ready += self._queue
        elif self._idle:
            ready += [work for work in self._queue if work.small]
        return min(
            ready,
            key=lambda work: (
                not work.over,
                self._used.get(work.client, 0.0),
                not work.small,
                work.used,
                work.size,
            ),
            default=None,
        )
