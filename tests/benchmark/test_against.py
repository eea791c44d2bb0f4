"""Another program in turn with this one."""

import sys

import pytest

from seq2seq.benchmark.against import (
    Round,
    expression,
    own_command,
    printed,
    ratio_of_medians,
    run_against,
    taken,
)
from seq2seq.benchmark.config import AgainstConfig, Take
from seq2seq.errors import ConfigError, RunError

FIGURE = r"speed ([\d.,]+)"


def test_both_are_run_in_turn(tmp_path):
    log = tmp_path / "log"
    config = AgainstConfig(
        command=f"echo B >> {log}; echo 'speed 1,000' >&2",
        figure=FIGURE,
        own_figure=FIGURE,
        rounds=3,
    )
    rounds = list(run_against(config, f"echo A >> {log}; echo speed 2500"))
    assert log.read_text().split() == ["A", "B"] * 3
    assert rounds == [Round(2500, 1000, 2.5)] * 3


def test_times_are_better_when_lower():
    config = AgainstConfig(command="echo speed 8", figure=FIGURE, own_figure=FIGURE, lower_is_better=True, rounds=1)
    assert next(run_against(config, "echo speed 2")).ratio == 4


def test_ratio_of_medians_is_not_the_median_of_ratios():
    rounds = [Round(10, 1, 10), Round(20, 10, 2), Round(30, 10, 3)]
    assert ratio_of_medians(rounds, lower_is_better=False) == 2
    assert ratio_of_medians(rounds, lower_is_better=True) == 0.5


@pytest.mark.parametrize(("take", "expected"), [(Take.median, 3), (Take.last, 100)])
def test_which_figure_counts(take, expected):
    text = "speed 1\nspeed 3\nspeed 100\n"
    assert taken(text, expression(FIGURE, "against.figure"), take, "against.figure") == expected


@pytest.mark.parametrize(
    ("text", "pattern", "words"),
    [
        ("nothing here\n", FIGURE, "matches nothing in the 1 lines"),
        ("speed fast", r"speed (\w+)", "no number"),
        ("speed 0", FIGURE, "above 0"),
    ],
)
def test_a_figure_that_is_none_is_one_line(text, pattern, words):
    with pytest.raises(ConfigError, match=words) as error:
        taken(text, expression(pattern, "against.figure"), Take.median, "against.figure")
    assert "against.figure" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("pattern", ["speed (", "speed", "(a)(b)"])
def test_an_expression_needs_one_group(pattern):
    with pytest.raises(ConfigError, match=r"against\.figure"):
        expression(pattern, "against.figure")


def test_a_command_that_fails_is_one_line_with_its_last():
    with pytest.raises(RunError, match=r"code 3: the reason;") as error:
        printed("echo first; echo 'the reason' >&2; exit 3")
    assert "\n" not in str(error.value)


def test_our_own_command_keeps_the_settings_but_not_the_comparison(tmp_path):
    arguments = ["recipes/benchmark.py", "data.train.source=a b.en", "parts=[scale]", "against.rounds=2", "output=x"]
    command = own_command(arguments, tmp_path)
    assert command.startswith(sys.executable)
    assert "'data.train.source=a b.en'" in command
    assert "'parts=[training]'" in command
    assert "against" not in command
    assert "output=x" not in command
