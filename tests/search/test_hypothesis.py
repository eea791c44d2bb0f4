"""What a search returns."""

import math

import pytest

from seq2seq.search.hypothesis import NOTHING, hypothesis


def test_a_finished_hypothesis_drops_its_end_mark_and_counts_it():
    found = hypothesis([7, 8, 2], -6.0, 1.0, finished=True)
    assert found.tokens == [7, 8]
    assert found.score == pytest.approx(-2.0)
    assert found.log_probability == -6.0


def test_a_hypothesis_that_was_cut_keeps_its_last_piece():
    assert hypothesis([7, 8, 9], -6.0, 0.0, finished=False).tokens == [7, 8, 9]
    assert hypothesis([7, 8, 9], -6.0, 0.0, finished=False).score == -6.0


def test_nothing_ranks_below_everything():
    assert NOTHING.score == -math.inf
    assert NOTHING.tokens == []
