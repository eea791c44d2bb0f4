"""Pairs as arrays agree with the strings that they were made of."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.doctor.arrays import PairArrays, SentenceArray, concatenated, pair_statistics
from seq2seq.portable.normalization import is_blank
from seq2seq.tokenizer.normalization import normalize

TEXTS = st.lists(st.text(st.characters(), max_size=12), min_size=1, max_size=8)


def pairs(sources: list[str], targets: list[str]) -> PairArrays:
    return PairArrays(SentenceArray(sources), SentenceArray(targets), {})


@given(TEXTS)
def test_arrays_agree_with_strings(lines):
    sentences = SentenceArray(lines)
    assert sentences.lengths.tolist() == [len(line) for line in lines]
    assert "".join(map(chr, sentences.codes)) == "".join(f"{line} " for line in lines)
    assert sentences.blank.tolist() == [is_blank(line) for line in lines]
    assert sentences.sums(sentences.codes == ord("a")).tolist() == [line.count("a") for line in lines]
    assert sentences.rows_at(np.flatnonzero(sentences.codes == ord("0"))).tolist() == [
        row for row, line in enumerate(lines) if "0" in line
    ]
    hashes, forms = sentences.hashes, list(map(normalize, lines))
    assert (hashes[:, None] == hashes).tolist() == [[left == right for right in forms] for left in forms]


def test_statistics_of_parts_concatenate_to_those_of_the_whole():
    sources, targets = ["a", "bb", " ", "c"], ["x", "", "y", "zz"]
    whole = pair_statistics(pairs(sources, targets))
    parts = [pair_statistics(pairs(sources[start : start + 2], targets[start : start + 2])) for start in (0, 2)]
    joined = concatenated([pair_statistics(pairs([], [])), *parts], (0, 3))
    assert all((left == right).all() for left, right in zip(whole[:5], joined[:5], strict=True))
    assert joined.unpaired == (0, 3)
    assert whole.filled.tolist() == [True, False, False, True]


def test_pair_hashes_depend_on_the_direction():
    forward, backward = pair_statistics(pairs(["a"], ["b"])), pair_statistics(pairs(["b"], ["a"]))
    assert forward.pair_hashes != backward.pair_hashes
