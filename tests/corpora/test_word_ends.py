"""Where words begin and end."""

import pytest
import regex

from seq2seq.corpora import words


def places(term: str, text: str) -> list[int]:
    pattern = regex.compile(f"{words.START}{regex.escape(term)}{words.END}")
    return [match.start() for match in pattern.finditer(text)]


@pytest.mark.parametrize(
    ("term", "text", "expected"),
    [
        ("key", "key, monkey keys key_1 key2 key's", [0, 28]),
        ("कल", "कला कल, सकल", [4]),
        ("कम", "कमी में कम", [8]),
        ("ला", "कला", []),
        ("বই", "বইয়ের বই", [7]),
        ("ọkọ", "Ọkọ̀ ọkọ̀ ọkọ".lower(), [10]),
        ("क", "क्\u200dष", []),
        ("می", "می\u200cخواهم", [0]),  # as `\w` of re has it
        ("한국", "한국은 한국", [4]),
        ("猫", "私の猫です。猫", [2, 6]),
        ("猫", "catと猫cat", [4]),
        ("NHK", "私はNHKを見る NHKs", [2]),
        ("人々", "人々が", [0]),
        ("ราคา", "ตรวจราคา๓", [4]),
        ("๓", "๒๓ ๓", [3]),
        ("ค", "คี คำ คน", [6]),  # not below a mark, nor before one that is a letter of its own in Unicode
        ("က", "က္က က", [4]),  # not in a stack
        ("က", "ကို", []),
        ("C++", "C++, aC++", [0]),
    ],
)
def test_words_of_every_script(term, text, expected):
    assert places(term, text) == expected


def test_the_end_of_a_word_by_its_last_character():
    assert [
        text for text in ("", " ", ".", "猫", "ー", "s", "7", "\u0301", "\u200ds") if not words.ends_between("a", text)
    ] == [*("s", "7", "\u0301", "\u200ds")]
    assert [text for text in ("", "猫", "s", "7", "\u3099") if not words.ends_between("猫", text)] == ["\u3099"]
    assert [character for character in "aก猫ア한७๓。\u0e34" if words.is_unspaced(character)] == [*"ก猫ア\u0e34"]
