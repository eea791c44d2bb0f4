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
    """Entries of a dictionary have translations of any length."""
    chance = np.random.default_rng(1)
    source = np.full(500, 10, np.int32)
    target = np.exp(chance.normal(3.5, 0.6, 500)).astype(np.int32)
    target[7] = 9_000
    zeros = np.zeros(500, np.int64)
    none = zeros.astype(np.uint8)
    (finding,) = LengthRatios(3.0).find(PairStatistics(zeros, zeros, source, target, zeros == 0, none, none))
    assert finding.rows.tolist() == [7]
