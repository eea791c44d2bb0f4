"""What the API takes."""

import json

import pytest
from pydantic import ValidationError

from seq2seq.serving.schemas import StreamQuestion, TranslateQuestion


def test_a_sentence_is_a_text_or_a_text_with_conditions():
    question = TranslateQuestion.model_validate({"sentences": ["a", {"text": "b", "prefix": "c"}]})
    first, second = question.sentences
    assert first == "a"
    assert not isinstance(second, str)
    assert (second.text, second.prefix, second.phrases) == ("b", "c", [])


@pytest.mark.parametrize(
    "body", [{"text": "a", "prefx": "b"}, {"text": None}, {}, {"text": ["a"]}, {"text": b"a", "beam_size": True}]
)
def test_what_is_not_known_is_refused(body):
    with pytest.raises(ValidationError):
        StreamQuestion.model_validate_json(json.dumps(body, default=list))
