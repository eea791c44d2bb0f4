"""Pairs as arrays say the same as the strings they were made of."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.doctor.chunk import Chunk, Side, measure, measures

TEXTS = st.lists(st.text(st.characters(), max_size=12), min_size=1, max_size=8)


@given(TEXTS)
def test_arrays_agree_with_strings(lines):
    side = Side(lines)
    assert side.lengths.tolist() == [len(line) for line in lines]
    assert "".join(map(chr, side.codes)) == "".join(f"{line} " for line in lines)
    assert side.blank.tolist() == [not line.strip() for line in lines]
    assert side.sums(side.codes == ord("a")).tolist() == [line.count("a") for line in lines]
    assert side.rows_at(np.flatnonzero(side.codes == ord("0"))).tolist() == [
        row for row, line in enumerate(lines) if "0" in line
    ]
    assert (side.hashes[:, None] == side.hashes).tolist() == [[one == other for other in lines] for one in lines]


def test_measures_of_stretches_are_those_of_the_whole():
    sources, targets = ["a", "bb", " ", "c"], ["x", "", "y", "zz"]
    whole = measure(Chunk(Side(sources), Side(targets), {}))
    parts = [measure(Chunk(Side(sources[at : at + 2]), Side(targets[at : at + 2]), {})) for at in (0, 2)]
    joined = measures([measure(Chunk(Side([]), Side([]), {})), *parts], (0, 3))
    assert all((one == other).all() for one, other in zip(whole[:5], joined[:5], strict=True))
    assert joined.unpaired == (0, 3)
    assert whole.filled.tolist() == [True, False, False, True]


def test_a_pair_has_a_hash_of_its_own_in_each_direction():
    one, other = (measure(Chunk(Side([a]), Side([b]), {})).pair_hashes for a, b in (("a", "b"), ("b", "a")))
    assert one != other
