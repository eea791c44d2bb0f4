"""A translation while it is made."""

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
def test_a_stream_grows_into_the_translation(beam_size, prefix):
    own = translator()
    for text in SENTENCES:
        *growing, last = own.stream(text, beam_size=beam_size, prefix=prefix)
        wanted = own.translate(text, beam_size=beam_size, prefix=prefix)
        assert (last.text, last.tokens) == (wanted.text, wanted.tokens)
        assert last.score == pytest.approx(wanted.score, abs=1e-5)
        for one, longer in zip(growing, [*growing[1:], last], strict=False):
            assert math.isnan(one.score)
            assert longer.text.startswith(one.text)
            assert last.tokens[: len(one.tokens)] == one.tokens
    for blank in (" ", " " * 5000):
        assert [one.text for one in own.stream(blank)] == [""]


@needs_bfloat16
def test_in_bfloat16_a_greedy_stream_is_the_translation_too():
    """Logits that were rounded to bfloat16 would tie, and the choice among them be another one."""
    first = member()
    own = Translator([Member.prepare(first.network, first.tokenizers, first.device, "bfloat16")], LIMITS)
    for text in (*SENTENCES, *TEXTS):
        *_, last = own.stream(text, beam_size=1)
        assert last.tokens == own.translate(text, beam_size=1).tokens


def test_a_long_text_grows_stretch_by_stretch():
    own, text = translator(), "Wir sehen das Haus. " * 60
    *growing, last = own.stream(text, beam_size=1, prefix="Das")
    wanted = own.translate(text, beam_size=1, prefix="Das")
    assert (last.text, last.tokens) == (wanted.text, wanted.tokens)
    assert last.score == pytest.approx(wanted.score, abs=1e-5)
    assert all(last.text.startswith(one.text) and one.source == text for one in growing)


def test_a_character_is_shown_when_all_its_bytes_are_there():
    own = translator()
    *growing, last = own.stream("Wir.", beam_size=1, prefix="中 中")
    assert last.text.startswith("中 中")
    for one in growing:
        assert not one.text.endswith("\ufffd")


def test_suggestions_are_those_of_the_next_piece_where_pieces_are_words():
    """Of a vocabulary of words, against scores of the two translations."""
    own = translator(1, 2, algorithm=Algorithm.word)
    found = own.suggest("Wo ist der Mann?", "Das ", 30)
    assert 0.5 < sum(one.probability for one in found) <= 1 + 1e-6
    target = own.members[0].tokenizers.target
    for one in found[:5]:
        if one.word:
            pieces = own.score("Wo ist der Mann?", f"Das {one.word}").token_log_probabilities
            assert one.probability == pytest.approx(math.exp(pieces[1]), rel=0.2)
            assert target.encode(one.word)
    assert {one.word for one in own.suggest("Wir.", "Das H")} == {"Haus"}
    with pytest.raises(ConfigError, match="count must be at least 1"):
        own.suggest("Wir.", "", 0)


def test_with_a_language_model_probabilities_stay_probabilities():
    words = member(algorithm=Algorithm.word)
    alone = Translator([words], LIMITS).suggest("Wir.", "", 30)
    assert sum(one.probability for one in alone) == pytest.approx(1, abs=0.3)
    assert EOS not in [one.word for one in alone]
