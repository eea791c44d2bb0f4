"""Wrong languages, with statistics of sentences in two invented languages."""

import random

import numpy as np
import pytest

from seq2seq.doctor.arrays import PairArrays, SentenceArray
from seq2seq.doctor.language import BUCKETS, TrigramModel, WrongLanguages, count_trigrams, trigram_buckets
from seq2seq.doctor.reasons import Reason


def sentences(letters: str, seed: int, count: int = 300) -> list[str]:
    """Sentences of a language with a few letters and sixty words."""
    chance = random.Random(seed)
    words = ["".join(chance.choices(letters, k=chance.randint(2, 7))) for _ in range(60)]
    return [" ".join(chance.choices(words, k=chance.randint(5, 15))) for _ in range(count)]


@pytest.fixture(scope="module")
def sides() -> tuple[list[str], list[str]]:
    return sentences("abcdeilmnorst", 1), sentences("aefghiklnoprstuvwz", 2)


def findings(sources: list[str], targets: list[str], sample: tuple[list[str], list[str]]) -> dict[tuple, list[int]]:
    model = TrigramModel(*(count_trigrams(SentenceArray(side)) for side in sample))
    results = WrongLanguages(model).find(PairArrays(SentenceArray(sources), SentenceArray(targets), {}))
    return {(finding.reason, finding.side): finding.rows.tolist() for finding in results}


def test_a_bucket_depends_on_three_characters():
    first, second = (trigram_buckets(SentenceArray(lines)) for lines in (["abcab"], ["xab", "cab"]))
    assert len(first) == 4
    assert first[0] != first[1]
    repeated = trigram_buckets(SentenceArray(["abcabc"]))
    assert repeated[0] == repeated[3]
    assert (second < BUCKETS).all()
    assert count_trigrams(SentenceArray([""])).sum() == 0


def test_a_correct_corpus_has_no_findings(sides):
    assert findings(*sides, sides) == {}


def test_exchanged_wrong_and_untranslated_sides_are_distinguished(sides):
    sources, targets = (list(side) for side in sides)
    sources[3], targets[3] = targets[3], sources[3]
    sources[5] = targets[9]
    targets[7] = sources[11]
    targets[8] = sources[8]
    sources[9] = targets[9] = "12 345 678 901 234 567"
    assert findings(sources, targets, (sources, targets)) == {
        (Reason.copied, ""): [8],
        (Reason.exchanged, ""): [3],
        (Reason.other_language, "source"): [5],
        (Reason.other_language, "target"): [7],
    }


def test_a_set_with_exchanged_sides_is_found_with_the_statistics_of_other_sets(sides):
    exchanged = findings(sides[1], sides[0], sides)[Reason.exchanged, ""]
    assert len(exchanged) > 0.95 * len(sides[0])


def test_short_sentences_are_not_classified(sides):
    words = [line[:10] for line in sides[1]]
    assert findings(words, words[::-1], sides).keys() <= {(Reason.untranslated, "")}


def test_two_sides_of_one_language_are_not_classified(sides):
    halves = sides[0][:150], sides[0][150:]
    model = TrigramModel(*(count_trigrams(SentenceArray(side)) for side in halves))
    assert not model.separable
    assert TrigramModel(*(count_trigrams(SentenceArray(side)) for side in sides)).separable
    assert findings(*halves, halves) == {}
    assert not TrigramModel(*(np.zeros(BUCKETS, np.int64),) * 2).separable
