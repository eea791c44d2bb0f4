"""Holding questions to the limits: how long a text, how many, how long an answer may take."""

import asyncio
from collections.abc import Iterable
from concurrent.futures import Future
from typing import TypeVar

from seq2seq.serving.config import LimitsConfig

Result = TypeVar("Result")


class TooLargeError(Exception):
    """More was sent than is taken: the message says of what."""


class SlowError(Exception):
    """An answer took too long: the message says how long it may take."""


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


async def within(future: Future[Result], limits: LimitsConfig) -> Result:
    """What another thread makes, if it is made in time; what has not been begun by then never is.

    Raises:
        SlowError: it takes too long.
    """
    try:
        return await asyncio.wait_for(asyncio.wrap_future(future), limits.seconds)
    except TimeoutError:
        raise SlowError(f"there was no answer within {limits.seconds:g} seconds: ask for less") from None
