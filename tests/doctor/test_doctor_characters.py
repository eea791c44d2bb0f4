"""Odd characters and mojibake: what is reported, and what is left alone."""

import sys
import unicodedata

import pytest

from seq2seq.doctor.arrays import PairArrays, SentenceArray
from seq2seq.doctor.characters import KINDS, OddCharacters, fold, kind_table, repair_mojibake
from seq2seq.doctor.reasons import Reason


def findings(*lines: str) -> dict[Reason, list[int]]:
    pairs = PairArrays(SentenceArray(list(lines)), SentenceArray(["fine"] * len(lines)), {})
    results = OddCharacters().find(pairs)
    assert all(finding.side == "source" for finding in results)
    return {finding.reason: finding.rows.tolist() for finding in results}


@pytest.mark.parametrize(
    ("char", "reason"),
    [
        ("\udcf6", Reason.invalid_utf8),
        ("\ufffd", Reason.lost_characters),
        ("\u2028", Reason.separators),
        ("\x85", Reason.separators),
        ("\r", Reason.separators),
        ("\n", Reason.separators),
        ("\0", Reason.control),
        ("\x7f", Reason.control),
        ("\x9f", Reason.control),
        ("\xad", Reason.invisible),
        ("\u200b", Reason.invisible),
        ("\ufeff", Reason.byte_order_marks),
        ("\u202e", Reason.invisible),
        ("\ue123", Reason.private_use),
        ("\U0010ffff", Reason.private_use),
        ("\ufdd0", Reason.private_use),
    ],
)
def test_an_odd_character_is_found_in_its_line(char, reason):
    assert findings("good", f"a{char}b", "", char) == {reason: [1, 3]}
    assert findings(f"ä{char}é", f"{char}{char}") == {reason: [0, 1]}, "it is not mojibake next to other characters"


def test_a_lone_surrogate_is_invalid():
    assert findings("a\ud83d") == {Reason.invalid_utf8: [0]}


def test_characters_that_a_writing_system_needs_are_not_odd():
    lines = ["Größe: 5 €, «à»\tañadió\xa0…", "می‌خواهم", "क्‍ष", "日本語\u3000。", "👩‍🚀 🏴", "Ελλάδα", "‘’“”–—"]
    assert findings(*lines) == {}


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("ខ្ញុំ\u200bទៅ\u200bផ្ទះ។", None),  # the words of Khmer
        ("သူ \u200bက \u200bစာ ဖတ်\u200bတယ်", "သူ က စာ ဖတ်တယ်"),  # spaces separate these
        ("\u200bខ្ញុំ\u200bទៅ\u200b", "ខ្ញុំ\u200bទៅ"),
        ("a\u200bb", "ab"),
    ],
)
def test_zero_width_spaces_that_separate_words_stay(text, folded):
    assert fold(text) == (folded or text)
    found = OddCharacters().find(PairArrays(SentenceArray([text, "a"]), SentenceArray(["a", "a"]), {}))
    assert [finding.rows.tolist() for finding in found] == ([[0]] if folded else [])


def test_letters_are_never_odd():
    odd = [chr(code) for code in range(sys.maxunicode + 1) if kind_table()[code] and chr(code).isalpha()]
    assert odd == []
    assert kind_table().max() == len(KINDS)


def decoded_wrongly(text: str, encoding: str) -> str:
    return "".join(bytes([byte]).decode(encoding, "ignore") or chr(byte) for byte in text.encode())


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
@pytest.mark.parametrize(
    "text",
    ["Größe", "déjà", "“quoted”", "it’s", "5 €", "Привет", "Ελλάδα", "złoty", "čeština", "\ufeffa", "a\ufffdb", "日本"],
)
def test_mojibake_is_found_and_repaired(text, encoding):
    assert Reason.mojibake in findings("good", decoded_wrongly(text, encoding))
    assert repair_mojibake(decoded_wrongly(text, encoding)) == text


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        ("«Tupã» – “IPORÃ” e maÃ§Ã£", "«Tupã» – “IPORÃ” e maçã"),
        ("Â«ROMAÂ» e ““METRÃ””", "«ROMA» e ““METRÔ”"),
        ("METRÃ” 7", "METRÔ 7"),
        ("Ð“Ð¾Ð´ Ð”Ð° Ð»ÐµÑ‚", "Год Да лет"),
    ],
)
def test_mojibake_beside_quotation_marks_is_repaired(text, repaired):
    assert repair_mojibake(text) == repaired


def test_a_trademark_sign_is_found_where_it_became_a_control_character():
    """As cp1252 it becomes â„¢, which could be text."""
    assert Reason.mojibake in findings(decoded_wrongly("™", "latin-1"))


@pytest.mark.parametrize(
    "text",
    [
        *("„Spaß“", "CAFÉ”", "à «la» carte", "Ärger", "ÎLE", "ESPAÑA", "„Ä“", "Â", "Ørsted", "40 °C", "São", "ÑANDÚ"),
        *("“IPORÃ”.", "«MITÃ» ou.", "Ha’e he’i “IRMÃ”", "(«IRMÃ, ROMÂ»)", "‘SÃ’ – “Ã”", "»ROMÂ«", "‚IRMÃ‘"),
    ],
)
def test_text_that_resembles_mojibake_is_not_changed(text):
    assert findings(text) == {}


def test_folded_text_is_one_line_in_every_program():
    assert fold("a\u2028b\x00c\u200bd\r") == "a bcd "
    for word in ("می\u200cخواهم", "क्\u200dष", "ᠰᠢᠭᠲᠠᠭ\u180eᠠ"):  # the spelling of the language
        assert fold(word) == word
        assert findings(word) == {}
    for code in range(0x3000):
        folded = fold(f"a{chr(code)}b")
        assert len(folded.splitlines()) == 1
        assert unicodedata.category(chr(code)) != "Cc" or code == 9 or chr(code) not in folded or folded == "a b"
