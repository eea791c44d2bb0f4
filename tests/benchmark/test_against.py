"""Alternating measurements of another program and this one."""

import json
import re
import sys

import pytest
from benchmarks import SLOW_MACHINE, SMALL_OVERRIDES, TRAINING

from seq2seq.benchmark import report
from seq2seq.errors import ConfigError, RunError
from tests.tools.against import (
    AgainstConfig,
    Round,
    Take,
    against_table,
    figure_in,
    output_of,
    own_command,
    ratio_of_medians,
    regular_expression,
    run_against,
)

FIGURE = r"speed ([\d.,]+)"


def test_both_programs_run_in_turn(tmp_path):
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
def test_of_several_matches_the_median_or_the_last_is_the_figure(take, expected):
    text = "speed 1\nspeed 3\nspeed 100\n"
    assert figure_in(text, regular_expression(FIGURE, "against.figure"), take, "against.figure") == expected


@pytest.mark.parametrize(
    ("text", "pattern", "words"),
    [
        ("nothing here\n", FIGURE, "matches nothing in the 1 lines"),
        ("speed fast", r"speed (\w+)", "not a number"),
        ("speed 0", FIGURE, "above 0"),
    ],
)
def test_a_missing_figure_gives_one_line(text, pattern, words):
    with pytest.raises(ConfigError, match=words) as error:
        figure_in(text, regular_expression(pattern, "against.figure"), Take.median, "against.figure")
    assert "against.figure" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("pattern", ["speed (", "speed", "(a)(b)"])
def test_a_regular_expression_needs_one_group(pattern):
    with pytest.raises(ConfigError, match=r"against\.figure"):
        regular_expression(pattern, "against.figure")


def test_a_command_that_fails_gives_one_line_with_its_last_line():
    with pytest.raises(RunError, match=r"code 3: the reason;") as error:
        output_of("echo first; echo 'the reason' >&2; exit 3")
    assert "\n" not in str(error.value)


def test_our_own_command_keeps_the_settings_without_those_of_the_comparison(tmp_path):
    arguments = ["data.train.source=a b.en", "parts=[scale]", "against.rounds=2", "output=x"]
    command = own_command(arguments, tmp_path)
    assert command.startswith(sys.executable)
    assert "'data.train.source=a b.en'" in command
    assert "'parts=[training]'" in command
    assert "against" not in command
    assert "output=x" not in command


def test_the_table_has_the_ratios():
    table = against_table([Round(30.0, 10.0, 3.0)], 3.0)
    assert "3.00" in table
    assert "medians" in table


def test_our_figure_is_found_once_in_the_output_of_training():
    text = report.machine_table(SLOW_MACHINE) + report.training_table(TRAINING)
    assert re.findall(AgainstConfig().own_figure, text) == ["7,012"]


def test_the_tool_compares_and_reports_failures_in_one_line(tool, tmp_path):
    others = ["against.command=echo speed 500", r"against.figure=speed (\d+)", "against.rounds=2"]
    common = [f"output={tmp_path}", *SMALL_OVERRIDES, *others]
    outcome = tool("against", *common, "against.own=echo speed 1000", r"against.own_figure=speed (\d+)")
    assert outcome.code == 0, outcome.err
    assert "2.00" in outcome.out
    assert json.loads((tmp_path / "against.json").read_text())["against"]["ratio_of_medians"] == 2
    outcome = tool("against", *common, "against.own=echo sorry; exit 2")
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert "sorry" in outcome.err


def test_another_program_needs_an_expression_for_its_figure(tool, tmp_path):
    outcome = tool("against", f"output={tmp_path}", *SMALL_OVERRIDES, "against.command=true")
    assert outcome.code == 1
    assert "against.figure" in outcome.err
