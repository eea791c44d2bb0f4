"""Responses: waiting for results, and messages of the API."""

import asyncio
import json
import math
from concurrent.futures import Future

import pytest
import torch

from seq2seq.errors import DataError
from seq2seq.serving.config import LimitsConfig
from seq2seq.serving.responses import (
    DisconnectedError,
    TimeLimitError,
    attention_rows,
    encoded_event,
    error_detail,
    result_of,
    source_translation,
    time_limit,
    translation_message,
)
from seq2seq.serving.scheduler import PendingResult
from seq2seq.serving.schemas import PartialTranslation
from seq2seq.translation.types import Translation


async def limited_result(future, limits, cancelled, request=None):
    async with time_limit(limits):
        return await result_of(PendingResult(future, lambda: cancelled.append(True)), request)


def test_a_late_result_is_cancelled():
    cancelled = []
    with pytest.raises(TimeLimitError, match=r"0\.01 seconds"):
        asyncio.run(limited_result(Future[int](), LimitsConfig(seconds=0.01), cancelled))
    assert cancelled == [True]
    future = Future[int]()
    future.set_result(7)
    assert asyncio.run(limited_result(future, LimitsConfig(), cancelled)) == 7


def test_the_result_of_a_disconnected_client_is_cancelled():
    class Disconnected:
        async def receive(self):
            return {"type": "http.disconnect"}

    cancelled = []
    with pytest.raises(DisconnectedError):
        asyncio.run(limited_result(Future[int](), LimitsConfig(), cancelled, Disconnected()))
    assert cancelled == [True]


def test_consecutive_results_share_the_time_limit():
    async def four_results():
        async with time_limit(LimitsConfig(seconds=0.2)):
            for _ in range(4):
                future = Future[int]()
                asyncio.get_running_loop().call_later(0.1, future.set_result, 7)
                await result_of(PendingResult(future, lambda: None))

    with pytest.raises(TimeLimitError, match=r"within 0\.2 seconds"):
        asyncio.run(four_results())


def test_numbers_that_json_lacks_become_null():
    translation = Translation("a", "b", math.nan, -math.inf, ("x",), ("y",), torch.tensor([[0.123456, 1.0]]))
    message = json.loads(source_translation(translation).model_dump_json())
    assert (message["score"], message["log_probability"]) == (None, None)
    assert message["attention"] == [[0.1235, 1.0]]
    assert attention_rows(None) is None
    assert translation_message(translation).tokens == ["x"]
    assert (message["tokens"], message["source_tokens"]) == (["x"], ["y"])
    assert (message["pieces"], message["source_pieces"]) == (["x"], ["y"]), "their names before"


def test_an_event_has_two_lines_for_any_text():
    text = "a\n\nevent: done\r\u2028"
    head, data, end = encoded_event("growing", PartialTranslation(text=text, tokens=[])).split("\n", 2)
    assert (head, end) == ("event: growing", "\n")
    assert json.loads(data.removeprefix("data: "))["text"] == text


def test_unexpected_errors_are_logged_and_not_sent(caplog):
    assert error_detail(DataError("the reason")) == "the reason"
    assert "too long" in error_detail(TimeoutError())
    assert "/secret/path" not in error_detail(OSError("/secret/path"))
    assert "/secret/path" in caplog.text
