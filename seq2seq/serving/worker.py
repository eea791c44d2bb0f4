"""One thread that translates: questions that come within a few milliseconds share a batch, growing ones take turns.

A translation does not depend on its batch (`Translator`), so every answer is what it would be alone.
"""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType

from seq2seq.errors import Seq2SeqError
from seq2seq.serving.config import LimitsConfig
from seq2seq.translate import Translator
from seq2seq.translation.types import Request, Translation


class BusyError(Exception):
    """There is no room: the message says of what there is too much."""


@dataclass(frozen=True)
class How:
    """What sentences must have in common to share a batch."""

    run: str
    beam_size: int | None = None
    n_best: int | None = None
    attention: bool = False


@dataclass(frozen=True)
class Job:
    """Sentences of one question, and where their translations go."""

    how: How
    requests: tuple[Request, ...]
    answer: Future[list[Translation]] = field(default_factory=Future)


@dataclass(frozen=True)
class Stream:
    """A translation that is followed: whatever becomes certain is delivered, at the end None, or what went wrong."""

    how: How
    request: Request
    deliver: Callable[[Translation | Exception | None], None]
    until: float
    """On the clock of `time.monotonic`."""
    stopped: threading.Event = field(default_factory=threading.Event)
    """Set by whoever listens no more."""


class Worker:
    """The thread; it runs inside ``with``.

    Args:
        translators: by name.
        limits: how many sentences wait, share a batch and are followed, and how long a stream may take.
    """

    def __init__(self, translators: Mapping[str, Translator], limits: LimitsConfig) -> None:
        self.translators, self.limits = translators, limits
        self._changed = threading.Condition()
        self._jobs: deque[Job] = deque()
        self._streams: list[tuple[Stream, Iterator[Translation]]] = []
        self._waiting = 0
        self._open = False
        self._thread = threading.Thread(target=self._work, name="translations", daemon=True)

    def __enter__(self) -> "Worker":
        self._open = True
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._changed:
            self._open = False
            self._changed.notify()
        self._thread.join()

    def translate(self, how: How, requests: Sequence[Request]) -> Future[list[Translation]]:
        """Ask for translations; the future may be cancelled while they wait.

        Raises:
            BusyError: too many sentences wait.
        """
        job = Job(how, tuple(requests))
        with self._changed:
            if not self._open or self._waiting + len(job.requests) > self.limits.waiting:
                raise BusyError(f"{self._waiting} sentences are waiting: ask again in a moment")
            self._jobs.append(job)
            self._waiting += len(job.requests)
            self._changed.notify()
        return job.answer

    def follow(
        self, how: How, request: Request, deliver: Callable[[Translation | Exception | None], None]
    ) -> Callable[[], None]:
        """Have a translation delivered while it grows; what is returned ends that.

        Args:
            how: ``n_best`` and ``attention`` do nothing here.
            request: the sentence and its prefix.
            deliver: called in the worker's thread.

        Raises:
            BusyError: too many are followed.
        """
        stream = Stream(how, request, deliver, time.monotonic() + self.limits.seconds)
        with self._changed:
            if not self._open or len(self._streams) >= self.limits.streams:
                raise BusyError(f"{len(self._streams)} translations are shown growing: ask again in a moment")
            self._streams.append((stream, self._grown(stream)))
            self._changed.notify()
        return stream.stopped.set

    def _grown(self, stream: Stream) -> Iterator[Translation]:
        """Begun in the worker's thread, with its first step."""
        translator = self.translators[stream.how.run]
        yield from translator.stream(stream.request.text, beam_size=stream.how.beam_size, prefix=stream.request.prefix)

    def _work(self) -> None:
        while self._open:
            jobs, streams = self._take()
            groups: defaultdict[How, list[Job]] = defaultdict(list)
            for job in jobs:
                if job.answer.set_running_or_notify_cancel():
                    groups[job.how].append(job)
            for how, group in groups.items():
                self._answer(how, group)
            ended = [stream for stream in streams if not self._advance(*stream)]
            with self._changed:
                self._streams = [stream for stream in self._streams if stream not in ended]
        for job in self._jobs:
            job.answer.cancel()
        for stream, _ in self._streams:
            _deliver(stream, None)

    def _take(self) -> tuple[list[Job], list[tuple[Stream, Iterator[Translation]]]]:
        """Wait for something to do; take what fills a batch, and every stream."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._streams or not self._open)
            if self._jobs and not self._streams:  # others may be on their way
                full = self.limits.batch
                self._changed.wait_for(lambda: self._waiting >= full or not self._open, self.limits.collect)
            jobs: list[Job] = []
            count = 0
            while self._jobs and count + len(self._jobs[0].requests) <= self.limits.batch:
                jobs.append(self._jobs.popleft())
                count += len(jobs[-1].requests)
            self._waiting -= count
            return jobs, list(self._streams)

    def _answer(self, how: How, jobs: list[Job]) -> None:
        """Translate jobs together; where one of them cannot be, each by itself, so that only that one fails."""
        try:
            found = self.translators[how.run].translate(
                [request for job in jobs for request in job.requests],
                beam_size=how.beam_size,
                n_best=how.n_best,
                attention=how.attention,
            )
        except Exception as error:  # whatever it is, the thread goes on and whoever asked hears of it
            if len(jobs) > 1 and isinstance(error, Seq2SeqError):
                for job in jobs:
                    self._answer(how, [job])
                return
            for job in jobs:
                job.answer.set_exception(error)
            return
        translations = iter(found)
        for job in jobs:
            job.answer.set_result([next(translations) for _ in job.requests])

    def _advance(self, stream: Stream, grown: Iterator[Translation]) -> bool:
        """Deliver what has become more of a stream; whether it goes on."""
        if stream.stopped.is_set():
            return False
        try:
            if time.monotonic() > stream.until:
                raise TimeoutError
            return _deliver(stream, next(grown))
        except StopIteration:
            _deliver(stream, None)
        except Exception as error:  # as above
            _deliver(stream, error)
        return False


def _deliver(stream: Stream, item: Translation | Exception | None) -> bool:
    """Hand it over; whether anybody is there still."""
    try:
        stream.deliver(item)
    except RuntimeError:  # the loop that listened is closed
        return False
    return True
