"""What translates for all: questions that come within a few milliseconds share a batch, long ones take turns.

A translation does not depend on its batch (`Translator`), so every answer is what it would be alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import replace
from itertools import accumulate
from types import TracebackType
from typing import Generic, TypeVar

from seq2seq.errors import Seq2SeqError
from seq2seq.serving.config import LimitsConfig
from seq2seq.serving.limits import Pending
from seq2seq.serving.size import How, Size, measured, readable, steppable
from seq2seq.serving.turns import BusyError, Turns, Work
from seq2seq.translation.translator import Translator
from seq2seq.translation.types import Request, Translation

Result = TypeVar("Result")

MOST_NUMBERS = 4_000_000
"""Log-probabilities of a step, at most: those of every hypothesis and target token. What they take bounds memory."""

DRAWINGS = 32
"""Pictures that wait, at most."""

SHORT = 6
"""Sentences of fewer than 2 ** this tokens are of like length."""


class Answered(Work, Generic[Result]):
    """A work whose result somebody waits for."""

    def __init__(self, client: str, size: int) -> None:
        super().__init__(client, size)
        self.answer: Future[Result] = Future()

    def settle(self, result: Result) -> None:
        """Deliver the result, unless whoever waited has left."""
        with suppress(InvalidStateError):
            self.answer.set_result(result)

    def refuse(self, error: Exception) -> None:
        """Deliver an error, likewise."""
        with suppress(InvalidStateError):
            self.answer.set_exception(error)


class Call(Answered[Result]):
    """A function that is called."""

    def __init__(self, client: str, size: int, function: Callable[[], Result]) -> None:
        super().__init__(client, size)
        self.function = function

    def run(self) -> None:
        """Call it."""
        try:
            self.settle(self.function())
        except Exception as error:  # whatever it is, the thread goes on and whoever asked hears of it
            self.refuse(error)


class Job(Answered[list[Translation]]):
    """Sentences of one question."""

    gathers = True

    def __init__(
        self,
        client: str,
        size: Size,
        how: How,
        requests: Sequence[Request],
        together: Callable[[Sequence["Job"]], None],
    ) -> None:
        super().__init__(client, size.tokens)
        self.how, self.requests, self.together = how, tuple(requests), together
        # The longest of a batch decides when all have their answers, and phrases are searched for in another way.
        self.alike = (how, max(SHORT, size.longest.bit_length()), any(one.phrases for one in requests))

    def run(self) -> None:
        """Translate them without others."""
        self.together([self])


class Batch(Work):
    """Jobs that are translated together."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        super().__init__(jobs[0].client, jobs[0].size)
        self.jobs = jobs

    @property
    def over(self) -> bool:
        """Whether nobody waits for any of them."""
        return all(job.stopped for job in self.jobs)

    def run(self) -> None:
        """Translate them."""
        self.jobs[0].together(self.jobs)

    def refuse(self, error: Exception) -> None:
        """Deliver an error to each."""
        for job in self.jobs:
            job.refuse(error)


Deliver = Callable[[Translation | Exception, bool], None]
"""Takes what of a translation is certain, or what went wrong; and whether it is the end."""


class Stream(Work):
    """A translation that is followed while it grows."""

    def __init__(self, client: str, size: int, grown: Callable[[], Iterator[Translation]], deliver: Deliver) -> None:
        super().__init__(client, size)
        self.grown, self.deliver = grown, deliver

    def run(self) -> None:
        """Deliver whatever becomes certain, the whole translation last."""
        try:
            before: Translation | None = None
            for found in self.grown():
                if before is not None:
                    self._tell(before, False)
                before = found
            assert before is not None
            self._tell(before, True)
        except Exception as error:  # as above
            self.refuse(error)

    def refuse(self, error: Exception) -> None:
        """Deliver an error."""
        self._tell(error, True)

    def _tell(self, item: Translation | Exception, last: bool) -> None:
        try:
            self.deliver(item, last)
        except RuntimeError:  # the loop that listened is closed
            self.stopped = True


class Worker:
    """Translators and the threads in which they work, inside ``with``.

    Args:
        translators: by name.
        limits: how many sentences wait, share a batch and are followed, and how long each may be.
    """

    def __init__(self, translators: Mapping[str, Translator], limits: LimitsConfig) -> None:
        self.limits = limits
        self._turns = Turns("translations", collect=limits.collect, merge=self._merged)
        self._drawing = Turns("pictures", lanes=1, kept_free=0)
        self.translators = {name: one.watched(self._turns.step) for name, one in translators.items()}

    def __enter__(self) -> "Worker":
        self._turns.open()
        self._drawing.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
        self._turns.join()
        self._drawing.join(0.0)  # a picture knows no steps

    def close(self) -> None:
        """End all work before its next step; whoever waits hears `ClosedError`."""
        self._turns.close()
        self._drawing.close()

    def translate(self, how: How, requests: Sequence[Request], client: str = "") -> Pending[list[Translation]]:
        """Ask for translations.

        Raises:
            TooLargeError: a sentence, or what could be answered, is too large.
            BusyError: too many sentences wait.
        """
        job = Job(client, self._size(how, requests), how, requests, self._together)

        def room(queue: Sequence[Work], _: Sequence[Work]) -> None:
            waiting = sum(len(one.requests) for one in queue if isinstance(one, Job))
            if waiting + len(requests) > self.limits.waiting:
                raise BusyError(f"{waiting} sentences are waiting: ask again in a moment")

        self._turns.submit(job, room)
        return Pending(job.answer, lambda: self._turns.stop(job))

    def follow(self, how: How, request: Request, deliver: Deliver, client: str = "") -> Callable[[], None]:
        """Have a translation delivered while it grows; what is returned ends that.

        Args:
            how: ``n_best`` and ``attention`` do nothing here.
            request: the sentence and its prefix.
            deliver: called in a thread of the worker's.
            client: for whom.

        Raises:
            TooLargeError: the sentence is too long.
            BusyError: too many are followed.
        """
        translator, text, prefix = self.translators[how.run], request.text, request.prefix
        size = self._size(how, [request]).tokens
        stream = Stream(client, size, lambda: translator.stream(text, beam_size=how.beam_size, prefix=prefix), deliver)

        def room(queue: Sequence[Work], under_way: Sequence[Work]) -> None:
            followed = sum(isinstance(one, Stream) for one in (*queue, *under_way))
            if followed >= self.limits.streams:
                raise BusyError(f"{followed} translations are shown growing: ask again in a moment")

        self._turns.submit(stream, room)
        return lambda: self._turns.stop(stream)

    def call(
        self, how: How, texts: Sequence[str], function: Callable[[], Result], client: str = "", most: int | None = None
    ) -> Pending[Result]:
        """Have a function called that searches with the translators of this worker.

        Args:
            how: with which of them, and how wide.
            texts: what it looks at: a source, and what else there is in the target language.
            function: what to call.
            client: for whom.
            most: tokens of a text, at most; None: as of a translation.

        Raises:
            TooLargeError: a text is too long.
            BusyError: too many wait.
        """
        limits = self.limits if most is None else replace(self.limits, pieces=min(most, self.limits.pieces))
        request = Request(texts[0], " ".join(texts[1:]))
        size = measured(self.translators[how.run], how, [request], limits).tokens
        return self._called(self._turns, Call(client, size, function), self.limits.waiting)

    def draw(self, function: Callable[[], Result], client: str = "") -> Pending[Result]:
        """Have a picture drawn, one at a time, beside the translations.

        Raises:
            BusyError: too many wait.
        """
        return self._called(self._drawing, Call(client, 0, function), DRAWINGS)

    def _size(self, how: How, requests: Sequence[Request]) -> Size:
        return measured(self.translators[how.run], how, requests, self.limits)

    def _called(self, turns: Turns, call: Call[Result], most: int) -> Pending[Result]:
        def room(queue: Sequence[Work], _: Sequence[Work]) -> None:
            if len(queue) >= most:
                raise BusyError(f"{len(queue)} questions are waiting: ask again in a moment")

        turns.submit(call, room)
        return Pending(call.answer, lambda: turns.stop(call))

    def _merged(self, first: Work, queue: list[Work]) -> Work:
        """A job with all others that may share its batch, taken from the queue."""
        if not isinstance(first, Job):
            return first
        jobs, count = [first], len(first.requests)
        for other in list(queue):
            if isinstance(other, Job) and other.alike == first.alike:
                if count + len(other.requests) > self.limits.batch:
                    break
                queue.remove(other)
                jobs.append(other)
                count += len(other.requests)
        return Batch(jobs)

    def _together(self, jobs: Sequence[Job]) -> None:
        """Translate jobs together; where one of them cannot be, each by itself, so that only that one fails."""
        jobs = [job for job in jobs if not job.stopped]
        if not jobs:
            return
        try:
            found = iter(self._translated(jobs[0].how, [request for job in jobs for request in job.requests]))
        except Exception as error:  # as above
            if len(jobs) > 1 and isinstance(error, Seq2SeqError):
                for job in jobs:
                    self._together([job])
                return
            for job in jobs:
                job.refuse(error)
            return
        for job in jobs:
            job.settle([next(found) for _ in job.requests])

    def _translated(self, how: How, requests: Sequence[Request]) -> list[Translation]:
        """Translate so many at a time as there are time and memory for, whatever the model."""
        translator = self.translators[how.run]
        members = translator.ensemble
        most_rows = min(steppable(members), MOST_NUMBERS // members.target.size)
        most_tokens = readable(members)
        found: list[Translation] = []
        while len(found) < len(requests):
            left = requests[len(found) :]
            _, longest = members.encoded([request.text for request in left])
            rows, tokens = accumulate(how.rows(translator, request) for request in left), accumulate(map(len, longest))
            count = max(1, sum(a <= most_rows and b <= most_tokens for a, b in zip(rows, tokens, strict=True)))
            found += translator.translate(
                list(left[:count]), beam_size=how.beam_size, n_best=how.n_best, attention=how.attention
            )
        return found
