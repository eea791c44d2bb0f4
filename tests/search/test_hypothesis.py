"""Hypotheses and length normalization."""

import math

import pytest

from seq2seq.search.hypothesis import NO_HYPOTHESIS, length_normalized, make_hypothesis


def test_finished_hypothesis_drops_eos_but_counts_it():
    hypothesis = make_hypothesis([7, 8, 2], -6.0, 1.0, finished=True)
    assert hypothesis.tokens == [7, 8]
    assert hypothesis.score == pytest.approx(-2.0)
    assert hypothesis.log_probability == -6.0


def test_unfinished_hypothesis_keeps_its_last_token():
    assert make_hypothesis([7, 8, 9], -6.0, 0.0, finished=False).tokens == [7, 8, 9]
    assert make_hypothesis([7, 8, 9], -6.0, 0.0, finished=False).score == -6.0


def test_no_hypothesis_ranks_last():
    assert NO_HYPOTHESIS.score == -math.inf
    assert NO_HYPOTHESIS.tokens == []


@pytest.mark.parametrize(("alpha", "expected"), [(0.0, -6.0), (1.0, -1.5), (0.5, -3.0)])
def test_score_is_divided_by_a_power_of_the_length(alpha, expected):
    assert length_normalized(-6.0, 4, alpha) == pytest.approx(expected)


def test_alpha_one_favors_neither_short_nor_long():
    scores = [length_normalized(length * math.log(0.5), length, 1.0) for length in (1, 2, 10, 100)]
    assert scores == pytest.approx([math.log(0.5)] * 4)


def test_impossible_stays_impossible():
    assert length_normalized(-math.inf, 3, 0.7) == -math.inf
