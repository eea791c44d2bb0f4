"""Scoring long lines does not take memory with the square of their words."""

import pytest
import sacrebleu

from seq2seq.config.error_lines import error_line
from seq2seq.metrics.score import LONGEST_FOR_TER, score, why_no_ter


def test_ter_is_skipped_for_a_line_of_thousands_of_words_and_says_why():
    line = " ".join(f"w{number % 97}" for number in range(LONGEST_FOR_TER + 1))
    lines = ["a cat", line], ["a dog", line]
    result = score(*lines, bootstrap=0)
    assert result.ter is None
    assert result.as_dict()["ter"] is None
    assert "line 2 has 3,001 words" in result.as_dict()["ter_skipped"]
    assert result.table().splitlines()[-1].startswith("TER       -  not computed: line 2 has 3,001 words")
    assert result.bleu.score == pytest.approx(sacrebleu.corpus_bleu(lines[0], [lines[1]]).score)
    assert result.chrf.score == pytest.approx(sacrebleu.corpus_chrf(lines[0], [lines[1]]).score)
    short = [text[:900] for text in lines[0]], [text[:900] for text in lines[1]]
    assert score(*short, bootstrap=0).ter.score == pytest.approx(sacrebleu.corpus_ter(short[0], [short[1]]).score)


def test_words_are_counted_as_ter_counts_them():
    characters = "\u6f22" * (LONGEST_FOR_TER + 1)
    assert why_no_ter("", [characters]) == ""  # one word
    assert "3,001 words" in why_no_ter("zh", [characters], ["a"])
    assert "line 1" in why_no_ter("", ["a"], [" ".join("a" * (LONGEST_FOR_TER + 1))])


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("th", "\u0e40\u0e23\u0e32\u0e17\u0e33\u0e07\u0e32\u0e19\u0e43\u0e19\u0e04\u0e23\u0e31\u0e27"),
        ("lo", "\u0e9e\u0ea7\u0e81\u0ec0\u0eae\u0ebb\u0eb2\u0ec0\u0eae\u0eb1\u0e94\u0ea7\u0ebd\u0e81"),
        ("km", "\u1799\u17be\u1784\u1792\u17d2\u179c\u17be\u1780\u17b6\u179a\u1793\u17c5\u1795\u17d2\u1791\u17c7"),
        (
            "my",
            "\u1000\u103b\u103d\u1014\u103a\u1010\u1031\u102c\u103a\u1010\u102d\u102f\u1037\u1021\u101c\u102f\u1015\u103a",
        ),
        (
            "rki",
            "\u1000\u103b\u103d\u1014\u103a\u1010\u1031\u102c\u103a\u101b\u102d\u102f\u1037\u1021\u101c\u102f\u1015\u103a",
        ),
    ],
)
def test_text_without_spaces_is_scored_by_characters_and_has_no_ter(language, line):
    wrong = line[:-2] + line[0] * 2
    result = score([wrong], [line], language=language, bootstrap=0)
    assert "tok:char" in result.bleu.signature
    assert 50 < result.bleu.score < 100
    assert result.ter is None
    assert "no spaces between" in result.ter_skipped
    spaced = " ".join(line[start : start + 4] for start in range(0, len(line), 4))
    assert score([spaced], [spaced], language=language, bootstrap=0).ter.score == 0  # separated syllables are words


def test_an_error_of_memory_names_the_scorer(monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr("seq2seq.metrics.score.corpus_counts", fail)
    with pytest.raises(MemoryError) as error:
        score(["a"], ["a"])
    line = error_line(error.value, None)
    assert line.startswith("out of memory for scoring")
    assert line.endswith(": split very long lines into sentences")
    assert "batch.tokens" not in line
    assert "batch.tokens" in error_line(MemoryError("1 TB"), None)
