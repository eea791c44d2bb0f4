"""Texts of files are translated line by line, and white space around the lines stays."""

import io
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.corpora.documents.table import TableDocument
from seq2seq.errors import ConfigError
from seq2seq.translation.config import TranslateConfig
from seq2seq.translation.files import open_input, split_lines, translate_file, translated_texts


@dataclass
class Translated:
    """The part of a `Translation` that is read."""

    text: str


@given(st.lists(st.text(st.sampled_from("ab \n\r\t")).filter(str.strip)), st.integers(1, 5))
def test_lines_are_translated_and_their_ends_stay(texts, ahead):
    def translate(lines):
        lines = list(lines)
        assert all(line == line.strip() and "\n" not in line and "\r" not in line for line in lines)
        yield from (Translated(line.upper()) for line in lines)

    assert list(translated_texts(texts, translate)) == [text.upper() for text in texts]


def test_texts_are_read_as_they_are_needed():
    def endless():
        while True:
            yield "a\nb"

    results = translated_texts(endless(), lambda lines: (Translated(line + "!") for line in lines))
    assert [next(results) for _ in range(3)] == ["a!\nb!"] * 3


def test_translations_are_read_to_their_end(tmp_path):
    """Other processes wait until the first one has asked for what follows the last translation."""
    (tmp_path / "in.csv").write_text("yes,a\n", "utf-8")
    ended = []

    def translate(lines):
        yield from [Translated(line.upper()) for line in lines]
        ended.append(True)

    output = io.BytesIO()
    translate_file(TableDocument(tmp_path / "in.csv", "en", "vi"), translate, output)
    assert (output.getvalue(), ended) == (b"yes,a,YES\n", [True])


def test_white_space_around_and_between_lines_is_separate():
    assert split_lines("  a b \r\n\n c") == ["  ", "a b", " \r\n\n ", "c", ""]


def test_settings_without_effect_are_refused(tmp_path):
    (tmp_path / "in.csv").write_text("a,b\n", "utf-8")
    (tmp_path / "in.txt").write_text("a\n", "utf-8")

    def opened(name, **settings):
        return open_input(TranslateConfig(input=str(tmp_path / name), **settings), "en", "vi")

    assert isinstance(opened("in.csv"), TableDocument)
    assert opened("in.txt") is None
    assert opened("missing.csv") is None  # the reader of lines names it
    with pytest.raises(ConfigError, match=r"stream has no effect on .*in\.csv, which is a table: leave it out"):
        opened("in.csv", stream=True)
    with pytest.raises(ConfigError, match=r"target_language has no effect on .*lines of text"):
        opened("in.txt", target_language="vi")
