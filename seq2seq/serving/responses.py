"""Responses: wait for results of the executor, convert them to messages of the API, stream them as events."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from fastapi import Request as HttpRequest
from torch import Tensor

from seq2seq.errors import Seq2SeqError
from seq2seq.serving.config import LimitsConfig
from seq2seq.serving.executor import TranslationExecutor
from seq2seq.serving.limits import BatchKey
from seq2seq.serving.scheduler import ClosedError, PendingResult
from seq2seq.serving.schemas import (
    ErrorMessage,
    Message,
    PartialTranslation,
    SourceTranslation,
    TranslationMessage,
)
from seq2seq.translation.types import Request, Translation

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


class TimeLimitError(Exception):
    """A response took too long; the message has the limit."""


class DisconnectedError(Exception):
    """The client closed the connection before the response."""


def client_address(request: HttpRequest) -> str:
    """Return the address of the client."""
    return request.client.host if request.client else ""


@asynccontextmanager
async def time_limit(limits: LimitsConfig) -> AsyncIterator[None]:
    """Limit the time of a block to that of a response.

    Raises:
        TimeLimitError: the block takes longer.
    """
    try:
        async with asyncio.timeout(limits.seconds):
            yield
    except TimeoutError:
        raise TimeLimitError(f"there was no result within {limits.seconds:g} seconds: send less text") from None


async def result_of(pending: PendingResult[Result], request: HttpRequest | None = None) -> Result:
    """Wait for a result. The computation is cancelled when the waiting ends or the client disconnects.

    Raises:
        DisconnectedError: the client of ``request`` has disconnected.
    """
    result = asyncio.wrap_future(pending.future)
    awaited: list[asyncio.Future[Result] | asyncio.Task[None]] = [result]
    if request is not None:
        awaited.append(asyncio.create_task(_disconnection(request)))
    try:
        await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
        if result.done():
            return result.result()
        raise DisconnectedError
    finally:
        pending.cancel()
        for future in awaited:
            future.cancel()


async def _disconnection(request: HttpRequest) -> None:
    """Return once the client has disconnected; its request has already been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def attention_rows(attention: Tensor | None) -> list[list[float]] | None:
    """Return attention weights rounded to four decimals."""
    return None if attention is None else [[round(weight, 4) for weight in row] for row in attention.tolist()]


def translation_message(translation: Translation) -> TranslationMessage:
    """Convert one translation."""
    return TranslationMessage(
        text=translation.text,
        score=translation.score,
        log_probability=translation.log_probability,
        tokens=list(translation.tokens),
        attention=attention_rows(translation.attention),
    )


def source_translation(translation: Translation) -> SourceTranslation:
    """Convert a translation with its n-best list."""
    return SourceTranslation(
        **dict(translation_message(translation)),
        source=translation.source,
        source_tokens=list(translation.source_tokens),
        n_best=[translation_message(hypothesis) for hypothesis in translation.n_best],
    )


class TranslationEvents:
    """Server-sent events of a translation: any number of ``growing``, then one ``done`` or ``error``.

    The constructor submits the request, so that an error status is possible before the response begins. A slow client
    receives fewer events: only the newest state is kept for it.

    Raises:
        TooLargeError: the sentence is too long.
        BusyError: there are too many streams.
    """

    def __init__(
        self, executor: TranslationExecutor, limits: LimitsConfig, key: BatchKey, request: Request, client: str
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + limits.seconds
        self._changed = asyncio.Event()
        self._newest: Translation | Exception | None = None
        self._ended = False
        self.cancel = executor.stream(key, request, self._deliver, client)

    def _deliver(self, item: Translation | Exception, last: bool) -> None:
        """Receive a part from another thread."""
        self._loop.call_soon_threadsafe(self._store, item, last)

    def _store(self, item: Translation | Exception, last: bool) -> None:
        self._newest, self._ended = item, last
        self._changed.set()

    async def encoded(self) -> AsyncIterator[str]:
        """Yield the events as text."""
        while not self._ended:
            try:
                async with asyncio.timeout_at(self._deadline):
                    await self._changed.wait()
                self._changed.clear()
            except TimeoutError as error:
                yield encoded_event("error", ErrorMessage(detail=error_detail(error)))
                return
            if isinstance(self._newest, Translation) and not self._ended:
                message = PartialTranslation(text=self._newest.text, tokens=list(self._newest.tokens))
                yield encoded_event("growing", message)
        if isinstance(self._newest, Translation):
            yield encoded_event("done", await asyncio.to_thread(source_translation, self._newest))
        else:
            assert self._newest is not None
            yield encoded_event("error", ErrorMessage(detail=error_detail(self._newest)))


def encoded_event(name: str, message: Message) -> str:
    """Return one event. Its JSON contains no line breaks."""
    return f"event: {name}\ndata: {message.model_dump_json()}\n\n"


def error_detail(error: Exception) -> str:
    """Return an error in one line. Unexpected errors are logged instead, since they may reveal paths."""
    if isinstance(error, Seq2SeqError | ClosedError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "the translation took too long: send less text"
    logger.error("a translation failed", exc_info=error)
    return "internal error: see the log of the server"
