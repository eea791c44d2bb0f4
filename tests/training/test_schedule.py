import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.errors import ConfigError
from seq2seq.settings import validate
from seq2seq.training import Constant, Cosine, Exponential, Halving, InverseSquareRoot, Plateau

ALL = [Constant, Cosine, Exponential, Halving, InverseSquareRoot, Plateau]


@pytest.mark.parametrize("schedule", ALL)
def test_warm_up_is_linear_from_zero(schedule):
    factors = [schedule(warmup=4).factor(update, 100, []) for update in range(1, 5)]
    assert factors == pytest.approx([0.25, 0.5, 0.75, 1.0])


@pytest.mark.parametrize("schedule", [Constant, Cosine, Exponential, Halving, Plateau])
def test_without_warm_up_the_first_update_is_at_full_rate(schedule):
    assert schedule(warmup=0).factor(1, 10**6, []) == pytest.approx(1.0, abs=1e-9)


@given(st.sampled_from(ALL), st.integers(1, 50), st.integers(1, 300), st.lists(st.floats(0, 10), max_size=20))
def test_factors_are_in_zero_to_one_and_continuous_at_the_end_of_warm_up(schedule, warmup, update, losses):
    assert 0 <= schedule(warmup=warmup).factor(update, 200, losses) <= 1
    after = schedule(warmup=warmup).factor(warmup + 1, 10**6, [])
    assert after == pytest.approx(1.0, abs=0.3)


def test_constant_is_constant():
    assert [Constant(warmup=2).factor(update, 10, [5.0, 6.0]) for update in (3, 10, 99)] == [1.0, 1.0, 1.0]


def test_inverse_square_root():
    factors = [InverseSquareRoot(warmup=100).factor(update, 10**6, []) for update in (50, 100, 400, 10_000)]
    assert factors == pytest.approx([0.5, 1.0, 0.5, 0.1])


def test_cosine_ends_at_its_floor():
    schedule = Cosine(warmup=10, floor=0.2)
    # after warm-up, 100 updates: start, a third, half, two thirds, end; then an extended run
    factors = [schedule.factor(update, 130, []) for update in (10, 50, 70, 90, 130, 500)]
    assert factors == pytest.approx([1.0, 0.2 + 0.8 * 0.75, 0.6, 0.2 + 0.8 * 0.25, 0.2, 0.2])
    assert Cosine().factor(7, 7, []) == pytest.approx(0.0)
    assert Cosine().factor(1, 4, []) == pytest.approx((1 + math.cos(math.pi / 4)) / 2)


def test_cosine_of_a_run_with_warm_up_only():
    assert Cosine(warmup=10).factor(5, 5, []) == 0.5
    assert Cosine(warmup=5).factor(5, 5, []) == 1.0


@pytest.mark.parametrize(
    ("losses", "factor"),
    [
        ([], 1.0),
        ([3.0], 1.0),
        ([3.0, 2.0, 1.0], 1.0),
        ([3.0, 4.0], 1.0),  # one validation without improvement
        ([3.0, 4.0, 5.0], 0.1),  # two: the factor falls
        ([3.0, 3.0, 3.0], 0.1),  # a tie is not an improvement
        ([3.0, 4.0, 5.0, 6.0], 0.1),  # the count restarts after a fall
        ([3.0, 4.0, 5.0, 6.0, 7.0], 0.05),  # a second fall, limited by smallest
        ([3.0, 4.0, 2.0, 2.5, 1.0], 1.0),  # an improvement within the patience
        ([3.0, 4.0, 5.0, 1.0, 2.0, 0.5], 0.1),  # the factor never rises
        ([3.0, math.nan, math.nan], 0.1),  # NaN is not an improvement
    ],
)
def test_plateau_falls_when_patience_runs_out(losses, factor):
    assert Plateau(decay=0.1, patience=2, smallest=0.05).factor(1, 10, losses) == pytest.approx(factor)


def test_halving():
    schedule = Halving(start=100, interval=10)
    factors = [schedule.factor(update, 10**6, []) for update in (1, 100, 101, 110, 111, 120, 121)]
    assert factors == [1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.125]


def test_exponential_is_constant_then_decays_then_constant():
    schedule = Exponential(start=100, end=140, floor=1 / 16)
    factors = [schedule.factor(update, 10**6, []) for update in (1, 100, 110, 120, 130, 140, 10**5)]
    assert factors == pytest.approx([1.0, 1.0, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 16])


def test_exponential_matches_the_schedule_of_rnmt_plus():
    """Chen et al. 2018: 1e-4 · min(1 + t(n-1)/(np), n, n(2n)^((s - nt)/(e - s))), not below half; n = 32 replicas."""
    replicas, warmup, start, end = 32, 500, 600_000, 1_200_000
    schedule = Exponential(
        warmup=replicas * warmup, start=start // replicas, end=end // replicas, floor=1 / (2 * replicas)
    )
    for update in (16_000, 17_000, 18_750, 20_000, 25_000, 30_000, 37_500):
        published = min(replicas, replicas * (2 * replicas) ** ((start - replicas * update) / (end - start)))
        assert replicas * schedule.factor(update, 10**6, []) == pytest.approx(published)
    assert replicas * schedule.factor(100_000, 10**6, []) == pytest.approx(0.5)


@pytest.mark.parametrize("schedule", ALL)
def test_a_run_shorter_than_its_warm_up_is_refused(schedule):
    schedule(warmup=100).check(100)
    with pytest.raises(
        ConfigError, match=r"^schedule.warmup=101 is longer .* set schedule.warmup=10, or training.upda"
    ):
        schedule(warmup=101).check(100)


@pytest.mark.parametrize("schedule", ALL)
def test_the_suggested_warm_up_is_accepted_for_any_run_length(schedule):
    for updates in (2, 9, 10, 3999):
        with pytest.raises(ConfigError, match=r"set schedule\.warmup=\d+, or") as raised:
            schedule(warmup=updates + 1).check(updates)
        advised = schedule(warmup=int(re.findall(r"set schedule\.warmup=(\d+)", str(raised.value))[0]))
        validate(advised)
        advised.check(updates)


def test_inverse_square_root_with_its_own_warm_up_reaches_its_peak_or_is_refused():
    InverseSquareRoot().check(4000)
    assert InverseSquareRoot().factor(3000, 3000, []) == 0.75
    with pytest.raises(ConfigError, match=r"set schedule.warmup=300, or training.updates=4000 or more \(it is 3000\)$"):
        InverseSquareRoot().check(3000)


def test_a_cosine_of_one_update_has_a_positive_rate():
    for schedule in (Cosine(warmup=1), Cosine(floor=0.1)):
        schedule.check(1)
        assert schedule.factor(1, 1, []) > 0
    Cosine().check(2)
    with pytest.raises(ConfigError, match=r"training.updates=1 has no other: set training.updates=2 or more"):
        Cosine().check(1)


@pytest.mark.parametrize("end", [5, 10])
def test_an_exponential_decays_from_start_to_end(end):
    with pytest.raises(ConfigError, match=rf"^schedule.end={end} must be after schedule.start=10: set schedule.e"):
        Exponential(start=10, end=end).check(100)
    Exponential(start=10, end=11).check(100)


@pytest.mark.parametrize("schedule", [Exponential, Halving])
def test_a_decay_within_the_warm_up_is_refused(schedule):
    schedule(start=10, warmup=10).check(100)
    with pytest.raises(ConfigError, match=r"^schedule.start=10 is within .* set schedule.start=11 or more, or sch"):
        schedule(start=10, warmup=11).check(100)
