import gzip
from pathlib import Path

import numpy as np
import pytest

from seq2seq.corpora.word_vectors import read_vectors, vector_width
from seq2seq.errors import DataError

GLOVE = "the 0.5 -1 2e-1\ncat 1 2 3\nthe 9 9 9\n"
WORD2VEC = "3 3\n" + GLOVE
FASTTEXT = "3 3\nthe 0.5 -1 2e-1 \ncat 1 2 3 \nthe 9 9 9 \n"  # its lines end in a space


def written(folder: Path, text: str, name: str = "vectors.txt") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize("name", ["vectors.txt", "vectors.vec.gz"])
@pytest.mark.parametrize("text", [GLOVE, WORD2VEC, FASTTEXT, GLOVE.replace("\n", "\r\n"), GLOVE.rstrip("\n")])
def test_all_formats_give_the_requested_words_and_the_first_of_repeated_ones(
    tmp_path: Path, text: str, name: str
) -> None:
    path = written(tmp_path, text, name)
    assert vector_width(path) == 3
    vectors = read_vectors(path, {"the", "dog"})
    assert list(vectors) == ["the"]
    assert vectors["the"].dtype == np.float32
    assert vectors["the"].tolist() == pytest.approx([0.5, -1, 0.2])


@pytest.mark.parametrize("word", ["\u00a0", "\u2028", "a\u0085b", "\t", ".", "1.5", "</s>", '"', "#", "日本", "\x0b"])
def test_odd_words_are_words(tmp_path: Path, word: str) -> None:
    path = written(tmp_path, f"x 1 2\n{word} 3 4\ny 5 6\n")
    assert {result: vector.tolist() for result, vector in read_vectors(path, {word, "y"}).items()} == {
        word: [3, 4],
        "y": [5, 6],
    }


def test_words_with_spaces_are_skipped(tmp_path: Path) -> None:
    path = written(tmp_path, "x 1 2\n. . . 3 4\nat name@domain.com 3 4\n 7 8\ny 5 6\n")
    assert read_vectors(path, {"x", "y", "at", "."}).keys() == {"x", "y"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("the 1 2 3\ncat 1 2\n", "line 2: 2 values instead of 3"),
        ("2 3\nthe 1 2 3\ncat 1 2 3 4\n", "line 3: 4 values instead of 3"),
        ("the 1 2 3\ncat\n", "line 2: 0 values instead of 3"),
        ("the 1 2 3\n\ncat 1 2 3\n", "line 2: 0 values instead of 3"),
        ("the 1 2 3\ncat 1 x 3\n", "line 2: could not convert string to float: 'x'"),
        ("the 1 2 3\ncat 1  3\n", "line 2: could not convert string to float: ''"),
        ("the 1 2 3\ncat 1 nan 3\n", "line 2: a value is not finite"),
        ("the 1 2 3\ncat 1 1e99 3\n", "line 2: a value is not finite"),
        ("3 3\nthe 1 2 3\ncat 1 2 3\n", "the first line announces 3 words, but 2 follow"),
        ("1 3\nthe 1 2 3\ncat 1 2 3\n", "the first line announces 1 words, but 2 follow"),
        ("2 3\n", "the first line announces 2 words, but 0 follow"),
        ("", "line 1 is not a word with its values"),
        ("the\n", "line 1 is not a word with its values"),
    ],
)
def test_damage_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(DataError) as error:
        read_vectors(path, {"the", "cat"})
    assert str(error.value).startswith(str(path))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_values_of_other_words_are_not_checked(tmp_path: Path) -> None:
    assert read_vectors(written(tmp_path, "the 1 2\ncat x y\n"), {"the"}).keys() == {"the"}


def test_a_missing_or_binary_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        vector_width(tmp_path / "nowhere.txt")
    (tmp_path / "binary.bin").write_bytes(b"the 1 2\n\xff\xfe 1 2\n")
    with pytest.raises(DataError, match="line 2: byte 0xff"):
        read_vectors(tmp_path / "binary.bin", {"the"})
