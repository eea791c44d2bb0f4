"""A third language: with an invented identifier, and with the real one if it is installed."""

import pytest

from seq2seq.corpora.corpus import Pair
from seq2seq.doctor import third_language
from seq2seq.doctor.reasons import Reason
from seq2seq.doctor.third_language import HINT, find_third_language

ENGLISH = "the {} people of this small town walked to the market in the morning number {}"
GERMAN = "die {} Leute dieser kleinen Stadt gingen am Morgen auf den Markt Nummer {}"
FRENCH = "les habitants de cette petite ville marchaient vers le marché ce matin et ils achetaient du pain"


def pairs() -> list[Pair]:
    made = [Pair(ENGLISH.format(word, word), GERMAN.format(word, word)) for word in ("old", "new", "few", "kind") * 10]
    made[7] = Pair(made[7].source, FRENCH)
    made[8] = Pair("OK", "ok")
    return made


def test_sentences_in_neither_language_are_found(monkeypatch):
    def identify(text: str) -> list[tuple[str, float]]:
        scores = dict.fromkeys(("en", "de", "fr"), -200.0)
        scores["en" if text.startswith("the") else "de" if text.startswith("die") else "fr"] = -100.0
        return sorted(scores.items(), key=lambda item: -item[1])

    monkeypatch.setattr(third_language, "identifier", lambda: True)
    monkeypatch.setattr(third_language, "identify", identify)
    (finding,), notes = find_third_language(pairs())
    assert (finding.reason, finding.side, finding.rows.tolist()) == (Reason.third_language, "target", [7])
    assert finding.note == "identified as fr (1)"
    assert notes == []
    monkeypatch.setattr(third_language, "identify", lambda text: [(text[4:7], 0.0)])
    findings, notes = find_third_language(pairs())
    assert findings == []
    assert "its own language was not identified" in notes[0]


def test_without_the_identifier_the_report_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(third_language, "find_spec", lambda name: None)
    monkeypatch.setattr(third_language, "identifier", third_language.identifier.__wrapped__)
    assert find_third_language(pairs()) == ([], [HINT])


def test_the_real_identifier_finds_french_in_german():
    pytest.importorskip("py3langid")
    (finding,), notes = find_third_language(pairs())
    assert (finding.side, finding.rows.tolist(), notes) == ("target", [7], [])
