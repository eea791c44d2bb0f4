"""Translations as the API writes them, at once or while they grow."""

import asyncio
import logging
from collections.abc import AsyncIterator

from torch import Tensor

from seq2seq.errors import Seq2SeqError
from seq2seq.serving.config import LimitsConfig
from seq2seq.serving.schemas import Answer, Growing, Message, Problem, Translated
from seq2seq.serving.size import How
from seq2seq.serving.turns import ClosedError
from seq2seq.serving.worker import Worker
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
        pieces=list(found.tokens),
        attention=weights(found.attention),
    )


def translated(found: Translation) -> Translated:
    """A sentence's, with the others of its n-best list."""
    return Translated(
        **answer(found).model_dump(),
        source=found.source,
        source_pieces=list(found.source_tokens),
        n_best=[answer(one) for one in found.n_best],
    )


class Events:
    """Server-sent events of a growing translation: ``growing`` any number of times, then ``done`` or ``error``.

    It begins at once and not with the first event, so that what is refused is refused before an answer is begun. A
    client that reads slowly is told less often: nothing waits for it but the newest state.

    Raises:
        TooLargeError: the sentence is too long.
        BusyError: too many are followed.
    """

    def __init__(self, worker: Worker, limits: LimitsConfig, how: How, request: Request, client: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + limits.seconds
        self._changed = asyncio.Event()
        self._newest: Translation | Exception | None = None
        self._ended = False
        self.stop = worker.follow(how, request, self._deliver, client)

    def _deliver(self, item: Translation | Exception, last: bool) -> None:
        """Called in another thread."""
        self._loop.call_soon_threadsafe(self._keep, item, last)

    def _keep(self, item: Translation | Exception, last: bool) -> None:
        self._newest, self._ended = item, last
        self._changed.set()

    async def told(self) -> AsyncIterator[str]:
        """The events, written."""
        while not self._ended:
            try:
                async with asyncio.timeout_at(self._until):
                    await self._changed.wait()
                self._changed.clear()
            except TimeoutError as error:
                yield event("error", Problem(detail=detail(error)))
                return
            if isinstance(self._newest, Translation) and not self._ended:
                yield event("growing", Growing(text=self._newest.text, pieces=list(self._newest.tokens)))
        if isinstance(self._newest, Translation):
            yield event("done", await asyncio.to_thread(translated, self._newest))
        else:
            assert self._newest is not None
            yield event("error", Problem(detail=detail(self._newest)))


def written(message: Message) -> bytes:
    """A message as JSON."""
    return message.model_dump_json().encode()


def event(name: str, message: Message) -> str:
    """One event; JSON has no line breaks of its own."""
    return f"event: {name}\ndata: {message.model_dump_json()}\n\n"


def detail(error: Exception) -> str:
    """What went wrong, in a line that tells nothing of this machine."""
    if isinstance(error, Seq2SeqError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "the translation took too long: ask for less"
    if isinstance(error, ClosedError):
        return str(error)
    logger.error("a translation failed", exc_info=error)
    return "something went wrong here: see where the page was started"
