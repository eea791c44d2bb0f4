"""Letters where they do not belong."""

from seq2seq.doctor.chunk import Chunk, Side
from seq2seq.doctor.scripts import SCRIPTS, Scripts, UsualScripts, count_letters, table
from seq2seq.doctor.types import Reason

ENGLISH = ["This is a sentence of some letters."] * 50
RUSSIAN = ["Это предложение из нескольких букв."] * 50


def found(*lines: str, usual: list[str] = ENGLISH) -> dict[Reason, list[int]]:
    scripts = Scripts(UsualScripts({side: count_letters(Side([*usual, *lines])) for side in ("source", "target")}))
    results = scripts.find(Chunk(Side(list(lines)), Side(["..."] * len(lines)), {}))
    return {one.reason: one.rows.tolist() for one in results}


def test_letters_have_a_script_and_nothing_else_has():
    names = ["", *SCRIPTS]
    chars = {"a": "LATIN", "ß": "LATIN", "я": "CYRILLIC", "ω": "GREEK", "日": "CJK", "カ": "CJK", "한": "HANGUL"}
    chars |= {"א": "HEBREW", "ไ": "THAI", "1": "", " ": "", "µ": "", "€": "", "😀": "", "\ud800": ""}
    assert {char: names[table()[ord(char)]] for char in chars} == chars


def test_lines_of_another_script_and_words_of_two():
    lines = ["fine", "Совсем другое", "a pаssword", "see Ω", "日本語 OK", "123 …", ""]
    assert found(*lines) == {Reason.other_script: [1, 4], Reason.mixed_scripts: [2, 3]}


def test_what_the_side_is_usually_written_in_is_learnt():
    assert found("Совсем обычное", "x", usual=[*RUSSIAN, *ENGLISH]) == {}
    assert found("Соvсем", usual=[*RUSSIAN, *ENGLISH]) == {Reason.mixed_scripts: [0]}
    assert found("Tシャツを着る", "OK", usual=["彼はTシャツを着ている。", *ENGLISH]) == {}


def test_nothing_at_all_is_no_trouble():
    assert found("", usual=[]) == {}
