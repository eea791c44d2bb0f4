"""Long text in stretches: nothing is lost, nothing is long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.text.stretches import LONGEST, stretches

LONG = "The dog sees a cat, and the cat sees it. " * 100


@given(st.lists(st.sampled_from(["a", " ", "dog. ", "x" * 600, "。", "中" * 400, "\u2028", "\n"]), max_size=12))
def test_stretches_hold_all_of_a_text_but_white_space(parts):
    text = "".join(parts)
    found = stretches(text)
    assert all(0 < len(one) <= LONGEST and one.strip() for one in found)
    assert "".join("".join(found).split()) == "".join(text.split())


def test_most_texts_are_one_and_blank_ones_none():
    assert stretches(" The dog. ") == [" The dog. "]
    assert stretches("") == stretches(" \n" * LONGEST) == []


def test_they_are_cut_behind_sentences_else_between_words_else_anywhere():
    assert all(one.endswith("it.") for one in stretches(LONG))
    assert " ".join(stretches(LONG)) == LONG.strip()
    words = stretches(LONG.replace(".", ""))
    assert len(words) > 3
    assert " ".join(words) == LONG.replace(".", "").strip()
    assert [len(one) for one in stretches("x" * 2 * LONGEST)] == [LONGEST, LONGEST]
    assert stretches("狗。" * LONGEST)[0].endswith("。")


def test_a_tag_begins_each_of_them():
    found = stretches(f"<2de> {LONG}", {"<2de>"})
    assert len(found) > 3
    assert all(one.startswith("<2de> ") and len(one) <= LONGEST for one in found)
    assert " ".join(one.removeprefix("<2de> ") for one in found) == LONG.strip()
    assert not stretches(f"<2fr> {LONG}", {"<2de>"})[1].startswith("<2fr>")


@pytest.mark.parametrize("length", [LONGEST // 2, LONGEST, 3 * LONGEST])
def test_a_tag_as_long_as_a_text_is_none(length):
    tag = "t" * length
    assert all(len(one) <= LONGEST for one in stretches(f"{tag} {LONG}", {tag}))
