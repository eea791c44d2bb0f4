"""Repeated measurements of time, and peak memory."""

import mmap
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.benchmark import measurement
from seq2seq.benchmark.measurement import Spread, peak, percentile, reset_peak, resident, seconds, timed

CPU = torch.device("cpu")
MEGABYTE = 1_000_000


def test_warm_up_calls_are_not_measured():
    calls = []
    measured = timed(lambda: calls.append(0) or len(calls), CPU, 2, 3)
    assert [result for _, result in measured] == [3, 4, 5]
    assert all(took >= 0 for took, _ in measured)


def test_every_repetition_is_measured():
    assert len(seconds(lambda: None, CPU, 0, 4)) == 4


def test_spread_has_median_and_range():
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (0.5, 50), (0.95, 95), (0.951, 96), (1.0, 100)])
def test_percentile_by_nearest_rank(share, expected):
    assert percentile(list(range(100, 0, -1)), share) == expected


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 1))
def test_at_least_a_share_is_not_above_the_percentile(values, share):
    result = percentile(values, share)
    assert result in values
    assert sum(value <= result for value in values) >= share * len(values) - 1e-6


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a peak cannot be reset")
def test_a_peak_is_measured_and_reset():
    reset_peak(CPU)
    before = peak(CPU)
    block = mmap.mmap(-1, 100 * MEGABYTE)  # unlike freed memory of the C library, it is returned to the system
    for _ in range(100):
        block.write(b"x" * MEGABYTE)
    assert peak(CPU) >= before + 90 * MEGABYTE
    block.close()
    reset_peak(CPU)
    assert peak(CPU) < before + 50 * MEGABYTE


def test_without_proc_the_maximum_of_the_system_is_used(monkeypatch, tmp_path):
    monkeypatch.setattr(measurement, "STATUS", tmp_path / "none")
    monkeypatch.setattr(measurement, "CLEAR", tmp_path / "no" / "file")
    reset_peak(CPU)
    assert resident("VmRSS") > 10 * MEGABYTE
    monkeypatch.setitem(sys.modules, "resource", None)
    assert resident("VmRSS") == 0
