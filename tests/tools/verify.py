"""Measure a figure of RESULTS.md again, and report whether it holds within its stated spread.

    python -m tests.tools.verify
    python -m tests.tools.verify claim=demo
    python -m tests.tools.verify claim=multi30k_quick "arguments=['data.train.source=…', 'data.train.target=…']"

Without a name it lists the claims of claims.yaml. The exit code is 1 if the claim does not hold.
"""

import difflib
import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from seq2seq import __version__
from seq2seq.config.error_lines import one_line_errors
from seq2seq.errors import ConfigError, RunError
from seq2seq.settings import Settings, setting, validate
from seq2seq.system.atomic import atomic_write
from seq2seq.system.lock import locked_output

CLAIMS = Path(__file__).with_name("claims.yaml")
RECIPES = Path(__file__).parents[2] / "recipes"


class Bound(StrEnum):
    """On which sides of the claimed range a figure may not lie."""

    within = "within"
    at_least = "at_least"
    at_most = "at_most"


@dataclass(kw_only=True)
class FigureConfig(Settings):
    """One number of a claim: found by a regular expression in the output, or by a key in a JSON file."""

    name: str = setting("", "its name, such as: BLEU, beam 5")
    shown: str = setting("", "the words of RESULTS.md that state it")
    expected: float = setting(0.0, "the claimed number")
    spread: float = setting(0.0, "largest difference with which the claim holds", at_least=0)
    bound: Bound = setting(
        Bound.within, "within; at_least: any higher figure also holds; at_most: any lower figure also holds"
    )
    scale: float = setting(1.0, "factor of the number found, such as 100 for a share", above=0)
    pattern: str | None = setting(None, "regular expression with one group, around the number; the last match counts")
    file: str | None = setting(None, "JSON file in the folder of the claim")
    key: str | None = setting(None, "dotted path in that file, such as test.beam.bleu.score")


@dataclass(kw_only=True)
class ClaimConfig:
    """One claim of RESULTS.md."""

    name: str = setting("", "its name")
    text: str = setting("", "what is claimed, in one line")
    command: str = setting("", "the command that RESULTS.md shows next to the figures")
    run: list[str] = setting(
        help="commands to run, if not the command alone; {folder} is the claim's folder",
        factory=list,
    )
    minutes: float = setting(0.0, "approximate duration on the machine of RESULTS.md", at_least=0)
    needs: str | None = setting(None, "what it needs that is not built in")
    figures: list[FigureConfig] = setting(help="its numbers", factory=list)

    def commands(self) -> list[str]:
        """The commands to run in order."""
        return self.run or [self.command]


@dataclass(kw_only=True)
class VerifyConfig:
    """Settings of this tool; claims.yaml has the claims."""

    claim: str | None = setting(None, "name of the claim to check; null: list all")
    arguments: list[str] = setting(help="overrides added to the claim's first command, such as files", factory=list)
    output: str = setting("runs/verify", "output folder: NAME/ has the claim's files, NAME.json the result")
    resume: bool = setting(False, "resume an interrupted check in its folder")
    claims: list[ClaimConfig] = setting(help="all claims", factory=list)


@dataclass(frozen=True)
class Finding:
    """A figure and its new measurement."""

    figure: FigureConfig
    value: float

    @property
    def holds(self) -> bool:
        """Whether the value lies in the claimed range, its ends included, up to rounding."""
        low, high = self.figure.expected - self.figure.spread, self.figure.expected + self.figure.spread
        rounding = 1e-9 * max(1.0, abs(self.figure.expected))
        above, below = self.value >= low - rounding, self.value <= high + rounding
        return {Bound.within: above and below, Bound.at_least: above, Bound.at_most: below}[self.figure.bound]

    def __str__(self) -> str:
        figure = self.figure
        limit = {
            Bound.within: f"{figure.expected:g} ± {figure.spread:g}",
            Bound.at_least: f"at least {figure.expected - figure.spread:g}",
            Bound.at_most: f"at most {figure.expected + figure.spread:g}",
        }[figure.bound]
        verdict = "holds" if self.holds else "does not hold"
        return f"{figure.name}: {self.value:.4g}, claimed {limit} (RESULTS.md: {figure.shown}): {verdict}"


def find_claim(claims: Sequence[ClaimConfig], name: str) -> ClaimConfig:
    """The claim of that name.

    Raises:
        ConfigError: there is no such claim, or it has no figure.
    """
    for claim in claims:
        if claim.name == name:
            if not claim.figures:
                raise ConfigError(f"claim {name} has no figure: add one to its figures")
            return claim
    names = [claim.name for claim in claims]
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ConfigError(f"there is no claim {name}{hint} (there are: {', '.join(names) or 'none'})")


def verify(claim: ClaimConfig, folder: Path, arguments: Sequence[str]) -> Iterator[Finding]:
    """Run a claim's commands, copy their output to stderr, and find its figures.

    Raises:
        ConfigError: a figure is defined incorrectly or cannot be found.
        RunError: a command failed.
    """
    patterns = [figure.pattern and regular_expression(figure.pattern) for figure in claim.figures]
    output = ""
    for number, line in enumerate(claim.commands()):
        output += run(runnable(line, folder, arguments if number == 0 else ()))
    for figure, pattern in zip(claim.figures, patterns, strict=True):
        value = value_in_text(output, pattern) if pattern else value_in_file(figure, folder)
        yield Finding(figure, value * figure.scale)


def runnable(line: str, folder: Path, arguments: Sequence[str]) -> str:
    """A command of the documents as it is run here: in this folder and by this Python."""
    line = " ".join([line.replace("{folder}", shlex.quote(str(folder))), *map(shlex.quote, arguments)])
    recipe = re.match(r"python recipes/(\w+)\.py\b", line)
    if recipe is None:
        return line
    program = [sys.executable, os.path.relpath(RECIPES / f"{recipe[1]}.py")]
    return shlex.join(program) + line[recipe.end() :]


def run(line: str) -> str:
    """The output of a shell command, which is also copied to stderr while the command runs.

    Raises:
        RunError: its exit code is not 0; the message has the last line that it printed.
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
        raise RunError(f"{line} ended with code {process.returncode}: {last}; the claim was not checked")
    return "".join(lines)


def regular_expression(text: str) -> re.Pattern[str]:
    """Compile a regular expression with one group."""
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise ConfigError(f"the claim's pattern is not a regular expression ({error}): {text}") from None
    if pattern.groups != 1:
        raise ConfigError(
            f"the claim's pattern must have one group, around the number; it has {pattern.groups}: {text}"
        )
    return pattern


def value_in_text(text: str, pattern: re.Pattern[str]) -> float:
    """The last match. Commas in a number separate thousands."""
    matches = [match[1] for match in pattern.finditer(text)]
    if not matches:
        raise ConfigError(f"the claim's pattern matches nothing in {len(text.splitlines())} lines: {pattern.pattern}")
    return to_number(matches[-1].replace(",", ""), pattern.pattern)


def value_in_file(figure: FigureConfig, folder: Path) -> float:
    """The number at ``figure.key`` in ``figure.file``."""
    if figure.file is None or figure.key is None:
        raise ConfigError(f"figure {figure.name} needs a pattern, or a file and a key")
    path = folder / figure.file
    try:
        value: Any = json.loads(path.read_text(encoding="utf-8"))
        for name in figure.key.split("."):
            value = value[int(name)] if isinstance(value, list) else value[name]
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise ConfigError(f"{path} has no {figure.key} ({type(error).__name__}): see the command's output") from None
    return to_number(value, f"{path}, {figure.key}")


def to_number(value: Any, place: str) -> float:
    """The value as a number; ``place`` is where it was found, for the error message."""
    try:
        return float(value)
    except (ValueError, TypeError):
        raise ConfigError(f"the claim's figure is not a number ({value}): {place}") from None


def read_config(overrides: Sequence[str]) -> VerifyConfig:
    """The claims of claims.yaml and the settings of the command line, ``NAME=VALUE``."""
    layers = [OmegaConf.structured(VerifyConfig), OmegaConf.load(CLAIMS), OmegaConf.from_dotlist(list(overrides))]
    config = OmegaConf.to_object(OmegaConf.merge(*layers))
    assert isinstance(config, VerifyConfig)
    validate(config)
    return config


def check(claim: ClaimConfig, folder: Path, config: VerifyConfig) -> list[dict[str, Any]]:
    """Run a claim's commands, print each finding, and write all of them to ``folder``.json."""
    start = time.monotonic()
    figures = []
    for finding in verify(claim, folder, config.arguments):
        print(finding, flush=True)
        figures.append({**asdict(finding.figure), "found": finding.value, "holds": finding.holds})
    report = {
        "version": __version__,
        "claim": claim.name,
        "commands": claim.commands(),
        "arguments": config.arguments,
        "seconds": round(time.monotonic() - start, 1),
        "figures": figures,
    }
    with atomic_write(folder.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return figures


def list_claims(claims: Sequence[ClaimConfig]) -> None:
    """Print each claim with its command, duration, needs and figures."""
    for claim in claims:
        print(f"{claim.name}: {claim.text}\n  {claim.command}")
        print(f"  about {claim.minutes:g} min{f'; needs {claim.needs}' if claim.needs else ''}")
        for figure in claim.figures:
            print(f"  {figure.name}: {figure.shown}")


def main() -> None:
    """List all claims, or check one."""
    with one_line_errors(VerifyConfig()):
        config = read_config(sys.argv[1:])
        if config.claim is None:
            list_claims(config.claims)
            return
        claim = find_claim(config.claims, config.claim)
        folder = Path(config.output).expanduser() / claim.name
        with locked_output(folder.with_suffix(".json")):
            if folder.exists() and not config.resume:
                raise RunError(f"{folder} already exists: delete it, or set output=PATH or resume=true")
            figures = check(claim, folder, config)
        if failed := [str(figure["name"]) for figure in figures if not figure["holds"]]:
            raise RunError(f"claim {claim.name} does not hold: {'; '.join(failed)} (see {folder.with_suffix('.json')})")


if __name__ == "__main__":
    main()
