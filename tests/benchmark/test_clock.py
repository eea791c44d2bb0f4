"""The clock counts what it should and nothing that it should not."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.benchmark.clock import Spread, percentile, seconds, timed

CPU = torch.device("cpu")


def test_warm_up_is_run_and_not_counted():
    calls = []
    found = timed(lambda: calls.append(0) or len(calls), CPU, 2, 3)
    assert [result for _, result in found] == [3, 4, 5]
    assert all(took >= 0 for took, _ in found)


def test_seconds_of_every_repetition():
    assert len(seconds(lambda: None, CPU, 0, 4)) == 4


def test_spread():
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (0.5, 50), (0.95, 95), (0.951, 96), (1.0, 100)])
def test_percentile_by_nearest_rank(share, expected):
    assert percentile(list(range(100, 0, -1)), share) == expected


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 1))
def test_at_least_a_share_is_not_above_the_percentile(values, share):
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-6
