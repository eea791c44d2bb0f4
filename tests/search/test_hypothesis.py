"""What a search returns."""

import math

import pytest

from seq2seq.search.hypothesis import NO_HYPOTHESIS, length_normalized, make_hypothesis


def test_a_finished_hypothesis_drops_its_end_mark_and_counts_it():
    found = make_hypothesis([7, 8, 2], -6.0, 1.0, finished=True)
    assert found.tokens == [7, 8]
    assert found.score == pytest.approx(-2.0)
    assert found.log_probability == -6.0


def test_a_hypothesis_that_was_cut_keeps_its_last_piece():
    assert make_hypothesis([7, 8, 9], -6.0, 0.0, finished=False).tokens == [7, 8, 9]
    assert make_hypothesis([7, 8, 9], -6.0, 0.0, finished=False).score == -6.0


def test_nothing_ranks_below_everything():
    assert NO_HYPOTHESIS.score == -math.inf
    assert NO_HYPOTHESIS.tokens == []


@pytest.mark.parametrize(("alpha", "expected"), [(0.0, -6.0), (1.0, -1.5), (0.5, -3.0)])
def test_power_of_the_length(alpha, expected):
    assert length_normalized(-6.0, 4, alpha) == pytest.approx(expected)


def test_alpha_one_favours_neither_short_nor_long():
    scores = [length_normalized(length * math.log(0.5), length, 1.0) for length in (1, 2, 10, 100)]
    assert scores == pytest.approx([math.log(0.5)] * 4)


def test_the_impossible_stays_impossible():
    assert length_normalized(-math.inf, 3, 0.7) == -math.inf
