"""Sample translations: which sentences, and how they are printed."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.corpora.corpus import Pair
from seq2seq.training.samples import Sample, choose, cut


def test_a_short_a_medium_and_a_long_sentence_are_chosen():
    pairs = [Pair("x" * length, "") for length in (9, 2, 7, 4, 5, 6, 3, 8, 1)]
    assert [len(pairs[row].source) for row in choose(pairs, 3)] == [2, 5, 8]
    assert choose(pairs, 0) == []


@given(st.lists(st.text("ab ", max_size=3).map(lambda text: Pair(text, "")), max_size=12), st.integers(0, 6))
def test_chosen_sentences_differ_and_none_is_blank(pairs, count):
    rows = choose(pairs, count)
    sources = [pairs[row].source for row in rows]
    assert len(sources) == len({*sources}) == min(count, len({pair.source for pair in pairs if pair.source.strip()}))
    assert all(map(str.strip, sources))
    assert list(map(len, sources)) == sorted(map(len, sources))


@given(st.text(st.characters(exclude_categories=["C"])), st.integers(2, 20))
def test_a_cut_text_fits_and_is_a_beginning(text, width):
    short = cut(text, width)
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in short)
    assert len(short) + wide - sum(map(bool, map(unicodedata.combining, short))) <= width
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))


@pytest.mark.parametrize("width", [30, 80])
def test_a_sample_is_three_printable_lines_of_the_width_of_the_terminal(monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    lines = Sample("Where is\x1b[2K my key?\n", "Wo ist mein Schlüssel? " * 9, "").lines()
    assert all(line.isprintable() and len(line) <= width for line in lines)
    assert [line.split()[0] for line in lines] == ["source", "reference", "model"]
    assert lines[1].endswith("…")
