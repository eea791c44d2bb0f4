"""Holding questions to the limits: how long a text, how many, how long an answer may take."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from fastapi import Request

from seq2seq.serving.config import LimitsConfig

Result = TypeVar("Result")


class TooLargeError(Exception):
    """More was sent than is taken: the message says of what."""


class SlowError(Exception):
    """An answer took too long: the message says how long it may take."""


class GoneError(Exception):
    """The client left before it had its answer."""


@dataclass(frozen=True)
class Pending(Generic[Result]):
    """What somebody waits for."""

    answer: "Future[Result]"
    stop: Callable[[], None]
    """To be called once nobody waits any more; after the answer it does nothing."""


def check_texts(texts: Iterable[str], most: int) -> None:
    """Hold that no text is longer than ``most`` characters.

    Raises:
        TooLargeError: one is.
    """
    for text in texts:
        if len(text) > most:
            raise TooLargeError(f"a text has {len(text):,} characters, and at most {most:,} are taken: shorten it")


def check_count(what: str, count: int | None, most: int) -> None:
    """Hold that no more than ``most`` of something are asked for.

    Raises:
        TooLargeError: there are.
    """
    if count is not None and count > most:
        raise TooLargeError(f"{what} is {count:,}, and at most {most:,} is taken")


def client_of(request: Request) -> str:
    """For whom something is computed: the other end of the connection."""
    return request.client.host if request.client else ""


@asynccontextmanager
async def within(limits: LimitsConfig) -> AsyncIterator[None]:
    """All that is waited for here takes no longer than an answer may.

    Raises:
        SlowError: it would.
    """
    try:
        async with asyncio.timeout(limits.seconds):
            yield
    except TimeoutError:
        raise SlowError(f"there was no answer within {limits.seconds:g} seconds: ask for less") from None


async def received(pending: Pending[Result], request: Request | None = None) -> Result:
    """What another thread makes, if the client is still there; that work ends with the waiting for it.

    Raises:
        GoneError: the client of ``request`` has left.
    """
    answer = asyncio.wrap_future(pending.answer)
    waited: list[asyncio.Future[Result] | asyncio.Task[None]] = [answer]
    if request is not None:
        waited.append(asyncio.create_task(_left(request)))
    try:
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        raise GoneError
    finally:
        pending.stop()
        for one in waited:
            one.cancel()


async def _left(request: Request) -> None:
    """Wait until the client has left; its request has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
