"""Duplicates, several translations, and overlap, compared with plain Python over strings."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.doctor.arrays import PairArrays, PairStatistics, SentenceArray, pair_statistics
from seq2seq.doctor.duplicates import Duplicates, Overlap, repetitions
from seq2seq.doctor.reasons import Reason

Pairs = list[tuple[str, str]]
PAIRS = st.lists(st.tuples(st.sampled_from(["a", "b", "c", " "]), st.sampled_from(["x", "y", "z", ""])), max_size=20)


def statistics(pairs: Pairs) -> PairStatistics:
    sources, targets = [source for source, _ in pairs], [target for _, target in pairs]
    return pair_statistics(PairArrays(SentenceArray(sources), SentenceArray(targets), {}))


@given(st.lists(st.integers(0, 5)))
def test_repetitions_point_to_the_first_equal_item(values):
    later, first = repetitions(np.array(values, np.int64))
    expected = [index for index, value in enumerate(values) if values.index(value) < index]
    assert later.tolist() == expected
    assert first.tolist() == [values.index(values[index]) for index in expected]


@given(PAIRS)
def test_duplicates_and_sentences_with_several_translations(pairs):
    findings = {finding.reason: finding for finding in Duplicates().find(statistics(pairs))}
    filled = [row for row, pair in enumerate(pairs) if all(map(str.strip, pair))]
    repeated = [row for row in filled if pairs[row] in pairs[:row]]
    assert (findings[Reason.duplicate].rows.tolist() if repeated else []) == repeated
    if repeated:
        assert findings[Reason.duplicate].partners.tolist() == [pairs.index(pairs[row]) for row in repeated]
    distinct = [row for row in filled if row not in repeated]
    for reason, side in ((Reason.several_targets, 0), (Reason.several_sources, 1)):
        sentences = [pairs[row][side] for row in distinct]
        rows = [row for row in distinct if sentences.count(pairs[row][side]) > 1]
        assert (reason in findings) == bool(rows)
        if rows:
            assert findings[reason].rows.tolist() == rows
            first = {pairs[row][side]: row for row in reversed(rows)}
            expected = [-1 if first[pairs[row][side]] == row else first[pairs[row][side]] for row in rows]
            assert findings[reason].partners.tolist() == expected
            assert findings[reason].note == f"{len(first)} different sentence{'s' * (len(first) > 1)}"


@given(PAIRS, PAIRS)
def test_overlap(pairs, others):
    findings = {finding.reason: finding for finding in Overlap({"test": statistics(others)}).find(statistics(pairs))}
    first_rows = {pair: row for row, pair in reversed([*enumerate(others)]) if all(map(str.strip, pair))}
    sources = {source for source, _ in first_rows}
    filled = [row for row, pair in enumerate(pairs) if all(map(str.strip, pair))]
    rows = [row for row in filled if pairs[row] in first_rows]
    assert (findings[Reason.overlap].rows.tolist() if rows else []) == rows
    if rows:
        assert findings[Reason.overlap].partners.tolist() == [first_rows[pairs[row]] for row in rows]
        assert findings[Reason.overlap].partner_corpus == "test"
    rows = [row for row in filled if pairs[row] not in first_rows and pairs[row][0] in sources]
    assert (findings[Reason.overlap_source].rows.tolist() if rows else []) == rows
    assert set(findings) <= {Reason.overlap, Reason.overlap_source}
