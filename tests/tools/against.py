"""Alternating measurements of another program and this one, A B A B …: ratio of each pair, ratio of the medians.

python -m tests.tools.against "against.command=cd other; ./train.sh 50" "against.figure=([0-9.]+) tok/s"
"""

import re
import shlex
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from seq2seq.benchmark.config import BenchmarkConfig
from seq2seq.benchmark.machine import Machine
from seq2seq.errors import ConfigError, RunError
from seq2seq.report.aligned import aligned
from seq2seq.settings import Settings, plain_value, setting
from seq2seq.system.workers import last_line
from tests.tools import INHERITED
from tests.tools.settings import run_tool

BENCHMARK = Path(__file__).parents[2] / "recipes" / "benchmark.py"
OWN_FIGURE = r"target tokens/s +([\d.,]+)"


class Take(StrEnum):
    """How several matches give one figure."""

    median = "median"
    last = "last"


@dataclass(kw_only=True)
class AgainstConfig(Settings):
    """The other program, and where the figures are found."""

    command: str | None = setting(None, "command of the other program, run by the shell")
    figure: str | None = setting(None, "regular expression with one group: its figure in the command's output")
    own: str | None = setting(None, "our command; null: the training part of recipes/benchmark.py, same settings")
    own_figure: str = setting(OWN_FIGURE, "regular expression of our figure")
    take: Take = setting(Take.median, "if the expression matches several times: median or last")
    lower_is_better: bool = setting(False, "figures are times; ratios are then theirs / ours")
    rounds: int = setting(3, "number of runs of each program", at_least=1)


@dataclass(frozen=True)
class Round:
    """Figures of one run of each program."""

    ours: float
    theirs: float
    ratio: float
    """Above 1: ours is better by this factor."""


def own_command(arguments: Sequence[str], output: Path) -> str:
    """Return the command that measures only training, with the same settings and a separate output folder."""
    kept = [word for word in arguments if not word.startswith(("against.", "parts=", "output="))]
    return shlex.join([sys.executable, str(BENCHMARK), *kept, "parts=[training]", f"output={output / 'own'}"])


def run_against(against: AgainstConfig, own: str) -> Iterator[Round]:
    """Run ``own`` and ``against.command`` alternately, ``against.rounds`` times each.

    Raises:
        ConfigError: a regular expression is invalid, does not have one group, or matches no number in the output.
        RunError: a command failed.
    """
    if against.command is None or against.figure is None:
        raise ConfigError("name another program's command with against.command and its figure with against.figure")
    own_pattern = regular_expression(against.own_figure, "against.own_figure")
    pattern = regular_expression(against.figure, "against.figure")
    for _ in range(against.rounds):
        ours = figure_in(output_of(own), own_pattern, against.take, "against.own_figure")
        theirs = figure_in(output_of(against.command, INHERITED), pattern, against.take, "against.figure")
        yield Round(ours, theirs, ratio(ours, theirs, against.lower_is_better))


def ratio(ours: float, theirs: float, lower_is_better: bool) -> float:
    """``ours / theirs``, or the inverse for times."""
    return theirs / ours if lower_is_better else ours / theirs


def ratio_of_medians(rounds: Sequence[Round], lower_is_better: bool) -> float:
    """The ratio of our median to theirs, or the inverse for times."""
    ours, theirs = (statistics.median(getattr(each, side) for each in rounds) for side in ("ours", "theirs"))
    return ratio(ours, theirs, lower_is_better)


def regular_expression(text: str, setting: str) -> re.Pattern[str]:
    """Compile a regular expression with one group.

    Raises:
        ConfigError: names the setting that holds the expression.
    """
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise ConfigError(f"{setting} is not a regular expression ({error}): {text}") from None
    if pattern.groups != 1:
        raise ConfigError(f"{setting} must have one group, around the number; it has {pattern.groups}: {text}")
    return pattern


def output_of(command: str, environment: dict[str, str] | None = None) -> str:
    """Standard output and standard error of a shell command.

    Args:
        command: run by the shell.
        environment: None: that of this process.

    Raises:
        RunError: its exit code is not 0; the message has the last line that it printed.
    """
    completed = subprocess.run(
        command, shell=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    text = completed.stdout.decode("utf-8", "replace")
    if completed.returncode:
        raise RunError(f"{command} ended with code {completed.returncode}: {last_line(text)}; run it by itself first")
    return text


def figure_in(text: str, pattern: re.Pattern[str], take: Take, setting: str) -> float:
    """The median or the last of all matches. Commas in a number separate thousands.

    Raises:
        ConfigError: nothing matches, or a match is not a positive number.
    """
    words = [match[1] for match in pattern.finditer(text)]
    if not words:
        raise ConfigError(f"{setting} matches nothing in the {len(text.splitlines())} lines printed: {pattern.pattern}")
    try:
        figures = [float(word.replace(",", "")) for word in words]
    except ValueError:
        raise ConfigError(f"{setting} matches text that is not a number ({words[0]}): {pattern.pattern}") from None
    figure = figures[-1] if take is Take.last else statistics.median(figures)
    if figure <= 0:
        raise ConfigError(f"{setting} gives {figure:g}: a ratio needs a figure above 0")
    return figure


def against_table(rounds: Sequence[Round], medians: float) -> str:
    """One line per pair of runs."""
    rows = [("pair", "ours", "theirs", "times better")]
    rows += [
        (f"{number}", f"{each.ours:,.6g}", f"{each.theirs:,.6g}", f"{each.ratio:,.2f}")
        for number, each in enumerate(rounds, 1)
    ]
    rows.append(("medians", "", "", f"{medians:,.2f}"))
    return f"against\n{aligned(rows)}"


def measure(against: AgainstConfig, config: BenchmarkConfig, machine: Machine) -> tuple[dict[str, Any], str]:
    """Figures and table of all pairs of runs."""
    own = against.own or own_command(sys.argv[1:], Path(config.output).expanduser())
    rounds = list(run_against(against, own))
    medians = ratio_of_medians(rounds, against.lower_is_better)
    return {"rounds": plain_value(rounds), "ratio_of_medians": medians}, against_table(rounds, medians)


def main() -> None:
    """Run the tool."""
    run_tool("against", AgainstConfig, measure, __doc__ or "")


if __name__ == "__main__":
    main()
