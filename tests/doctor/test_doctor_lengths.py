"""Sentences that are missing, too long, or out of proportion."""

import pytest

from seq2seq.doctor.chunk import Chunk, Measures, Side, measure
from seq2seq.doctor.lengths import Blank, Ratio, TooLong, Unreadable
from seq2seq.doctor.types import Reason


def chunk(*pairs: tuple[str, str], broken: dict[int, str] | None = None) -> Chunk:
    return Chunk(Side([pair[0] for pair in pairs]), Side([pair[1] for pair in pairs]), broken or {})


def lengths(*pairs: tuple[int, int]) -> Measures:
    return measure(chunk(*(("a" * source, "b" * target) for source, target in pairs)))


def test_rows_that_could_not_be_read_are_not_blank_as_well():
    seen = chunk(("", ""), ("a", ""), ("\u3000", "b"), ("", ""), ("c", "d"), broken={3: "row 4 is odd", 0: "row 1"})
    assert [(one.rows.tolist(), one.note) for one in Unreadable().find(seen)] == [([0, 3], "row 1")]
    assert {one.side: one.rows.tolist() for one in Blank().find(seen)} == {"source": [2], "target": [1]}
    assert Unreadable().find(chunk(("a", "b"))) == Blank().find(chunk(("a", "b"))) == []
    assert [(one.side, one.rows.tolist()) for one in Blank().find(chunk(("", " ")))] == [("", [0])]


def test_too_long_is_more_than_the_limit():
    found = TooLong(50).find(lengths((50, 51), (51, 50), (9, 9)))
    assert [(one.reason, one.side, one.rows.tolist()) for one in found] == [
        (Reason.too_long, "source", [1]),
        (Reason.too_long, "target", [0]),
    ]


@pytest.mark.parametrize("factor", [1, 3])
def test_the_ratio_is_held_against_the_usual_one(factor):
    """Targets three times as long are no outliers where all are."""
    usual = [(20 + place, factor * (30 + place) - 10) for place in range(50)]
    found = Ratio(3.0).find(lengths(*usual, (100, 3), (3, 130 * factor), (0, 99)))
    assert [one.rows.tolist() for one in found] == [[50, 51]]
    assert f"usual here: {factor}.00 characters" in found[0].note
    assert Ratio(3.0).find(lengths(*usual)) == Ratio(3.0).find(lengths((0, 5))) == Ratio(3.0).find(lengths()) == []
