"""Claims of the documents, stated so that a program can check them: a command, figures, and how far they may lie."""

import difflib
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from seq2seq.errors import ConfigError, RunError
from seq2seq.report.help import command
from seq2seq.settings import Settings, setting


class Bound(StrEnum):
    """On which side a figure may leave what is claimed."""

    within = "within"
    at_least = "at_least"
    at_most = "at_most"


@dataclass(kw_only=True)
class FigureConfig(Settings):
    """One number of a claim: found by a regular expression in what is printed, or by a key in a JSON file."""

    name: str = setting("", "what it is, such as: BLEU, beam 5")
    shown: str = setting("", "how README.md shows it, word for word")
    expected: float = setting(0.0, "the number itself")
    spread: float = setting(0.0, "how far another measurement may lie from it and the claim still hold", at_least=0)
    bound: Bound = setting(Bound.within, "within; at_least: any higher figure holds too; at_most: any lower one")
    scale: float = setting(1.0, "what is found is multiplied by this first, such as 100 for a share", above=0)
    pattern: str | None = setting(None, "regular expression with one group, around the number; the last match counts")
    file: str | None = setting(None, "JSON file, in the folder of the claim")
    key: str | None = setting(None, "dotted path in that file, such as test.beam.bleu.score")


@dataclass(kw_only=True)
class ClaimConfig:
    """One claim of README.md."""

    name: str = setting("", "what to ask for it by")
    text: str = setting("", "what is claimed, in a line")
    command: str = setting("", "the command that README.md shows beside the figures")
    run: list[str] = setting(
        help="what is run to check it, where that is not the command alone; {folder} is the claim's folder",
        factory=list,
    )
    minutes: float = setting(0.0, "about how long that takes, on the machine of README.md", at_least=0)
    needs: str | None = setting(None, "what it needs that is not built in")
    figures: list[FigureConfig] = setting(help="its numbers", factory=list)

    def commands(self) -> list[str]:
        """What is run, one after the other."""
        return self.run or [self.command]


@dataclass(kw_only=True)
class VerifyConfig:
    """Settings of recipes/verify.py; the claims themselves are in conf/verify.yaml."""

    claim: str | None = setting(None, "the claim to check, by its name; null: list all")
    arguments: list[str] = setting(help="overrides added to the claim's first command, such as own data", factory=list)
    output: str = setting("runs/verify", "where each claim gets a folder, and NAME.json with what was found")
    resume: bool = setting(False, "go on in the folder of a check that was stopped, instead of refusing it")
    claims: list[ClaimConfig] = setting(help="every claim that can be checked", factory=list)


@dataclass(frozen=True)
class Finding:
    """A figure that was measured again."""

    figure: FigureConfig
    found: float

    @property
    def holds(self) -> bool:
        """Whether it lies where the claim says; equal to rounding is inside."""
        low, high = self.figure.expected - self.figure.spread, self.figure.expected + self.figure.spread
        rounding = 1e-9 * max(1.0, abs(self.figure.expected))
        above, below = self.found >= low - rounding, self.found <= high + rounding
        return {Bound.within: above and below, Bound.at_least: above, Bound.at_most: below}[self.figure.bound]

    def __str__(self) -> str:
        figure = self.figure
        limit = {
            Bound.within: f"{figure.expected:g} ± {figure.spread:g}",
            Bound.at_least: f"at least {figure.expected - figure.spread:g}",
            Bound.at_most: f"at most {figure.expected + figure.spread:g}",
        }[figure.bound]
        verdict = "holds" if self.holds else "does not hold"
        return f"{figure.name}: {self.found:.4g}, claimed {limit} (README.md: {figure.shown}): {verdict}"


def find_claim(claims: Sequence[ClaimConfig], name: str) -> ClaimConfig:
    """The claim of that name.

    Raises:
        ConfigError: there is none, or it states no figure.
    """
    for claim in claims:
        if claim.name == name:
            if not claim.figures:
                raise ConfigError(f"claim {name} states no figure: add one to its figures")
            return claim
    names = [claim.name for claim in claims]
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ConfigError(f"there is no claim {name}{hint} (there are: {', '.join(names) or 'none'})")


def verify(claim: ClaimConfig, folder: Path, arguments: Sequence[str]) -> Iterator[Finding]:
    """Run a claim's commands, with what they print passed on to stderr, and find its figures.

    Raises:
        ConfigError: a figure is stated wrongly or is not to be found.
        RunError: a command failed.
    """
    patterns = [figure.pattern and _expression(figure.pattern) for figure in claim.figures]
    printed = ""
    for number, line in enumerate(claim.commands()):
        printed += run(runnable(line, folder, arguments if number == 0 else ()))
    for figure, pattern in zip(claim.figures, patterns, strict=True):
        found = _in_text(printed, pattern) if pattern else _in_file(figure, folder)
        yield Finding(figure, found * figure.scale)


def runnable(line: str, folder: Path, arguments: Sequence[str]) -> str:
    """A command of the documents as it is run here: from a clone or an installed package, by this Python."""
    line = " ".join([line.replace("{folder}", shlex.quote(str(folder))), *map(shlex.quote, arguments)])
    recipe = re.match(r"python recipes/(\w+)\.py\b", line)
    return line if recipe is None else command(recipe[1]) + line[recipe.end() :]


def run(line: str) -> str:
    """All that a shell command prints, which goes to stderr as it comes.

    Raises:
        RunError: its exit code is not 0; with the last line that it printed.
    """
    print(f"$ {line}", file=sys.stderr, flush=True)
    lines = []
    with subprocess.Popen(line, shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        for raw in process.stdout:
            lines.append(raw.decode("utf-8", "replace"))
            print(lines[-1], end="", file=sys.stderr, flush=True)
    if process.returncode:
        last = next((text.strip() for text in reversed(lines) if text.strip()), "it printed nothing")
        raise RunError(f"{line} left with code {process.returncode}: {last}; the claim was not checked")
    return "".join(lines)


def _expression(text: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise ConfigError(f"the claim's pattern is no regular expression ({error}): {text}") from None
    if pattern.groups != 1:
        raise ConfigError(
            f"the claim's pattern must have one group, around the number; it has {pattern.groups}: {text}"
        )
    return pattern


def _in_text(text: str, pattern: re.Pattern[str]) -> float:
    """The last match; commas in a number separate thousands."""
    found = [match[1] for match in pattern.finditer(text)]
    if not found:
        raise ConfigError(f"the claim's pattern matches nothing in {len(text.splitlines())} lines: {pattern.pattern}")
    return _number(found[-1].replace(",", ""), pattern.pattern)


def _in_file(figure: FigureConfig, folder: Path) -> float:
    if figure.file is None or figure.key is None:
        raise ConfigError(f"figure {figure.name} needs a pattern, or a file and a key")
    path = folder / figure.file
    try:
        place: Any = json.loads(path.read_text(encoding="utf-8"))
        for name in figure.key.split("."):
            place = place[int(name)] if isinstance(place, list) else place[name]
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise ConfigError(f"{path} has no {figure.key} ({type(error).__name__}): see what the command wrote") from None
    return _number(place, f"{path}, {figure.key}")


def _number(value: Any, place: str) -> float:
    try:
        return float(value)
    except (ValueError, TypeError):
        raise ConfigError(f"the claim's figure is no number ({value}): {place}") from None
