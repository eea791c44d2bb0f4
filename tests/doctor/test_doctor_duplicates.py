"""Pairs that are there twice, at odds, or elsewhere too, against plain Python over strings."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.doctor.chunk import Chunk, Measures, Side, measure
from seq2seq.doctor.duplicates import Duplicates, Overlap, repeated
from seq2seq.doctor.types import Reason

Pairs = list[tuple[str, str]]
PAIRS = st.lists(st.tuples(st.sampled_from(["a", "b", "c", " "]), st.sampled_from(["x", "y", "z", ""])), max_size=20)


def measured(pairs: Pairs) -> Measures:
    return measure(Chunk(Side([pair[0] for pair in pairs]), Side([pair[1] for pair in pairs]), {}))


@given(st.lists(st.integers(0, 5)))
def test_items_that_are_there_again(values):
    later, first = repeated(np.array(values, np.int64))
    expected = [place for place, value in enumerate(values) if values.index(value) < place]
    assert later.tolist() == expected
    assert first.tolist() == [values.index(values[place]) for place in expected]


@given(PAIRS)
def test_duplicates_and_pairs_at_odds(pairs):
    found = {one.reason: one for one in Duplicates().find(measured(pairs))}
    filled = [row for row, pair in enumerate(pairs) if all(map(str.strip, pair))]
    again = [row for row in filled if pairs[row] in pairs[:row]]
    assert (found[Reason.duplicate].rows.tolist() if again else []) == again
    if again:
        assert found[Reason.duplicate].partners.tolist() == [pairs.index(pairs[row]) for row in again]
    once = [row for row in filled if row not in again]
    for reason, side in ((Reason.several_targets, 0), (Reason.several_sources, 1)):
        sentences = [pairs[row][side] for row in once]
        rows = [row for row in once if sentences.count(pairs[row][side]) > 1]
        assert (reason in found) == bool(rows)
        if rows:
            assert found[reason].rows.tolist() == rows
            first = {pairs[row][side]: row for row in reversed(rows)}
            expected = [-1 if first[pairs[row][side]] == row else first[pairs[row][side]] for row in rows]
            assert found[reason].partners.tolist() == expected
            assert found[reason].note == f"{len(first)} different sentences"


@given(PAIRS, PAIRS)
def test_overlap(pairs, others):
    found = {one.reason: one for one in Overlap({"test": measured(others)}).find(measured(pairs))}
    held = {pair: row for row, pair in reversed([*enumerate(others)]) if all(map(str.strip, pair))}
    sources = {source for source, _ in held}
    filled = [row for row, pair in enumerate(pairs) if all(map(str.strip, pair))]
    rows = [row for row in filled if pairs[row] in held]
    assert (found[Reason.overlap].rows.tolist() if rows else []) == rows
    if rows:
        assert found[Reason.overlap].partners.tolist() == [held[pairs[row]] for row in rows]
        assert found[Reason.overlap].place == "test"
    rows = [row for row in filled if pairs[row] not in held and pairs[row][0] in sources]
    assert (found[Reason.overlap_source].rows.tolist() if rows else []) == rows
    assert set(found) <= {Reason.overlap, Reason.overlap_source}
