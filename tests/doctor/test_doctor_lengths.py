"""Checks of blank, long and disproportionate sentences."""

import numpy as np
import pytest

from seq2seq.doctor.arrays import PairArrays, PairStatistics, SentenceArray, pair_statistics
from seq2seq.doctor.lengths import BlankSentences, LengthRatios, LongSentences, UnreadableRows
from seq2seq.doctor.reasons import Reason


def arrays(*pairs: tuple[str, str], errors: dict[int, str] | None = None) -> PairArrays:
    return PairArrays(
        SentenceArray([source for source, _ in pairs]), SentenceArray([target for _, target in pairs]), errors or {}
    )


def statistics(*lengths: tuple[int, int]) -> PairStatistics:
    return pair_statistics(arrays(*(("a" * source, "b" * target) for source, target in lengths)))


def test_unreadable_rows_do_not_count_as_blank():
    data = arrays(("", ""), ("a", ""), ("\u3000", "b"), ("", ""), ("c", "d"), errors={3: "row 4 is odd", 0: "row 1"})
    assert [(finding.rows.tolist(), finding.note) for finding in UnreadableRows().find(data)] == [([0, 3], "row 1")]
    blank = {finding.side: finding.rows.tolist() for finding in BlankSentences().find(data)}
    assert blank == {"source": [2], "target": [1]}
    assert UnreadableRows().find(arrays(("a", "b"))) == BlankSentences().find(arrays(("a", "b"))) == []
    both = BlankSentences().find(arrays(("", " ")))
    assert [(finding.side, finding.rows.tolist()) for finding in both] == [("", [0])]


def test_only_sentences_above_the_limit_are_too_long():
    findings = LongSentences(50).find(statistics((50, 51), (51, 50), (9, 9)))
    assert [(finding.reason, finding.side, finding.rows.tolist()) for finding in findings] == [
        (Reason.too_long, "source", [1]),
        (Reason.too_long, "target", [0]),
    ]


@pytest.mark.parametrize("factor", [1, 3])
def test_length_ratios_are_compared_with_the_median(factor):
    """Targets three times as long are not outliers where all targets are."""
    usual = [(20 + number, factor * (30 + number) - 10) for number in range(50)]
    findings = LengthRatios(3.0).find(statistics(*usual, (100, 3), (3, 130 * factor), (0, 99)))
    assert [finding.rows.tolist() for finding in findings] == [[50, 51]]
    assert f"median of this corpus: {factor}.00 target characters" in findings[0].note
    check = LengthRatios(3.0)
    assert check.find(statistics(*usual)) == check.find(statistics((0, 5))) == check.find(statistics()) == []


def test_where_ratios_differ_widely_few_are_outliers():
    """Translations of words may have any length."""
    chance = np.random.default_rng(1)
    source = chance.integers(10, 100, 500)
    target = (source * np.exp(chance.normal(0, 0.6, 500))).astype(int)
    target[7] = 9 * source[7]
    lengths = [*zip(source.tolist(), target.tolist(), strict=True)]
    assert LengthRatios(3.0).find(statistics(*lengths)) == []
    lengths[7] = 3, 300
    (finding,) = LengthRatios(3.0).find(statistics(*lengths))
    assert finding.rows.tolist() == [7]


def glossary(definitions: int, correlated: bool) -> list[tuple[int, int]]:
    """Words of 4 to 12 letters and a few definitions of others."""
    chance = np.random.default_rng(1)
    words = chance.integers(4, 12, (95, 2))
    if correlated:
        words[:, 1] = words[:, 0] + chance.integers(-1, 2, 95)
    return [*map(tuple, words.tolist()), *((50 + number, 4) for number in range(definitions))]


@pytest.mark.parametrize("correlated", [False, True])
@pytest.mark.parametrize("definitions", [1, 7, 20])
def test_definitions_among_the_words_of_a_glossary_are_no_outliers(definitions, correlated):
    assert LengthRatios(3.0).find(statistics(*glossary(definitions, correlated))) == []


def test_lengths_that_hardly_correlate_show_no_outliers():
    phrases = [(45 + number, 70 - number) for number in range(12)]
    (finding,) = LengthRatios(3.0).find(statistics(*glossary(7, correlated=False), *phrases))
    assert finding.rows.tolist() == []
    assert finding.note.startswith("not checked: the lengths of the two sides hardly correlate (")
    (finding,) = LengthRatios(3.0).find(statistics(*glossary(7, correlated=True), *phrases))
    assert finding.rows.tolist() == [*range(95, 102)], "as many sentences of this length have the usual ratio"
