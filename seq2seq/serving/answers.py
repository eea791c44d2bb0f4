"""Translations as the API writes them, at once or while they grow."""

import asyncio
import logging
from collections.abc import AsyncIterator

from torch import Tensor

from seq2seq.errors import Seq2SeqError
from seq2seq.serving.schemas import Answer, Growing, Message, Problem, Translated
from seq2seq.serving.worker import How, Worker
from seq2seq.translation.types import Request, Translation

logger = logging.getLogger(__name__)


def weights(attention: Tensor | None) -> list[list[float]] | None:
    """Attention weights with four decimals."""
    return None if attention is None else [[round(weight, 4) for weight in row] for row in attention.tolist()]


def answer(found: Translation) -> Answer:
    """One translation."""
    return Answer(
        text=found.text,
        score=found.score,
        log_probability=found.log_probability,
        pieces=list(found.pieces),
        attention=weights(found.attention),
    )


def translated(found: Translation) -> Translated:
    """A sentence's, with the others of its n-best list."""
    return Translated(
        **answer(found).model_dump(),
        source=found.source,
        source_pieces=list(found.source_pieces),
        n_best=[answer(one) for one in found.n_best],
    )


async def events(worker: Worker, how: How, request: Request) -> AsyncIterator[str]:
    """Server-sent events of a growing translation: ``growing`` any number of times, then ``done`` or ``error``.

    It begins at once and not with the first event, so that what is refused is refused before an answer is begun.

    Raises:
        BusyError: too many are followed.
    """
    loop = asyncio.get_running_loop()
    delivered: asyncio.Queue[Translation | Exception | None] = asyncio.Queue()

    def deliver(item: Translation | Exception | None) -> None:
        loop.call_soon_threadsafe(delivered.put_nowait, item)

    stop = worker.follow(how, request, deliver)

    async def told() -> AsyncIterator[str]:
        before: Translation | None = None
        try:
            while isinstance(item := await delivered.get(), Translation):
                if before is not None:
                    yield event("growing", Growing(text=before.text, pieces=list(before.pieces)))
                before = item
            if item is None and before is not None:
                yield event("done", translated(before))
            else:
                yield event("error", Problem(detail=detail(item)))
        finally:
            stop()

    return told()


def event(name: str, message: Message) -> str:
    """One event; JSON has no line breaks of its own."""
    return f"event: {name}\ndata: {message.model_dump_json()}\n\n"


def detail(error: Exception | None) -> str:
    """What went wrong, in a line that tells nothing of this machine."""
    if isinstance(error, Seq2SeqError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "the translation took too long: ask for less"
    if error is None:
        return "the page is being closed"
    logger.error("a translation failed", exc_info=error)
    return "something went wrong here: see where the page was started"
