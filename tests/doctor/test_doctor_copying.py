"""What copying the source scores, and when a pointer pays."""

import pytest

from seq2seq.corpora.corpus import Pair
from seq2seq.doctor.copying import copied_share, copying_notes


def test_the_share_of_copied_words_leaves_out_punctuation_and_single_letters():
    assert copied_share([Pair("we saw Anna , a .", "wir sahen Anna , a .")]) == pytest.approx(1 / 3)
    assert copied_share([]) == copied_share([Pair("", "1 , 2")]) == 0


def test_close_languages_are_advised_to_use_a_pointer():
    close = [Pair(f"dat huus nummer{n} is groot un old", f"das Haus nummer{n} is groot und old") for n in range(30)]
    score, pointer = copying_notes("test", close, "de")
    assert score.startswith("test: ")
    assert "source scores BLEU " in score
    assert "a translator should score above that" in score
    assert "model.copy=pointer" in pointer
    assert "57% of the target's words stand in the source" in pointer


def test_distant_languages_have_no_notes():
    assert copying_notes("test", [Pair("the house is big", "talo on suuri")] * 20 + [Pair("", "")], "fi") == []
