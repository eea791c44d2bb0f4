"""How long, how many, how soon."""

import asyncio
from concurrent.futures import Future

import pytest

from seq2seq.serving.config import LimitsConfig
from seq2seq.serving.limits import (
    GoneError,
    Pending,
    SlowError,
    TooLargeError,
    check_count,
    check_texts,
    received,
    within,
)


def test_the_limit_itself_is_taken():
    check_texts(["", "a" * 10], 10)
    with pytest.raises(TooLargeError, match="11 characters, and at most 10"):
        check_texts(["a", "b" * 11], 10)
    check_count("n", 3, 3)
    check_count("n", None, 3)
    with pytest.raises(TooLargeError, match="n is 4, and at most 3"):
        check_count("n", 4, 3)


def test_what_comes_too_late_is_stopped():
    late, stopped = Future[int](), []
    with pytest.raises(SlowError, match=r"0\.01 seconds"):
        asyncio.run(waited(late, LimitsConfig(seconds=0.01), stopped))
    assert stopped == [True]
    made = Future[int]()
    made.set_result(7)
    assert asyncio.run(waited(made, LimitsConfig(), stopped)) == 7


def test_what_nobody_waits_for_is_stopped():
    class Left:
        async def receive(self):
            return {"type": "http.disconnect"}

    stopped = []
    with pytest.raises(GoneError):
        asyncio.run(waited(Future[int](), LimitsConfig(), stopped, Left()))
    assert stopped == [True]


async def waited(answer, limits, stopped, request=None):
    async with within(limits):
        return await received(Pending(answer, lambda: stopped.append(True)), request)


def test_works_that_follow_one_another_share_the_time_of_an_answer():
    async def one_after_another():
        async with within(LimitsConfig(seconds=0.2)):
            for _ in range(4):
                made = Future[int]()
                asyncio.get_running_loop().call_later(0.1, made.set_result, 7)
                await received(Pending(made, lambda: None))

    with pytest.raises(SlowError, match=r"within 0\.2 seconds"):
        asyncio.run(one_after_another())
