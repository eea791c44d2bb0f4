"""Characters that no sentence needs, one at a time and among all others."""

import sys
import unicodedata

import pytest

from seq2seq.doctor.characters import KINDS, LEAD, OddCharacters, fold, table
from seq2seq.doctor.chunk import Chunk, Side
from seq2seq.doctor.types import Reason


def found(*lines: str) -> dict[Reason, list[int]]:
    chunk = Chunk(Side(list(lines)), Side(["fine"] * len(lines)), {})
    results = OddCharacters().find(chunk)
    assert all(one.side == "source" for one in results)
    return {one.reason: one.rows.tolist() for one in results}


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
        ("\ufeff", Reason.invisible),
        ("\u202e", Reason.invisible),
        ("\ue123", Reason.private_use),
        ("\U0010ffff", Reason.private_use),
        ("\ufdd0", Reason.private_use),
    ],
)
def test_an_odd_character_is_found_in_its_line(char, reason):
    assert found("good", f"a{char}b", "", char) == {reason: [1, 3]}


def test_half_a_surrogate_pair_is_no_text():
    assert found("a\ud83d") == {Reason.invalid_utf8: [0]}


def test_what_writing_needs_is_not_odd():
    assert found("Größe: 5 €, «à»\tañadió\xa0…", "می‌خواهم", "क्‍ष", "日本語\u3000。", "👩‍🚀 🏴", "Ελλάδα", "‘’“”–—") == {}


def test_letters_are_never_odd():
    odd = [chr(code) for code in range(sys.maxunicode + 1) if table()[code] & 7 and chr(code).isalpha()]
    assert odd == []
    assert table()[ord("Ã")] & LEAD
    assert len(KINDS) < 8


def wrongly_read(text: str, encoding: str) -> str:
    return "".join(bytes([byte]).decode(encoding, "ignore") or chr(byte) for byte in text.encode())


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
@pytest.mark.parametrize(
    "text",
    ["Größe", "déjà", "“quoted”", "it’s", "5 €", "Привет", "Ελλάδα", "złoty", "čeština", "\ufeffa", "a\ufffdb", "™"],
)
def test_mojibake_is_found(text, encoding):
    assert Reason.mojibake in found("good", wrongly_read(text, encoding))


@pytest.mark.parametrize(
    "text", ["„Spaß“", "CAFÉ”", "à «la» carte", "Ärger", "ÎLE", "ESPAÑA", "„Ä“", "Â", "Ørsted", "40 °C", "São", "ÑANDÚ"]
)
def test_what_only_looks_a_little_like_it_is_not(text):
    assert found(text) == {}


def test_folding_leaves_lines_that_no_program_breaks():
    assert fold("a\u2028b\x00c\u200bd\r") == "a bcd "
    for code in range(0x3000):
        folded = fold(f"a{chr(code)}b")
        assert len(folded.splitlines()) == 1
        assert unicodedata.category(chr(code)) != "Cc" or code == 9 or chr(code) not in folded or folded == "a b"
