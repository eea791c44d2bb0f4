"""How long, how many, how soon."""

import asyncio
from concurrent.futures import Future

import pytest

from seq2seq.serving.config import LimitsConfig
from seq2seq.serving.limits import SlowError, TooLargeError, check_count, check_texts, within


def test_the_limit_itself_is_taken():
    check_texts(["", "a" * 10], 10)
    with pytest.raises(TooLargeError, match="11 characters, and at most 10"):
        check_texts(["a", "b" * 11], 10)
    check_count("n", 3, 3)
    check_count("n", None, 3)
    with pytest.raises(TooLargeError, match="n is 4, and at most 3"):
        check_count("n", 4, 3)


def test_what_comes_too_late_is_never_begun():
    late: Future[int] = Future()
    with pytest.raises(SlowError, match=r"0\.01 seconds"):
        asyncio.run(within(late, LimitsConfig(seconds=0.01)))
    assert late.cancelled()
    made: Future[int] = Future()
    made.set_result(7)
    assert asyncio.run(within(made, LimitsConfig())) == 7
