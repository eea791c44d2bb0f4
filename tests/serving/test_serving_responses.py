"""Translations as the API writes them."""

import json
import math

import torch

from seq2seq.errors import DataError
from seq2seq.serving.answers import answer, detail, event, translated, weights
from seq2seq.serving.schemas import Growing
from seq2seq.translation.types import Translation


def test_what_json_has_no_number_for_is_null():
    found = Translation("a", "b", math.nan, -math.inf, ("x",), ("y",), torch.tensor([[0.123456, 1.0]]))
    written = json.loads(translated(found).model_dump_json())
    assert (written["score"], written["log_probability"]) == (None, None)
    assert written["attention"] == [[0.1235, 1.0]]
    assert weights(None) is None
    assert answer(found).pieces == ["x"]


def test_an_event_is_two_lines_whatever_the_text():
    text = "a\n\nevent: done\r\u2028"
    head, data, end = event("growing", Growing(text=text, pieces=[])).split("\n", 2)
    assert (head, end) == ("event: growing", "\n")
    assert json.loads(data.removeprefix("data: "))["text"] == text


def test_only_errors_of_ours_are_told(caplog):
    assert detail(DataError("say why")) == "say why"
    assert "too long" in detail(TimeoutError())
    assert "/secret/path" not in detail(OSError("/secret/path"))
    assert "/secret/path" in caplog.text
