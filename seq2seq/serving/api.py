"""The JSON API: one method per path. Their docstrings and types become the OpenAPI description."""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi import Request as HttpRequest
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from seq2seq import __version__
from seq2seq.errors import program
from seq2seq.portable.normalization import is_blank
from seq2seq.portable.segmentation import MAX_SEGMENT
from seq2seq.serving.alternatives import suggest_alternatives
from seq2seq.serving.config import LimitsConfig
from seq2seq.serving.executor import TranslationExecutor
from seq2seq.serving.limits import BatchKey, check_count, check_texts
from seq2seq.serving.responses import TranslationEvents, client_address, result_of, source_translation, time_limit
from seq2seq.serving.runs import run_info
from seq2seq.serving.schemas import (
    AlternativesRequest,
    AlternativesResponse,
    ConstrainedSentence,
    ErrorMessage,
    LimitsInfo,
    Message,
    RunRequest,
    SegmentsRequest,
    SegmentsResponse,
    ServerInfo,
    StreamRequest,
    TraceRequest,
    TraceResponse,
    TranslateRequest,
    TranslateResponse,
)
from seq2seq.serving.traces import CachedTrace, TraceCache
from seq2seq.translation.batching import segments
from seq2seq.translation.types import Request

ERRORS = {
    404: "unknown run",
    413: "a limit is exceeded",
    422: "invalid request",
    503: "the server is at capacity, or the time limit is exceeded",
}


class EventStream(StreamingResponse):
    """Server-sent events."""

    media_type = "text/event-stream"

    def __init__(self, events: TranslationEvents) -> None:
        super().__init__(events.encoded())
        self.events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events until their end or until the client disconnects, possibly before the first."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.events.cancel()


class PngResponse(Response):
    """A picture."""

    media_type = "image/png"


class Api:
    """The paths of the API.

    Args:
        executor: translates, traces and draws.
        limits: limits of requests.
    """

    def __init__(self, executor: TranslationExecutor, limits: LimitsConfig) -> None:
        self.executor, self.limits = executor, limits
        self._encoding = asyncio.Lock()
        self.traces = TraceCache(executor.translators, limits)

    def router(self) -> APIRouter:
        """Return the routes."""
        responses: dict[int | str, dict[str, Any]] = {
            status: {"model": ErrorMessage, "description": text} for status, text in ERRORS.items()
        }
        router = APIRouter(prefix="/api", responses=responses)
        router.add_api_route("/runs", self.runs, methods=["GET"])
        # The models only describe the responses: FastAPI would encode them in the event loop, `_json` does not.
        router.add_api_route("/translate", self.translate, methods=["POST"], response_model=TranslateResponse)
        router.add_api_route("/stream", self.stream, methods=["POST"], response_class=EventStream, status_code=200)
        router.add_api_route("/segments", self.segments, methods=["POST"], response_model=SegmentsResponse)
        router.add_api_route("/alternatives", self.alternatives, methods=["POST"], response_model=AlternativesResponse)
        router.add_api_route("/trace", self.trace, methods=["POST"], response_model=TraceResponse)
        router.add_api_route("/picture", self.picture, methods=["GET"], response_class=PngResponse)
        return router

    async def runs(self) -> ServerInfo:
        """Return the served runs and the limits."""
        names = LimitsInfo.model_fields.keys() - {"segment"}
        limits = {"segment": MAX_SEGMENT, **{name: getattr(self.limits, name) for name in names}}
        runs = [run_info(name, translator) for name, translator in self.executor.translators.items()]
        name = program("serve")
        command = f"python {name}" if name.endswith(".py") else name
        return ServerInfo(version=__version__, program=command, runs=runs, limits=LimitsInfo(**limits))

    async def translate(self, request: TranslateRequest, http_request: HttpRequest) -> Response:
        """Translate sentences. Requests that arrive together share a batch, which does not change the results."""
        key = self._batch_key(request, request.n_best, request.attention)
        check_count("the number of sentences", len(request.sentences), self.limits.sentences)
        sentences = [
            ConstrainedSentence(text=sentence, prefix="", phrases=[]) if isinstance(sentence, str) else sentence
            for sentence in request.sentences
        ]
        check_count(
            "the number of phrases", max(len(sentence.phrases) for sentence in sentences), self.limits.sentences
        )
        self._check_texts(
            text for sentence in sentences for text in (sentence.text, sentence.prefix, *sentence.phrases)
        )
        requests = [Request(sentence.text, sentence.prefix, tuple(sentence.phrases)) for sentence in sentences]
        async with time_limit(self.limits):
            pending = self.executor.translate(key, requests, client_address(http_request))
            translations = await result_of(pending, http_request)
            return await self._json(
                lambda: TranslateResponse(run=key.run, translations=list(map(source_translation, translations)))
            )

    async def stream(self, request: StreamRequest, http_request: HttpRequest) -> EventStream:
        """Translate one text and stream the translation.

        Server-sent events: `growing` (text and tokens that are final, each event extending the one before); at the end
        `done` (a translation as in `/api/translate`) or `error` (an error message).
        """
        key = self._batch_key(request)
        self._check_texts([request.text, request.prefix])
        constrained = Request(request.text, request.prefix)
        return EventStream(
            TranslationEvents(self.executor, self.limits, key, constrained, client_address(http_request))
        )

    async def segments(self, request: SegmentsRequest) -> Response:
        """Split a text into lines and these into the segments that `/api/translate` translates separately.

        A line of up to `limits.segment` characters is one segment, a longer one is split into sentences.
        """
        key = self._batch_key(request)
        self._check_texts([request.text])
        members = self.executor.translators[key.run].ensemble

        def parts(line: str) -> list[str]:
            return [part.text for part in segments(members, Request(line))] if not is_blank(line) else []

        lines = request.text.replace("\r\n", "\n").split("\n")
        return await self._json(lambda: SegmentsResponse(run=key.run, lines=list(map(parts, lines))))

    async def alternatives(self, request: AlternativesRequest, http_request: HttpRequest) -> Response:
        """Return the most probable words at a position of a translation, each with a new translation."""
        key = self._batch_key(request)
        check_count("count", request.count, self.limits.beam_size)
        self._check_texts([request.before])
        longest = min(self.limits.characters, MAX_SEGMENT)
        check_texts([request.text], longest, "split it with /api/segments, or shorten it")
        async with time_limit(self.limits):
            alternatives = await suggest_alternatives(self.executor, key, request, http_request)
            return await self._json(lambda: AlternativesResponse(run=key.run, alternatives=alternatives))

    async def trace(self, request: TraceRequest, http_request: HttpRequest) -> Response:
        """Trace a sentence: probabilities and other probable tokens by step, attention, names of pictures."""
        key = self._batch_key(request)
        async with time_limit(self.limits):
            cached = await self._trace(key, request.text, request.target, http_request)
            return await self._json(lambda: self.traces.response(cached, key.run))

    async def picture(
        self,
        http_request: HttpRequest,
        text: str,
        name: Annotated[str, Query(description="one of the `pictures` of /api/trace")],
        run: str | None = None,
        target: str | None = None,
        beam_size: Annotated[int | None, Query(ge=1)] = None,
    ) -> PngResponse:
        """Draw a sentence: gates and states of a cell, states over time, attention, or the beam tree, as PNG."""
        key = self._batch_key(RunRequest(run=run, beam_size=beam_size))
        async with time_limit(self.limits):
            cached = await self._trace(key, text, target, http_request)
            pending = self.executor.draw(partial(self.traces.picture, cached, name), client_address(http_request))
            return PngResponse(await result_of(pending, http_request))

    async def _trace(self, key: BatchKey, text: str, target: str | None, http_request: HttpRequest) -> CachedTrace:
        self._check_texts([text, target or ""], self.limits.inspected)
        trace = partial(self.traces.trace, key.run, text, target, key.beam_size)
        pending = self.executor.call(
            key, [text, target or ""], trace, client_address(http_request), self.limits.inspected
        )
        return await result_of(pending, http_request)

    async def _json(self, make: Callable[[], Message]) -> Response:
        """Make and encode a message outside the event loop, one at a time to save memory."""
        async with self._encoding:
            body = await asyncio.to_thread(lambda: make().model_dump_json().encode())
            return Response(body, media_type="application/json")

    def _batch_key(self, request: RunRequest, n_best: int | None = None, attention: bool = False) -> BatchKey:
        """Return the run and the search settings of a request.

        Raises:
            HTTPException: there is no such run.
            TooLargeError: a number is too large.
        """
        run = next(iter(self.executor.translators)) if request.run is None else request.run
        if run not in self.executor.translators:
            names = ", ".join(self.executor.translators)
            raise HTTPException(404, f"there is no run with this name: choose one of {names}")
        for name, value in (("beam_size", request.beam_size), ("n_best", n_best)):
            check_count(name, value, self.limits.beam_size)
        return BatchKey(run, request.beam_size, n_best, attention)

    def _check_texts(self, texts: Iterable[str], limit: int | None = None) -> None:
        check_texts(texts, self.limits.characters if limit is None else limit)
