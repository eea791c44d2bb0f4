"""Text that is not in NFC, and text of fonts and code pages from before Unicode."""

import unicodedata

import pytest

from seq2seq.doctor import encodings
from seq2seq.doctor.arrays import PairArrays, SentenceArray
from seq2seq.doctor.encodings import Encodings, is_legacy
from seq2seq.doctor.reasons import Reason

CLEAN = (
    "Où est la maïs, Noël en août ? L'aérien coïncide, haï, naïf, goûté.",
    "João e a ação: não são ruãs, são irmãs; o coágulo, o baú, Raúl.",
    "Über die Größe der Öfen müssen wir reden, häufig und höflich.",
    "Chúng tôi là sinh viên đại học, hoà bình và tiếng Việt, toán khoẻ.",
    "Þetta er íslenska: ég á ekki orð, áður ætíð óðum.",
    "Tá sé ag dul abhaile, agus bhí áthas orm.",
    "Koordinatie: coördinatie, reëel, vacuüm, zeeën, geïnd.",
    "10 m² bei 20°C, 5 € pro km², ¿qué? «así», nº 5, l·lusió.",
    "Привет, как дела?",
    "Ελληνικά κείμενα",
    "မြန်မာဘာသာစကား",
    "日本語の文章です。",
)


def findings(*sentences: str) -> dict[Reason, list[int]]:
    pairs = PairArrays(SentenceArray([*sentences]), SentenceArray(["x"] * len(sentences)), {})
    return {finding.reason: finding.rows.tolist() for finding in Encodings().find(pairs)}


@pytest.mark.parametrize("text", CLEAN)
def test_clean_text_in_many_scripts_is_not_reported(text):
    assert findings(unicodedata.normalize("NFC", text)) == {}


@pytest.mark.parametrize(
    "text",
    [
        "Toâi laø sinh vieân ñaïi hoïc, toâi hoïc tieáng Vieät.",  # VNI
        "T«i häc tiÕng ViÖt, n­íc ViÖt Nam ®Êt n­íc ®Ñp l¾m, b¹n µ.".replace("\xad", "¬"),  # TCVN3
        "Привет мой дорогой друг".encode("cp1251").decode("latin-1"),
        "Καλημέρα αγαπημένοι φίλοι".encode("iso8859-7").decode("cp1252"),
    ],
)
def test_legacy_fonts_and_code_pages_are_found(text):
    assert is_legacy(text)
    assert findings("plain", text) == {Reason.legacy_encoding: [1]}


def test_repairable_mojibake_is_not_a_legacy_font():
    assert not is_legacy("MÃ¤nner grÃ¼Ã\x9fen MÃ¤dchen")


def test_decomposed_text_is_found():
    assert findings("é", unicodedata.normalize("NFD", "é"), "\u212b") == {Reason.not_nfc: [1, 2]}


def test_zawgyi_is_reported_if_the_detector_finds_many(monkeypatch):
    sentences = ["ျမန္မာ"] * 3 + ["မြန်မာ"] * 30
    monkeypatch.setattr(encodings, "zawgyi_detector", lambda: lambda text: float(text == sentences[0]))
    assert findings(*sentences) == {Reason.legacy_encoding: [0, 1, 2]}
    assert findings(*sentences, *sentences[3:] * 2) == {}, "few are false alarms"
    monkeypatch.setattr(encodings, "zawgyi_detector", lambda: None)
    assert findings(*sentences) == {}


def test_the_detector_of_zawgyi_knows_it():
    pytest.importorskip("myanmartools")
    detector = encodings.zawgyi_detector.__wrapped__()
    assert detector("ျမန္မာစာသည္ ျမန္မာႏိုင္ငံ၏ ႐ုံးသုံးဘာသာစကား ျဖစ္သည္") > encodings.ZAWGYI
    assert detector("မြန်မာစာသည် မြန်မာနိုင်ငံ၏ ရုံးသုံးဘာသာစကား ဖြစ်သည်") < 0.5
