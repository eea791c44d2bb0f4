"""Long text in stretches: nothing is lost, nothing is long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.corpora.segments import LONGEST, aligned, stretches

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


def test_they_are_sentences_else_cut_between_words_else_anywhere():
    assert stretches(LONG) == ["The dog sees a cat, and the cat sees it."] * 100
    words = stretches(LONG.replace(".", ""))
    assert len(words) > 3
    assert " ".join(words) == LONG.replace(".", "").strip()
    assert [len(one) for one in stretches("x" * 2 * LONGEST)] == [LONGEST, LONGEST]
    assert stretches("狗。" * LONGEST) == ["狗。"] * LONGEST
    assert stretches(f"1. {LONG} --- {LONG} 12:30")[99:101] == [
        "The dog sees a cat, and the cat sees it.",
        "--- The dog sees a cat, and the cat sees it.",
    ]


def test_the_first_may_be_several_sentences_as_far_as_they_fit():
    assert stretches(LONG, together=3) == [" ".join(stretches(LONG)[:3]), *stretches(LONG)[3:]]
    assert len(stretches(LONG, together=1000)[0]) <= LONGEST
    assert stretches(LONG, together=0) == stretches(LONG)


@given(st.lists(st.integers(1, 30), max_size=12), st.lists(st.integers(1, 30), max_size=12))
def test_aligned_stretches_hold_all_in_order_and_one_of_the_shorter_side_each(first, second):
    sources = ["s" * length for length in first]
    targets = [f"t{number}" + "t" * length for number, length in enumerate(second)]
    found = aligned(sources, targets)
    assert len(found) == min(len(first), len(second))
    if found:
        assert " ".join(source for source, _ in found) == " ".join(sources)
        assert " ".join(target for _, target in found) == " ".join(targets)
    if len(first) == len(second):
        assert found == list(zip(sources, targets, strict=True))


def test_aligned_stretches_have_similar_shares():
    assert aligned(["a" * 10, "b" * 20], ["c" * 5, "d" * 5, "e" * 20]) == [
        ("a" * 10, "ccccc ddddd"),
        ("b" * 20, "e" * 20),
    ]


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
