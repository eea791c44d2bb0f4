"""Letters of rare scripts, and words that mix alphabets."""

from seq2seq.doctor.arrays import PairArrays, SentenceArray
from seq2seq.doctor.reasons import Reason
from seq2seq.doctor.scripts import SCRIPTS, RareScripts, count_scripts, script_table

ENGLISH = ["This is a sentence of some letters."] * 50
RUSSIAN = ["Это предложение из нескольких букв."] * 50


def findings(*lines: str, usual: list[str] = ENGLISH) -> dict[Reason, list[int]]:
    counts = count_scripts(SentenceArray([*usual, *lines]))
    check = RareScripts({"source": counts, "target": counts})
    results = check.find(PairArrays(SentenceArray(list(lines)), SentenceArray(["..."] * len(lines)), {}))
    return {finding.reason: finding.rows.tolist() for finding in results}


def test_letters_have_a_script_and_other_characters_have_none():
    names = ["", *(group[0] for group in SCRIPTS)]
    scripts = {"a": "Latin", "ß": "Latin", "я": "Cyrillic", "ω": "Greek", "日": "Han", "カ": "Han", "한": "Hangul"}
    scripts |= {"א": "Hebrew", "ไ": "Thai", "1": "", " ": "", "µ": "", "€": "", "😀": "", "\ud800": ""}
    assert {char: names[script_table()[ord(char)]] for char in scripts} == scripts


def test_sentences_in_a_rare_script_and_words_in_two_alphabets_are_found():
    lines = ["fine", "Совсем другое", "a pаssword", "see Ω", "日本語 OK", "123 …", ""]
    assert findings(*lines) == {Reason.other_script: [1, 4], Reason.mixed_scripts: [2, 3]}


def test_the_usual_scripts_are_those_of_the_corpus():
    assert findings("Совсем обычное", "x", usual=[*RUSSIAN, *ENGLISH]) == {}
    assert findings("Соvсем", usual=[*RUSSIAN, *ENGLISH]) == {Reason.mixed_scripts: [0]}
    assert findings("Tシャツを着る", "OK", usual=["彼はTシャツを着ている。", *ENGLISH]) == {}


def test_scripts_of_small_languages_are_scripts():
    for letters in ("ߒߞߏ ߞߊ߲", "ᐃᓄᒃᑎᑐᑦ", "ⵜⴰⵎⴰⵣⵉⵖⵜ", "ᏣᎳᎩ", "ᱥᱟᱱᱛᱟᱲᱤ", "𞤆𞤵𞤤𞤢𞤪", "ꕙꔤ", "ꦗꦮ"):
        lines = [f"{letters} a", letters, "only Latin here"]
        expected = {Reason.mixed_scripts: [0], Reason.other_script: [2]}
        assert findings(*lines, usual=[letters] * 1_000) == expected, letters


def test_an_empty_corpus_has_no_findings():
    assert findings("", usual=[]) == {}
