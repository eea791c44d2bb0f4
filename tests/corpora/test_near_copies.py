"""Groups of near copies, compared with all pairs of sentences."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.corpora.corpus import Pair
from seq2seq.corpora.near_copies import group_pairs, group_texts, normalized


def grams(text: str) -> set[str]:
    return {text[start : start + 5] for start in range(len(text) - 4)}


def near(first: str, second: str) -> bool:
    a, b = grams(first), grams(second)
    return first == second or (bool(a | b) and 10 * len(a & b) >= 9 * len(a | b))


def components(count: int, linked) -> list[int]:
    """The smallest member of each item's component, by comparing all pairs."""
    labels = list(range(count))
    changed = True
    while changed:
        changed = False
        for i in range(count):
            for j in range(i):
                if labels[i] != labels[j] and linked(i, j):
                    low, high = sorted((labels[i], labels[j]))
                    labels = [low if label == high else label for label in labels]
                    changed = True
    return labels


WIDE = "".join(map(chr, range(0x4E00, 0x4E00 + 9000)))
"""So many characters that five do not fit into one number of 64 bits."""


@st.composite
def similar_texts(draw) -> list[str]:
    """Different texts, most of which differ from one text in a few characters."""
    generator = random.Random(draw(st.integers(0, 2**32)))
    alphabet = draw(st.sampled_from(["ab", "abc", "abcdefghij", WIDE]))
    base = "".join(generator.choices(alphabet, k=generator.randint(0, 120)))
    texts = {alphabet if alphabet is WIDE else base}
    for _ in range(generator.randint(0, 25)):
        text = base
        for _ in range(generator.randint(0, 3)):
            place = generator.randint(0, len(text))
            text = generator.choice(
                [
                    text[:place] + generator.choice(alphabet) + text[place:],
                    text[:place] + text[place + 1 :],
                    text + generator.choice(alphabet),
                    text + text[:place],
                ]
            )
        texts.add(text)
    return sorted(texts)


@given(similar_texts())
def test_the_search_finds_what_comparing_all_texts_finds(texts):
    expected = components(len(texts), lambda i, j: near(texts[i], texts[j]))
    assert group_texts(texts).tolist() == expected


@given(st.lists(st.tuples(*[st.sampled_from(["a", "A.", "ab", "b!", "é", "e\u0301", "7", " ", "long text", "c"])] * 2)))
def test_pairs_that_share_a_side_are_one_group(rows):
    pairs = [Pair(*row) for row in rows]
    groups, sources = group_pairs(pairs)
    sides = [[normalized(side) for side in pair] for pair in pairs]
    expected = components(len(pairs), lambda i, j: any(near(a, b) for a, b in zip(sides[i], sides[j], strict=True)))
    assert [expected.index(label) for label in expected] == [groups.tolist().index(group) for group in groups]
    for i in range(len(pairs)):
        for j in range(i):
            assert (sources[i] == sources[j]) == (sides[i][0] == sides[j][0])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Is it 3 o'clock?", "is it 12 o’clock!"),
        ("Caf\u00e9", "cafe\u0301"),
        ("a\u200bb\u00a0c", "ABC"),
        ("5 €", "7 $ (about)"[:3]),
        ("¿Qué?", "qué"),
        ("١٢ كتاب", "كتاب"),
    ],
)
def test_case_digits_punctuation_and_white_space_do_not_matter(first, second):
    assert normalized(first) == normalized(second)


def test_letters_and_accents_matter():
    assert len({normalized(text) for text in ("resume", "résumé", "resumes", "कि", "की")}) == 5
    assert len({normalized(text) for text in ("\ue001\ue002", "\ue001\ue003", "\U000f0000", "")}) == 4, "private use"


def test_nine_tenths_of_the_grams_are_enough_and_less_is_not():
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 13)))  # nine different 5-grams
    assert group_texts([text, text + "x"]).tolist() == [0, 0]  # 9 of 10
    assert group_texts([text[1:], text + "x"]).tolist() == [0, 1]  # 8 of 10
    assert group_texts([text[1:], text, text + "x"]).tolist() == [0, 1, 1]  # 8 of 9, and 9 of 10
    assert group_texts([text, text + "x", text + "xy"]).tolist() == [0, 0, 0]  # a chain: 9 of 10, 10 of 11


def test_a_thousand_texts_from_one_template_are_grouped():
    letters = random.Random(1)
    template = "the party named in this document whose name is {} has to pay all costs of these proceedings in court"
    texts = list({normalized(template.format("".join(letters.choices("abcd", k=4)))) for _ in range(1000)})
    labels = group_texts(texts)
    some = letters.sample(range(len(texts)), 30)
    for i in some:
        for j in some:
            assert labels[i] == labels[j] or not near(texts[i], texts[j])


def test_no_pairs_form_no_groups():
    groups, sources = group_pairs([])
    assert len(groups) == len(sources) == 0
    assert group_texts([]).tolist() == []
    assert group_texts(["", "abcd"]).tolist() == [0, 1]
