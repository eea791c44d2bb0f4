"""The JSON API: a method a path; their docstrings and types are the OpenAPI description."""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi import Request as Asking
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from seq2seq import __version__
from seq2seq.serving.alternatives import alternatives
from seq2seq.serving.answers import Events, translated, written
from seq2seq.serving.config import LimitsConfig
from seq2seq.serving.limits import check_count, check_texts, client_of, received, within
from seq2seq.serving.microscope import Microscope, Seen
from seq2seq.serving.schemas import (
    Alternatives,
    AlternativesQuestion,
    Limits,
    Message,
    Problem,
    Question,
    Sentence,
    Served,
    StreamQuestion,
    TraceAnswer,
    TraceQuestion,
    TranslateQuestion,
    Translations,
)
from seq2seq.serving.size import How
from seq2seq.serving.systems import described
from seq2seq.serving.worker import Worker
from seq2seq.translation.types import Request

PROBLEMS = {
    404: "there is no such run",
    413: "more was sent or asked for than is taken",
    422: "the question cannot be answered",
    503: "there is too much to do, or it took too long",
}


class EventStream(StreamingResponse):
    """Server-sent events."""

    media_type = "text/event-stream"

    def __init__(self, events: Events) -> None:
        super().__init__(events.told())
        self.events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them until the end or until the client leaves, which may be before the first."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.events.stop()


class Picture(Response):
    """A picture."""

    media_type = "image/png"


class Api:
    """What can be asked.

    Args:
        worker: translates, looks into sentences, draws.
        limits: what is refused.
    """

    def __init__(self, worker: Worker, limits: LimitsConfig) -> None:
        self.worker, self.limits = worker, limits
        self._writing = asyncio.Lock()
        self.microscope = Microscope(worker.translators, limits)

    def router(self) -> APIRouter:
        """Every path."""
        told: dict[int | str, dict[str, Any]] = {
            status: {"model": Problem, "description": text} for status, text in PROBLEMS.items()
        }
        router = APIRouter(prefix="/api", responses=told)
        router.add_api_route("/runs", self.runs, methods=["GET"])
        # The models describe what is answered; it is written by `_written`, for FastAPI would do it in the event loop.
        router.add_api_route("/translate", self.translate, methods=["POST"], response_model=Translations)
        router.add_api_route("/stream", self.stream, methods=["POST"], response_class=EventStream, status_code=200)
        router.add_api_route("/alternatives", self.alternatives, methods=["POST"], response_model=Alternatives)
        router.add_api_route("/trace", self.trace, methods=["POST"], response_model=TraceAnswer)
        router.add_api_route("/picture", self.picture, methods=["GET"], response_class=Picture)
        return router

    async def runs(self) -> Served:
        """What translates here, and how much is taken."""
        limits = {name: getattr(self.limits, name) for name in Limits.model_fields}
        runs = [described(name, translator) for name, translator in self.worker.translators.items()]
        return Served(version=__version__, runs=runs, limits=Limits(**limits))

    async def translate(self, question: TranslateQuestion, asking: Asking) -> Response:
        """Translate sentences; questions that come together share a batch, which changes no answer."""
        how = self._how(question, question.n_best, question.attention)
        check_count("the number of sentences", len(question.sentences), self.limits.sentences)
        given = [
            Sentence(text=one, prefix="", phrases=[]) if isinstance(one, str) else one for one in question.sentences
        ]
        check_count("the number of phrases", max(len(one.phrases) for one in given), self.limits.sentences)
        self._check(text for one in given for text in (one.text, one.prefix, *one.phrases))
        requests = [Request(one.text, one.prefix, tuple(one.phrases)) for one in given]
        async with within(self.limits):
            found = await received(self.worker.translate(how, requests, client_of(asking)), asking)
            return await self._written(lambda: Translations(run=how.run, translations=list(map(translated, found))))

    async def stream(self, question: StreamQuestion, asking: Asking) -> EventStream:
        """Translate one sentence and show it growing.

        Server-sent events: `growing` (text and pieces that will not change any more), each beginning with the one
        before; at the end `done` (a translation as `/api/translate` gives it) or `error` (a problem).
        """
        how = self._how(question)
        self._check([question.text, question.prefix])
        request = Request(question.text, question.prefix)
        return EventStream(Events(self.worker, self.limits, how, request, client_of(asking)))

    async def alternatives(self, question: AlternativesQuestion, asking: Asking) -> Response:
        """The likeliest words at a place of a translation, and the rest translated anew behind each of them."""
        how = self._how(question)
        check_count("count", question.count, self.limits.beam_size)
        self._check([question.text, question.before])
        async with within(self.limits):
            found = await alternatives(self.worker, how, question, asking)
            return await self._written(lambda: Alternatives(run=how.run, alternatives=found))

    async def trace(self, question: TraceQuestion, asking: Asking) -> Response:
        """Look into a sentence: probabilities and runners-up step by step, attention, and which pictures there are."""
        how = self._how(question)
        async with within(self.limits):
            found = await self._traced(how, question.text, question.target, asking)
            return await self._written(lambda: self.microscope.answer(found, how.run))

    async def picture(
        self,
        asking: Asking,
        text: str,
        name: Annotated[str, Query(description="one of the `pictures` of /api/trace")],
        run: str | None = None,
        target: str | None = None,
        beam_size: Annotated[int | None, Query(ge=1)] = None,
    ) -> Picture:
        """A picture of a sentence: gates and states of a cell, states over time, attention, the beam's tree; PNG."""
        how = self._how(Question(run=run, beam_size=beam_size))
        async with within(self.limits):
            seen = await self._traced(how, text, target, asking)
            drawn = self.worker.draw(partial(self.microscope.picture, seen, name), client_of(asking))
            return Picture(await received(drawn, asking))

    async def _traced(self, how: How, text: str, target: str | None, asking: Asking) -> Seen:
        """A sentence seen from inside."""
        self._check([text, target or ""], self.limits.inspected)
        trace = partial(self.microscope.traced, how.run, text, target, how.beam_size)
        called = self.worker.call(how, [text, target or ""], trace, client_of(asking), self.limits.inspected)
        return await received(called, asking)

    async def _written(self, make: Callable[[], Message]) -> Response:
        """An answer as JSON, made and written beside the event loop; one at a time, for it takes memory."""
        async with self._writing:
            return Response(await asyncio.to_thread(lambda: written(make())), media_type="application/json")

    def _how(self, question: Question, n_best: int | None = None, attention: bool = False) -> How:
        """The run that is asked, and its settings.

        Raises:
            HTTPException: there is no such run.
            TooLargeError: a number is too large.
        """
        run = next(iter(self.worker.translators)) if question.run is None else question.run
        if run not in self.worker.translators:
            raise HTTPException(404, f"there is no run of that name: ask for {', '.join(self.worker.translators)}")
        for name, value in (("beam_size", question.beam_size), ("n_best", n_best)):
            check_count(name, value, self.limits.beam_size)
        return How(run, question.beam_size, n_best, attention)

    def _check(self, texts: Iterable[str], most: int | None = None) -> None:
        check_texts(texts, self.limits.characters if most is None else most)
