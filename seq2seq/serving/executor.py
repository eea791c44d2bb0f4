"""Background executor of translations: requests arriving together share a batch, and long ones are time-sliced.

A translation does not depend on its batch (`Translator`), so every result equals that of a request by itself.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from types import TracebackType
from typing import NamedTuple, TypeVar

from seq2seq.errors import Seq2SeqError, counted
from seq2seq.portable.translation import join_translations
from seq2seq.serving.config import LimitsConfig
from seq2seq.serving.limits import (
    BatchKey,
    RequestSize,
    check_count,
    checked_size,
    max_hypotheses,
    max_source_tokens,
)
from seq2seq.serving.scheduler import BusyError, CallTask, FutureTask, PendingResult, Scheduler, Task
from seq2seq.translation.batching import segments
from seq2seq.translation.translator import Translator
from seq2seq.translation.types import Request, Translation

Result = TypeVar("Result")

MAX_LOG_PROBABILITIES = 4_000_000
"""Most log-probabilities of one search step (hypotheses times target vocabulary), which bounds memory."""

MAX_QUEUED_PICTURES = 32

SHORT_BITS = 6
"""Sentences of fewer than 2 ** this tokens count as equally long."""


class SplitText(NamedTuple):
    """A text of a request and its segments, which are translated separately: itself, or its sentences if it is long."""

    source: str
    segments: Sequence[Request]

    def joined(self, translations: Sequence[Translation], length_penalty: float) -> Translation:
        """Return the translation of the text, given those of its segments."""
        whole = len(self.segments) == 1 and self.segments[0].text == self.source
        return translations[0] if whole else join_translations(Translation, self.source, translations, length_penalty)


class TranslateTask(FutureTask[list[Translation]]):
    """The texts of one request."""

    batchable = True

    def __init__(
        self,
        client: str,
        size: RequestSize,
        key: BatchKey,
        texts: Sequence[SplitText],
        translate: Callable[[Sequence["TranslateTask"]], None],
    ) -> None:
        super().__init__(client, size.work)
        self.key, self.texts, self.translate = key, texts, translate
        self.sentences = [sentence for text in texts for sentence in text.segments]
        # All sentences of a batch end with its longest one, and phrases need another search method.
        phrases = any(sentence.phrases for sentence in self.sentences)
        self.group = (key, max(SHORT_BITS, size.longest.bit_length()), phrases)

    def run(self) -> None:
        """Translate the sentences without others."""
        self.translate([self])


class BatchTask(Task):
    """Requests that are translated in one batch."""

    def __init__(self, tasks: Sequence[TranslateTask]) -> None:
        super().__init__(tasks[0].client, tasks[0].size)
        self.tasks = tasks

    @property
    def obsolete(self) -> bool:
        """Whether all requests were cancelled."""
        return all(task.cancelled for task in self.tasks)

    def run(self) -> None:
        """Translate the sentences."""
        self.tasks[0].translate(self.tasks)

    def fail(self, error: Exception) -> None:
        """Deliver an error to each request."""
        for task in self.tasks:
            task.fail(error)


Deliver = Callable[[Translation | Exception, bool], None]
"""Receives the final part of a translation, or an error, and whether this is the last call."""


class StreamTask(Task):
    """A translation that is delivered in parts."""

    def __init__(self, client: str, size: int, parts: Callable[[], Iterator[Translation]], deliver: Deliver) -> None:
        super().__init__(client, size)
        self.parts, self.deliver = parts, deliver

    def run(self) -> None:
        """Deliver each longer part, and last the whole translation."""
        try:
            previous: Translation | None = None
            for part in self.parts():
                if previous is not None:
                    self._deliver(previous, False)
                previous = part
            assert previous is not None
            self._deliver(previous, True)
        except Exception as error:  # the thread must survive any error
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """Deliver an error."""
        self._deliver(error, True)

    def _deliver(self, item: Translation | Exception, last: bool) -> None:
        try:
            self.deliver(item, last)
        except RuntimeError:  # the event loop of the receiver is closed
            self.cancelled = True


class TranslationExecutor:
    """Translators and the threads in which they work; a context manager.

    Args:
        translators: by name.
        limits: sizes of requests, batches and the queue.
    """

    def __init__(self, translators: Mapping[str, Translator], limits: LimitsConfig) -> None:
        self.limits = limits
        self._scheduler = Scheduler("translations", collect=limits.collect, merge=self._batch)
        self._picture_scheduler = Scheduler("pictures", slots=1, reserved=0)
        self.translators = {
            name: translator.watched(self._scheduler.before_step) for name, translator in translators.items()
        }

    def __enter__(self) -> "TranslationExecutor":
        self._scheduler.start()
        self._picture_scheduler.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
        self._scheduler.join()
        self._picture_scheduler.join(0.0)  # drawing has no steps at which it could end

    def close(self) -> None:
        """End all tasks before their next step with `ClosedError`."""
        self._scheduler.close()
        self._picture_scheduler.close()

    def translate(
        self, key: BatchKey, requests: Sequence[Request], client: str = ""
    ) -> PendingResult[list[Translation]]:
        """Translate texts, each as `Translator.translate` does: long ones are split into sentences.

        Raises:
            TooLargeError: a sentence, the number of sentences or the response is too large.
            BusyError: the queue is full.
        """
        texts = self._texts(key, requests)
        task = TranslateTask(client, self._size(key, texts), key, texts, self._translate_tasks)

        def check_capacity(queue: Sequence[Task], _: Sequence[Task]) -> None:
            queued = sum(len(other.sentences) for other in queue if isinstance(other, TranslateTask))
            if queued + len(task.sentences) > self.limits.waiting:
                raise BusyError(f"the queue is full with {counted(queued, 'sentence')}: retry later")

        self._scheduler.submit(task, check_capacity)
        return PendingResult(task.future, lambda: self._scheduler.cancel(task))

    def stream(self, key: BatchKey, request: Request, deliver: Deliver, client: str = "") -> Callable[[], None]:
        """Translate a text and deliver its translation in parts; return a function that cancels it.

        Args:
            key: run and beam size; ``n_best`` and ``attention`` are ignored.
            request: the text and its prefix.
            deliver: called in a thread of the executor.
            client: address of the client.

        Raises:
            TooLargeError: a sentence, or the number of sentences, is too large.
            BusyError: there are too many streams.
        """
        translator, text, prefix = self.translators[key.run], request.text, request.prefix
        task = StreamTask(
            client,
            self._size(key, self._texts(key, [request])).work,
            lambda: translator.stream(text, beam_size=key.beam_size, prefix=prefix),
            deliver,
        )

        def check_capacity(queue: Sequence[Task], in_progress: Sequence[Task]) -> None:
            streams = sum(isinstance(other, StreamTask) for other in (*queue, *in_progress))
            if streams >= self.limits.streams:
                raise BusyError(f"already streaming {counted(streams, 'translation')}: retry later")

        self._scheduler.submit(task, check_capacity)
        return lambda: self._scheduler.cancel(task)

    def call(
        self,
        key: BatchKey,
        texts: Sequence[str],
        function: Callable[[], Result],
        client: str = "",
        token_limit: int | None = None,
    ) -> PendingResult[Result]:
        """Call a function that searches with the translators of this executor.

        Args:
            key: run and beam size of the search.
            texts: a source, and texts in the target language.
            function: the function.
            client: address of the client.
            token_limit: tokens of a text; None: the limit of translations.

        Raises:
            TooLargeError: a text is too long.
            BusyError: the queue is full.
        """
        tokens = self.limits.tokens if token_limit is None else min(token_limit, self.limits.tokens)
        request = Request(texts[0], " ".join(texts[1:]))
        size = checked_size(self.translators[key.run], key, [request], replace(self.limits, tokens=tokens))
        return self._submit_call(self._scheduler, CallTask(client, size.work, function), self.limits.waiting)

    def draw(self, function: Callable[[], Result], client: str = "") -> PendingResult[Result]:
        """Call a function that draws a picture. Pictures are drawn one at a time, in parallel with translations.

        Raises:
            BusyError: the queue is full.
        """
        return self._submit_call(self._picture_scheduler, CallTask(client, 0, function), MAX_QUEUED_PICTURES)

    def _texts(self, key: BatchKey, requests: Sequence[Request]) -> list[SplitText]:
        members = self.translators[key.run].ensemble
        return [SplitText(request.text, segments(members, request)) for request in requests]

    def _size(self, key: BatchKey, texts: Sequence[SplitText]) -> RequestSize:
        sentences = [sentence for text in texts for sentence in text.segments]
        check_count("the number of sentences", len(sentences), self.limits.sentences)
        return checked_size(self.translators[key.run], key, sentences, self.limits)

    def _submit_call(self, scheduler: Scheduler, task: CallTask[Result], limit: int) -> PendingResult[Result]:
        def check_capacity(queue: Sequence[Task], _: Sequence[Task]) -> None:
            if len(queue) >= limit:
                raise BusyError(f"the queue is full with {len(queue)} requests: retry later")

        scheduler.submit(task, check_capacity)
        return PendingResult(task.future, lambda: scheduler.cancel(task))

    def _batch(self, first: Task, queue: list[Task]) -> Task:
        """Join a request with queued ones that can share its batch, and remove these from the queue."""
        if not isinstance(first, TranslateTask):
            return first
        tasks, count = [first], len(first.sentences)
        for other in list(queue):
            if isinstance(other, TranslateTask) and other.group == first.group:
                if count + len(other.sentences) > self.limits.batch:
                    break
                queue.remove(other)
                tasks.append(other)
                count += len(other.sentences)
        return BatchTask(tasks)

    def _translate_tasks(self, tasks: Sequence[TranslateTask]) -> None:
        """Translate requests in one batch. If that fails, translate each by itself, so that only one fails."""
        tasks = [task for task in tasks if not task.cancelled]
        if not tasks:
            return
        try:
            sentences = [sentence for task in tasks for sentence in task.sentences]
            translations = iter(self._translate(tasks[0].key, sentences))
        except Exception as error:  # the thread must survive any error
            if len(tasks) > 1 and isinstance(error, Seq2SeqError):
                for task in tasks:
                    self._translate_tasks([task])
                return
            for task in tasks:
                task.fail(error)
            return
        penalty = self.translators[tasks[0].key.run].search.length_penalty
        for task in tasks:
            task.finish([text.joined([next(translations) for _ in text.segments], penalty) for text in task.texts])

    def _translate(self, key: BatchKey, requests: Sequence[Request]) -> list[Translation]:
        """Translate in batches that fit the time of a step and memory, for a model of any size."""
        translator = self.translators[key.run]
        members = translator.ensemble
        hypothesis_limit = min(max_hypotheses(members), MAX_LOG_PROBABILITIES // members.target.size)
        token_limit = max_source_tokens(members)
        translations: list[Translation] = []
        while len(translations) < len(requests):
            rest = requests[len(translations) :]
            _, encoded = members.encoded([request.text for request in rest])
            hypotheses = accumulate(key.hypotheses(translator, request) for request in rest)
            tokens = accumulate(map(len, encoded))
            fits = [
                rows <= hypothesis_limit and length <= token_limit
                for rows, length in zip(hypotheses, tokens, strict=True)
            ]
            translations += translator.translate(
                list(rest[: max(1, sum(fits))]), beam_size=key.beam_size, n_best=key.n_best, attention=key.attention
            )
        return translations
