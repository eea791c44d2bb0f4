"""Drift: lengths drawn like those of translations, or made-up sentences, with lines removed and inserted."""

import random

import numpy as np
import pytest

from seq2seq.corpora.corpus import Pair
from seq2seq.doctor.arrays import PairArrays, PairStatistics, SentenceArray, pair_statistics
from seq2seq.doctor.drift import LAGS, LengthModel, find_drift, likeliest_segments
from seq2seq.doctor.findings import Finding
from seq2seq.doctor.reasons import Reason

COUNT = 3_000


@pytest.fixture(scope="module")
def sides() -> tuple[np.ndarray, np.ndarray]:
    """Lengths with logarithms that have a correlation of 0.87."""
    draw = np.random.default_rng(1)
    logs = draw.normal(4, 0.5, COUNT)
    return np.exp(logs).astype(np.int32), np.exp(logs + draw.normal(0.1, 0.28, COUNT)).astype(np.int32)


def findings(source: np.ndarray, target: np.ndarray) -> list[Finding]:
    pairs = min(len(source), len(target))
    zeros, none = np.zeros(pairs, np.int64), np.zeros(pairs, np.uint8)
    unpaired = len(source) - pairs, len(target) - pairs
    return find_drift(PairStatistics(zeros, zeros, source[:pairs], target[:pairs], zeros == 0, none, none, unpaired))


def test_aligned_files_have_no_findings(sides):
    assert findings(*sides) == []
    assert abs(LengthModel(*sides, [0]).correlation - 0.87) < 0.03


@pytest.mark.parametrize("start", [100, 1_500, 2_900])
@pytest.mark.parametrize("lines", [-2, 1, 7])
def test_inserted_and_removed_lines_are_found(sides, start, lines):
    """All later lines are shifted by as many, and the position is right to a few lines."""
    source, target = sides
    changed = (
        np.delete(target, np.arange(start, start - lines)) if lines < 0 else np.insert(target, start, [50] * lines)
    )
    (finding,) = findings(source, changed)
    assert finding.reason is Reason.unaligned, "only words make it certain"
    assert abs(finding.rows[0] - start) <= 8
    assert finding.rows[-1] == min(COUNT, len(changed)) - 1
    assert set(finding.partners - finding.rows) == {lines}
    assert f"lines {finding.rows[0] + 1:,} to {finding.rows[-1] + 1:,}: shifted by {abs(lines)}" in finding.note
    assert f"the {'target' if lines > 0 else 'source'} has" in finding.note


def test_only_the_segment_between_two_changes_is_found(sides):
    source, target = sides
    (finding,) = findings(source, np.delete(np.insert(target, 1_000, 40), 1_400))
    assert abs(finding.rows[0] - 1_000) <= 8
    assert abs(finding.rows[-1] - 1_400) <= 8


def test_a_large_lag_is_found_from_the_numbers_of_lines(sides):
    source, target = sides
    assert LAGS < 500
    (finding,) = findings(source, np.delete(target, np.arange(1_000, 1_500)))
    assert abs(finding.rows[0] - 1_000) <= 8
    missing, rest = finding.partners == -1, finding.partners >= 0
    assert abs(missing.sum() - 500) <= 16, "five hundred sources have no translation"
    assert set(finding.partners[rest] - finding.rows[rest]) == {-500}


def test_shuffled_lines_have_no_partners(sides):
    source, target = sides
    mixed = target.copy()
    np.random.default_rng(2).shuffle(mixed[2_000:])
    (finding,) = findings(source, mixed)
    assert abs(finding.rows[0] - 2_000) <= 16
    assert set(finding.partners) == {-1}
    assert "sides do not correlate" in finding.note


def test_drift_is_not_checked_where_lengths_do_not_correlate(sides):
    source, target = sides
    (finding,) = findings(source, np.random.default_rng(3).permutation(target))
    assert len(finding.rows) == 0
    assert "not checked" in finding.note
    assert "not checked" in findings(source, np.full(COUNT, 9, np.int32))[0].note
    assert findings(source[:50], target[:50]) == []


def test_segments_have_no_gaps(sides):
    source, target = sides
    changed = np.delete(np.insert(np.insert(target, 500, 30), 1_200, 30), 2_000)[:COUNT]
    segments = likeliest_segments(LengthModel(source, changed, lags := [0, 1, -1, 2, -2]), COUNT, lags)
    assert [lag for _, _, lag in segments] == [0, 1, 2, 1]
    assert [stop for _, stop, _ in segments[:-1]] == [start for start, _, _ in segments[1:]]
    assert (segments[0][0], segments[-1][1]) == (0, COUNT)


def translated(count: int, fixed_length: bool = False) -> list[Pair]:
    """Sentences of 300 words of a made-up language, and of another one word for word, in another order."""
    chance = random.Random(1)
    words = ["".join(chance.choices("abdegiklmnorstu", k=4)) for _ in range(300)]
    others = {word: "".join(chance.choices("čěšžýáíéťůňř", k=5)) for word in words}
    pairs = []
    for _ in range(count):
        sentence = chance.choices(words, k=6 if fixed_length else chance.randint(3, 12))
        pairs.append(Pair(" ".join(sentence), " ".join(others[word] for word in reversed(sentence))))
    return pairs


def found(sources: list[str], targets: list[str]) -> dict[Reason, list[int]]:
    pairs = [Pair(*pair) for pair in zip(sources, targets, strict=False)]
    sides = (SentenceArray([*side]) for side in zip(*pairs, strict=True))
    data = pair_statistics(PairArrays(*sides, {}))
    data = data._replace(unpaired=(len(sources) - len(pairs), len(targets) - len(pairs)))
    return {finding.reason: finding.rows.tolist() for finding in find_drift(data, pairs) if len(finding.rows)}


@pytest.mark.parametrize("fixed_length", [False, True])
def test_words_find_and_confirm_a_shift(fixed_length):
    """Also where all sentences have the same length, as headlines do."""
    sources, targets = (list(side) for side in zip(*translated(1_200, fixed_length), strict=True))
    assert found(sources, targets) == {}
    rows = found(sources, [*targets[:600], *targets[601:]])
    assert rows.keys() == {Reason.drift}
    assert abs(rows[Reason.drift][0] - 600) <= 2
    assert rows[Reason.drift][-1] == 1_198
    part = found(sources, [*targets[:600], *targets[601:700], "x", *targets[700:]])
    assert abs(part[Reason.drift][0] - 600) <= 2
    assert abs(part[Reason.drift][-1] - 699) <= 2
    assert len(found(sources[1:], targets)[Reason.drift]) == 1_199, "all lines"


def test_lengths_that_contradict_the_words_are_no_drift():
    """Proverbs and dictionary entries, whose lengths by chance fit another line better."""
    pairs = translated(1_200)
    lengths = [len(pair.source) for pair in pairs]
    padded = [
        Pair(source, f"{target} {'x' * max(0, lengths[row - 1] - len(target))}" if 500 <= row < 700 else target)
        for row, (source, target) in enumerate(pairs)
    ]
    assert Reason.drift not in found(*map(list, zip(*padded, strict=True)))


def test_lines_in_random_order_are_reported_and_kept():
    sources, targets = (list(side) for side in zip(*translated(1_200), strict=True))
    mixed = targets[500:700]
    random.Random(2).shuffle(mixed)
    rows = found(sources, [*targets[:500], *mixed, *targets[700:]])
    assert rows.keys() == {Reason.unaligned}
    assert abs(len(rows[Reason.unaligned]) - 200) <= 10
