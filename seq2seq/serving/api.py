"""The JSON API: a method a path; their docstrings and types are the OpenAPI description."""

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.responses import StreamingResponse

from seq2seq import __version__
from seq2seq.serving.alternatives import alternatives
from seq2seq.serving.answers import events, translated
from seq2seq.serving.aside import Aside
from seq2seq.serving.config import LimitsConfig
from seq2seq.serving.limits import check_count, check_texts, within
from seq2seq.serving.microscope import Microscope
from seq2seq.serving.schemas import (
    Alternatives,
    AlternativesQuestion,
    Limits,
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
from seq2seq.serving.systems import described
from seq2seq.serving.worker import How, Worker
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


class Picture(Response):
    """A picture."""

    media_type = "image/png"


class Api:
    """What can be asked.

    Args:
        worker: translates.
        aside: looks into sentences.
        limits: what is refused.
    """

    def __init__(self, worker: Worker, aside: Aside, limits: LimitsConfig) -> None:
        self.worker, self.aside, self.limits = worker, aside, limits
        self.microscope = Microscope(worker.translators)

    def router(self) -> APIRouter:
        """Every path."""
        told: dict[int | str, dict[str, Any]] = {
            status: {"model": Problem, "description": text} for status, text in PROBLEMS.items()
        }
        router = APIRouter(prefix="/api", responses=told)
        router.add_api_route("/runs", self.runs, methods=["GET"])
        router.add_api_route("/translate", self.translate, methods=["POST"])
        router.add_api_route("/stream", self.stream, methods=["POST"], response_class=EventStream)
        router.add_api_route("/alternatives", self.alternatives, methods=["POST"])
        router.add_api_route("/trace", self.trace, methods=["POST"])
        router.add_api_route("/picture", self.picture, methods=["GET"], response_class=Picture)
        return router

    async def runs(self) -> Served:
        """What translates here, and how much is taken."""
        limits = {name: getattr(self.limits, name) for name in Limits.model_fields}
        runs = [described(name, translator) for name, translator in self.worker.translators.items()]
        return Served(version=__version__, runs=runs, limits=Limits(**limits))

    async def translate(self, question: TranslateQuestion) -> Translations:
        """Translate sentences; questions that come together share a batch, which changes no answer."""
        how = self._how(question, question.n_best, question.attention)
        check_count("the number of sentences", len(question.sentences), self.limits.sentences)
        given = [
            Sentence(text=one, prefix="", phrases=[]) if isinstance(one, str) else one for one in question.sentences
        ]
        check_count("the number of phrases", max(len(one.phrases) for one in given), self.limits.sentences)
        self._check(text for one in given for text in (one.text, one.prefix, *one.phrases))
        requests = [Request(one.text, one.prefix, tuple(one.phrases)) for one in given]
        found = await within(self.worker.translate(how, requests), self.limits)
        return Translations(run=how.run, translations=list(map(translated, found)))

    async def stream(self, question: StreamQuestion) -> EventStream:
        """Translate one sentence and show it growing.

        Server-sent events: `growing` (text and pieces that will not change any more), each beginning with the one
        before; at the end `done` (a translation as `/api/translate` gives it) or `error` (a problem).
        """
        how = self._how(question)
        self._check([question.text, question.prefix])
        return EventStream(await events(self.worker, how, Request(question.text, question.prefix)))

    async def alternatives(self, question: AlternativesQuestion) -> Alternatives:
        """The likeliest words at a place of a translation, and the rest translated anew behind each of them."""
        how = self._how(question)
        check_count("count", question.count, self.limits.beam_size)
        self._check([question.text, question.before])
        found = await alternatives(self.worker, self.aside, self.limits, how, question)
        return Alternatives(run=how.run, alternatives=found)

    async def trace(self, question: TraceQuestion) -> TraceAnswer:
        """Look into a sentence: probabilities and runners-up step by step, attention, and which pictures there are."""
        run = self._how(question).run
        self._check([question.text, question.target or ""], self.limits.inspected)
        asked = (run, question.text, question.target, question.beam_size)
        return await within(self.aside.submit(self.microscope.trace, *asked), self.limits)

    async def picture(
        self,
        text: str,
        name: Annotated[str, Query(description="one of the `pictures` of /api/trace")],
        run: str | None = None,
        target: str | None = None,
        beam_size: Annotated[int | None, Query(ge=1)] = None,
    ) -> Picture:
        """A picture of a sentence: gates and states of a cell, states over time, attention, the beam's tree; PNG."""
        chosen = self._how(Question(run=run, beam_size=beam_size)).run
        self._check([text, target or ""], self.limits.inspected)
        asked = (chosen, text, target, beam_size, name)
        return Picture(await within(self.aside.submit(self.microscope.picture, *asked), self.limits))

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
