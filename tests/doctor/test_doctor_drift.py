"""Where two files come apart: lengths drawn as those of translations are, with lines taken out and put in."""

import numpy as np
import pytest

from seq2seq.doctor.chunk import Measures
from seq2seq.doctor.drift import LAGS, Drift, Lengths, course
from seq2seq.doctor.types import Found, Reason

COUNT = 3_000


@pytest.fixture(scope="module")
def sides() -> tuple[np.ndarray, np.ndarray]:
    """Lengths whose logarithms go together with a correlation of 0.87."""
    draw = np.random.default_rng(1)
    logs = draw.normal(4, 0.5, COUNT)
    return np.exp(logs).astype(np.int32), np.exp(logs + draw.normal(0.1, 0.28, COUNT)).astype(np.int32)


def found(source: np.ndarray, target: np.ndarray) -> list[Found]:
    pairs = min(len(source), len(target))
    zeros = np.zeros(pairs, np.int64)
    unpaired = len(source) - pairs, len(target) - pairs
    return Drift().find(Measures(zeros, zeros, source[:pairs], target[:pairs], zeros == 0, unpaired))


def test_files_in_step_are_left_alone(sides):
    assert found(*sides) == []
    assert abs(Lengths(*sides, [0]).correlation - 0.87) < 0.03


@pytest.mark.parametrize("place", [100, 1_500, 2_900])
@pytest.mark.parametrize("lines", [-2, 1, 7])
def test_lines_too_many_or_missing(sides, place, lines):
    """From there on all are out by as many, and the place is right to a few lines."""
    source, target = sides
    changed = (
        np.delete(target, np.arange(place, place - lines)) if lines < 0 else np.insert(target, place, [50] * lines)
    )
    (one,) = found(source, changed)
    assert one.reason is Reason.drift
    assert abs(one.rows[0] - place) <= 8
    assert one.rows[-1] == min(COUNT, len(changed)) - 1
    assert set(one.partners - one.rows) == {lines}
    assert f"lines {one.rows[0] + 1:,} to {one.rows[-1] + 1:,}: out by {abs(lines)}" in one.note
    assert f"so the {'target' if lines > 0 else 'source'} has" in one.note


def test_a_stretch_between_two_slips_is_found_and_the_rest_is_not(sides):
    source, target = sides
    (one,) = found(source, np.delete(np.insert(target, 1_000, 40), 1_400))
    assert abs(one.rows[0] - 1_000) <= 8
    assert abs(one.rows[-1] - 1_400) <= 8


def test_a_large_slip_is_found_by_the_difference_of_the_files(sides):
    source, target = sides
    assert LAGS < 500
    (one,) = found(source, np.delete(target, np.arange(1_000, 1_500)))
    assert abs(one.rows[0] - 1_000) <= 8
    lost, rest = one.partners == -1, one.partners >= 0  # five hundred sources without any translation, then the others
    assert abs(lost.sum() - 500) <= 16
    assert set(one.partners[rest] - one.rows[rest]) == {-500}


def test_lines_in_no_order_belong_nowhere(sides):
    source, target = sides
    mixed = target.copy()
    np.random.default_rng(2).shuffle(mixed[2_000:])
    (one,) = found(source, mixed)
    assert abs(one.rows[0] - 2_000) <= 16
    assert set(one.partners) == {-1}
    assert "lengths do not go together" in one.note


def test_lengths_that_tell_nothing_are_said_to(sides):
    source, target = sides
    (one,) = found(source, np.random.default_rng(3).permutation(target))
    assert len(one.rows) == 0
    assert "not judged" in one.note
    assert "not judged" in found(source, np.full(COUNT, 9, np.int32))[0].note
    assert found(source[:50], target[:50]) == []


def test_the_course_has_no_gaps(sides):
    source, target = sides
    changed = np.delete(np.insert(np.insert(target, 500, 30), 1_200, 30), 2_000)[:COUNT]
    stretches = course(Lengths(source, changed, [0, 1, -1, 2, -2]))
    assert [lag for _, _, lag in stretches] == [0, 1, 2, 1]
    assert [stop for _, stop, _ in stretches[:-1]] == [start for start, _, _ in stretches[1:]]
    assert (stretches[0][0], stretches[-1][1]) == (0, COUNT)
