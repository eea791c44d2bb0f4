"""Streaming of translations, and suggestions."""

import math

import pytest
from abilities import needs_bfloat16
from translators import LIMITS, SENTENCES, TEXTS, member, translator

from seq2seq import Translator
from seq2seq.errors import ConfigError
from seq2seq.inference.member import Member
from seq2seq.tokenizer.config import Algorithm
from seq2seq.tokenizer.tokenizer import EOS


@pytest.mark.parametrize("beam_size", [1, 3])
@pytest.mark.parametrize("prefix", ["", "Die F"])
def test_stream_ends_with_the_translation(beam_size, prefix):
    own = translator()
    for text in SENTENCES:
        *growing, last = own.stream(text, beam_size=beam_size, prefix=prefix)
        expected = own.translate(text, beam_size=beam_size, prefix=prefix)
        assert (last.text, last.tokens) == (expected.text, expected.tokens)
        assert last.score == pytest.approx(expected.score, abs=1e-5)
        for one, longer in zip(growing, [*growing[1:], last], strict=False):
            assert math.isnan(one.score)
            assert longer.text.startswith(one.text)
            assert last.tokens[: len(one.tokens)] == one.tokens
    for blank in (" ", " " * 5000):
        assert [one.text for one in own.stream(blank)] == [""]


@needs_bfloat16
def test_greedy_stream_in_bfloat16_equals_the_translation():
    """Logits rounded to bfloat16 would tie and change the choice."""
    first = member()
    own = Translator([Member.prepare(first.network, first.tokenizers, first.device, "bfloat16")], LIMITS)
    for text in (*SENTENCES, *TEXTS):
        *_, last = own.stream(text, beam_size=1)
        assert last.tokens == own.translate(text, beam_size=1).tokens


def test_long_text_is_streamed_by_segments():
    own, text = translator(), "Wir sehen das Haus. " * 60
    *growing, last = own.stream(text, beam_size=1, prefix="Das")
    expected = own.translate(text, beam_size=1, prefix="Das")
    assert (last.text, last.tokens) == (expected.text, expected.tokens)
    assert last.score == pytest.approx(expected.score, abs=1e-5)
    assert all(last.text.startswith(one.text) and one.source == text for one in growing)


def test_incomplete_characters_are_not_streamed():
    own = translator()
    *growing, last = own.stream("Wir.", beam_size=1, prefix="中 中")
    assert last.text.startswith("中 中")
    for one in growing:
        assert not one.text.endswith("\ufffd")


def test_suggestions_of_a_word_vocabulary_match_scores():
    """Compared with scores of the translations."""
    own = translator(1, 2, algorithm=Algorithm.word)
    suggestions = own.suggest("Wo ist der Mann?", "Das ", 30)
    assert 0.5 < sum(suggestion.probability for suggestion in suggestions) <= 1 + 1e-6
    target = own.members[0].tokenizers.target
    for suggestion in suggestions[:5]:
        if suggestion.word:
            tokens = own.score("Wo ist der Mann?", f"Das {suggestion.word}").token_log_probabilities
            assert suggestion.probability == pytest.approx(math.exp(tokens[1]), rel=0.2)
            assert target.encode(suggestion.word)
    assert {suggestion.word for suggestion in own.suggest("Wir.", "Das H")} == {"Haus"}
    with pytest.raises(ConfigError, match="count must be at least 1"):
        own.suggest("Wir.", "", 0)


def test_suggestion_probabilities_sum_to_one():
    words = member(algorithm=Algorithm.word)
    alone = Translator([words], LIMITS).suggest("Wir.", "", 30)
    assert sum(one.probability for one in alone) == pytest.approx(1, abs=0.3)
    assert EOS not in [one.word for one in alone]
