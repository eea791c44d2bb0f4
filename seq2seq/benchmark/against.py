"""Another program in turn with this one: A B A B …, a ratio for each pair, and the ratio of the medians."""

import re
import shlex
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2seq.benchmark.config import AgainstConfig, Take
from seq2seq.errors import ConfigError, RunError


@dataclass(frozen=True)
class Round:
    """Figures of one run of each."""

    ours: float
    theirs: float
    ratio: float
    """How many times better ours is."""


def own_command(arguments: Sequence[str], output: Path) -> str:
    """This same program with the same arguments, but its training part alone and an output folder of its own."""
    program, *overrides = arguments
    kept = [word for word in overrides if not word.startswith(("against.", "parts=", "output="))]
    return shlex.join([sys.executable, program, *kept, "parts=[training]", f"output={output / 'own'}"])


def run_against(config: AgainstConfig, own: str) -> Iterator[Round]:
    """Run ``own`` and ``against.command`` in turn, ``against.rounds`` times each; a round when its pair is done.

    Raises:
        ConfigError: an expression is none, has not one group, or matches no number in what the command printed.
        RunError: a command failed.
    """
    if config.command is None or config.figure is None:
        raise ConfigError("name another program's command with against.command and its figure with against.figure")
    own_figure = expression(config.own_figure, "against.own_figure")
    figure = expression(config.figure, "against.figure")
    for _ in range(config.rounds):
        ours = taken(printed(own), own_figure, config.take, "against.own_figure")
        theirs = taken(printed(config.command), figure, config.take, "against.figure")
        yield Round(ours, theirs, times_better(ours, theirs, config.lower_is_better))


def times_better(ours: float, theirs: float, lower_is_better: bool) -> float:
    """``ours / theirs``, or the inverse for times."""
    return theirs / ours if lower_is_better else ours / theirs


def ratio_of_medians(rounds: Sequence[Round], lower_is_better: bool) -> float:
    """How many times better our median is than theirs."""
    ours, theirs = statistics.median(one.ours for one in rounds), statistics.median(one.theirs for one in rounds)
    return times_better(ours, theirs, lower_is_better)


def expression(text: str, setting: str) -> re.Pattern[str]:
    """The compiled expression."""
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise ConfigError(f"{setting} is no regular expression ({error}): {text}") from None
    if pattern.groups != 1:
        raise ConfigError(f"{setting} must have one group, around the number; it has {pattern.groups}: {text}")
    return pattern


def printed(command: str, environment: dict[str, str] | None = None) -> str:
    """All that a shell command prints, on both channels; None: it runs in the environment of this process.

    Raises:
        RunError: its exit code is not 0; with the last line it printed.
    """
    done = subprocess.run(
        command, shell=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        last = (text.strip().splitlines() or ["it printed nothing"])[-1]
        raise RunError(f"{command} left with code {done.returncode}: {last}; run it by itself first")
    return text


def taken(text: str, pattern: re.Pattern[str], take: Take, setting: str) -> float:
    """The figure: the median or the last of all matches; commas in numbers separate thousands.

    Raises:
        ConfigError: nothing matches, or what matches is no positive number.
    """
    found = [match[1] for match in pattern.finditer(text)]
    if not found:
        raise ConfigError(f"{setting} matches nothing in the {len(text.splitlines())} lines printed: {pattern.pattern}")
    try:
        figures = [float(word.replace(",", "")) for word in found]
    except ValueError:
        raise ConfigError(f"{setting} matches what is no number ({found[0]}): {pattern.pattern}") from None
    figure = figures[-1] if take is Take.last else statistics.median(figures)
    if figure <= 0:
        raise ConfigError(f"{setting} gives {figure:g}: a ratio needs a figure above 0")
    return figure
