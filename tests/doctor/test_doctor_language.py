"""Which side a sentence is written like, learnt from sentences of two invented languages."""

import random

import numpy as np
import pytest

from seq2seq.doctor.chunk import Chunk, Side
from seq2seq.doctor.language import BUCKETS, Language, Languages, buckets, count_trigrams
from seq2seq.doctor.types import Reason


def sentences(letters: str, seed: int, count: int = 300) -> list[str]:
    """Sentences of a language whose words are made of some letters."""
    draw = random.Random(seed)
    words = ["".join(draw.choices(letters, k=draw.randint(2, 7))) for _ in range(60)]
    return [" ".join(draw.choices(words, k=draw.randint(5, 15))) for _ in range(count)]


@pytest.fixture(scope="module")
def sides() -> tuple[list[str], list[str]]:
    return sentences("abcdeilmnorst", 1), sentences("aefghiklnoprstuvwz", 2)


def judged(sources: list[str], targets: list[str], learnt: tuple[list[str], list[str]]) -> dict[tuple, list[int]]:
    languages = Languages(*(count_trigrams(Side(side)) for side in learnt))
    found = Language(languages).find(Chunk(Side(sources), Side(targets), {}))
    return {(one.reason, one.side): one.rows.tolist() for one in found}


def test_buckets_are_of_three_characters_each():
    one, other = (buckets(Side(lines)) for lines in (["abcab"], ["xab", "cab"]))
    assert len(one) == 4
    assert one[0] != one[1]
    assert buckets(Side(["abcabc"]))[0] == buckets(Side(["abcabc"]))[3]
    assert (other < BUCKETS).all()
    assert count_trigrams(Side([""])).sum() == 0


def test_an_aligned_corpus_is_left_alone(sides):
    assert judged(*sides, sides) == {}


def test_exchanged_and_wrong_sides_are_told_apart(sides):
    sources, targets = (list(side) for side in sides)
    sources[3], targets[3] = targets[3], sources[3]
    sources[5] = targets[9]
    targets[7] = sources[11]
    targets[8] = sources[8]
    sources[9] = targets[9] = "12 345 678 901 234 567"
    assert judged(sources, targets, (sources, targets)) == {
        (Reason.untranslated, ""): [8],
        (Reason.exchanged, ""): [3],
        (Reason.other_language, "source"): [5],
        (Reason.other_language, "target"): [7],
    }


def test_a_set_with_exchanged_sides_is_seen_by_what_was_learnt_elsewhere(sides):
    found = judged(sides[1], sides[0], sides)
    assert len(found[Reason.exchanged, ""]) > 0.95 * len(sides[0])


def test_short_sentences_are_not_judged(sides):
    words = [line[:10] for line in sides[1]]
    assert judged(words, words[::-1], sides).keys() <= {(Reason.untranslated, "")}


def test_two_sides_of_one_language_are_not_judged(sides):
    half = sides[0][:150], sides[0][150:]
    languages = Languages(*(count_trigrams(Side(side)) for side in half))
    assert not languages.apart
    assert Languages(*(count_trigrams(Side(side)) for side in sides)).apart
    assert judged(*half, half) == {}
    assert not Languages(*(np.zeros(BUCKETS, np.int64),) * 2).apart
