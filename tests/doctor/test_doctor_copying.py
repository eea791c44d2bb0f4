"""What copying the source scores, and when a pointer pays."""

from seq2seq.corpora.corpus import Pair
from seq2seq.doctor.copying import copying_notes


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
