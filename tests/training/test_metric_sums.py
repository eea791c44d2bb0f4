"""Sums that stay on the device until somebody looks."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.errors import RunError
from seq2seq.training.step import MetricSums

CPU = torch.device("cpu")


def scalar(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float32)


def sums_of(*updates: tuple[float, float], before: float = 0.0) -> MetricSums:
    sums = MetricSums(before, CPU)
    for cross_entropy, norm in updates:
        sums.add(scalar(cross_entropy), scalar(norm))
    return sums


@given(st.lists(st.floats(0, 1e6, width=32), min_size=1, max_size=20), st.data())
def test_the_sum_is_that_of_floats_in_order_wherever_looks_fall_in_it(values, data):
    expected = 0.0
    for value in values:
        expected += value
    cut = data.draw(st.integers(1, len(values)))
    total = sums_of(*((value, 1.0) for value in values[:cut])).read(range(1, cut + 1), 10)[0]
    if cut < len(values):
        rest = sums_of(*((value, 1.0) for value in values[cut:]), before=total)
        total = rest.read(range(cut + 1, len(values) + 1), 10)[0]
    assert total == expected


def test_the_norm_is_that_of_the_last_update():
    sums = sums_of((1.0, 5.0), (2.0, 0.1))
    assert sums.read(range(1, 3), 10) == (3.0, float(scalar(0.1)))


def test_what_is_added_may_be_written_to_again():
    cross_entropy, sums = scalar(2.0), MetricSums(0.0, CPU)
    sums.add(cross_entropy, scalar(1.0))
    cross_entropy.zero_()
    assert sums.read(range(1, 2), 10)[0] == 2.0


@pytest.mark.parametrize("spoilt", [math.nan, math.inf])
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("part", [0, 1])
def test_one_bad_number_is_noticed_however_good_the_others_are(spoilt, place, part):
    updates = [[30.0, 1.0], [30.0, 1.0], [30.0, 1.0]]
    updates[place][part] = spoilt
    with pytest.raises(RunError) as raised:
        sums_of(*updates).read(range(51, 54), 10)
    message = str(raised.value)
    assert message.startswith("updates 51 to 53: loss ")
    assert f"{spoilt:g}" in message
    assert "try a lower optimizer.learning_rate" in message
    assert "\n" not in message


def test_a_window_of_one_update_names_one():
    with pytest.raises(RunError, match=r"^update 7: loss nan, gradient norm 1: training has diverged; try"):
        sums_of((math.nan, 1.0)).read(range(7, 8), 10)
