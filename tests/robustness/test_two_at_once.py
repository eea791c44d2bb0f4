"""Two processes of a recipe with the same output, killed at random: no file is wrong after exit code 0.

Two evaluations of one run do not exclude each other: each adds its entry to scores.json.
"""

import json
import os
import random
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import KNOWN, TINY
from random_runs import random_run

from seq2seq.corpora.lines import read_lines
from seq2seq.evaluation.evaluate import SCORES, write_scores
from seq2seq.run.provenance import text_hash
from seq2seq.system.atomic import is_temporary
from seq2seq.system.lock import LOCK

if not hasattr(os, "fork"):
    pytest.skip("commands are forked", allow_module_level=True)

from starting import Command, Ended, Starter

LINES = [f"{subject} {verb}." for subject in ("The dog", "My key", "She", "A house") for verb in ("sleeps", "works")]
LONGER = ["search.max_length_ratio=3", "search.max_length_offset=50"]
REFUSED = (
    r"in use by (another )?process|is there already|already exists|cannot be made|cannot be written|holds a run with"
)


class World(NamedTuple):
    """Input files of all commands."""

    runs: list[Path]
    text: Path
    other: Path


Overrides = Callable[[World, int, Path], list[str]]
"""Overrides of one of the two commands, without its output, which goes into the folder."""
Contents = dict[str, object]


def contents(folder: Path) -> Contents:
    """All files except those that killed processes may leave: lock files and temporary files."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    ignored = {path for path in files if path.name.endswith(LOCK) or any(map(is_temporary, (path, *path.parents)))}
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files if path not in ignored}


def trained(folder: Path) -> Contents:
    """The model of a complete run; nothing of an incomplete run, which the next command resumes."""
    files = contents(folder)
    names = {"out/model.safetensors", "out/tokenizer.model", "out.tmp"}
    complete = "out/scores.json" in files
    return {name: data for name, data in files.items() if name in names and (complete or name == "out.tmp")}


def settled(folder: Path) -> Contents:
    """Every file; of reports what they are about and found, without paths and times."""
    result = contents(folder)
    for name in [name for name in result if name.endswith(".json")]:
        reported = json.loads(result[name])
        reported = {key: value for key, value in reported.items() if key not in ("seconds", "machine", "arguments")}
        reported["settings"] = {key: value for key, value in reported.get("settings", {}).items() if key != "output"}
        result[name] = reported
    return result


class Recipe(NamedTuple):
    """A recipe that writes files."""

    name: str
    output: str
    overrides: Overrides
    outputs: Callable[[Path], Contents] = contents
    """The files that are compared."""
    parts: bool = False
    """Whether a killed process may leave some complete files, but not the last."""
    setting: str = "output"
    """The setting for the output; empty: there is none."""
    kills: int = 25
    """Kills in the slow test; fewer for commands that take seconds."""


RECIPES: dict[str, Recipe] = {
    "translate": Recipe("translate", "out.txt", lambda world, number, out: [run(world, number), f"input={world.text}"]),
    "translate, compressed": Recipe(
        "translate", "out.gz", lambda world, number, out: [run(world, number), f"input={world.text}"]
    ),
    "document": Recipe("document", "out.txt", lambda world, number, out: [run(world, number), f"input={world.text}"]),
    "score": Recipe(
        "score",
        "out.txt",
        lambda world, number, out: [run(world, number), f"source={world.text}", f"target={world.other}"],
    ),
    "backtranslate": Recipe(
        "backtranslate",
        "made",
        lambda world, number, out: [run(world, number), f"input={world.text}", *LONGER],
    ),
    "distill": Recipe("distill", "made", lambda world, number, out: [run(world, number), "split=test", *LONGER]),
    "quantize": Recipe("quantize", "made", lambda world, number, out: [run(world, number)]),
    "average": Recipe("average", "made", lambda world, number, out: [run(world, number), f"runs=[{world.runs[2]}]"]),
    "microscope": Recipe(
        "microscope",
        "made",
        lambda world, number, out: [run(world, number), "text='The dog sleeps.'"],
        parts=True,
        kills=4,
    ),
    "microscope, corpus": Recipe(
        "microscope",
        "made",
        lambda world, number, out: [run(world, number), "corpus.sentences=4", "corpus.ablated=2"],
        parts=True,
        kills=4,
    ),
    "train": Recipe("train", "out", lambda world, one, out: [*TINY, f"seed={one}"], trained, setting="run", kills=8),
    "verify": Recipe(
        "tests.tools.verify", "out", lambda world, one, out: ["claim=out", f"claims=[{claim(one)}]"], settled
    ),
    "laboratory": Recipe(
        "laboratory",
        "made",
        lambda world, number, out: [
            run(world, number),
            "figures=[exposure,lengths]",
            "bootstrap=10",
            "exposure.sentences=4",
        ],
        settled,
        parts=True,
        kills=8,
    ),
    "benchmark": Recipe(
        "benchmark",
        "made",
        lambda world, one, out: ["parts=[]", f"seed={one}", *QUICK],
        settled,
    ),
    "doctor": Recipe(
        "doctor",
        "text.clean.de",
        lambda world, number, out: [*texts(out), "fix=true", f"keep=[{'duplicate' if number else ''}]"],
        parts=True,
        setting="",
    ),
    "compare": Recipe(
        "compare",
        "out.json",
        lambda world, number, out: [
            f"systems=[{world.text},{world.other}]" if number else f"systems=[{world.other},{world.text}]",
            f"data.test.source={world.text}",
            f"data.test.target={world.text}",
            "bootstrap=10",
            "randomization=10",
        ],
    ),
}
"""The recipes by a name for each case."""

SAMPLE = ["quantize"]
QUICK = [
    "measure.warmup=0",
    "measure.repetitions=2",
    "measure.product=32",
    "measure.copy=1",
]


def run(world: World, number: int) -> str:
    return f"run={world.runs[number]}"


def claim(number: int) -> str:
    """A claim that is confirmed and writes a file."""
    figure = "{name: BLEU, shown: 'BLEU 4', expected: 4, spread: 1, pattern: 'BLEU ([0-9.]+)'}"
    commands = [f"mkdir {{folder}} && echo {number} > {{folder}}/text", f"echo BLEU 4.{number}"]
    return f"{{name: out, text: nothing, command: none, run: {commands}, figures: [{figure}]}}"


def texts(out: Path) -> list[str]:
    """Write a corpus with a repeated pair into the folder, where its cleaned copy is written."""
    for name, lines in (("text.en", [*KNOWN]), ("text.de", [*KNOWN.values()])):
        (out / name).write_text("".join(f"{line}\n" for line in [*lines, lines[0]]), "utf-8")
    return [f"data.train.source={out / 'text.en'}", f"data.train.target={out / 'text.de'}"]


@pytest.fixture(scope="module")
def starter() -> Iterator[Starter]:
    starter = Starter()
    yield starter
    starter.close()


@pytest.fixture(scope="module")
def world(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Three runs with different weights, and two texts."""
    folder = tmp_path_factory.mktemp("world")
    runs = [random_run(tiny_run, folder / f"run{seed}", seed) for seed in range(3)]
    (folder / "text").write_text("".join(f"{line}\n" for line in LINES))
    (folder / "other").write_text("".join(f"{line}\n" for line in LINES[::-1]))
    return World(runs, folder / "text", folder / "other")


def command(world: World, name: str, number: int, out: Path, **times: float) -> Command:
    recipe, place = RECIPES[name], out if name == "verify" else out / RECIPES[name].output
    named = f"{recipe.setting}=[{place}]" if name == "compare" else f"{recipe.setting}={place}"
    return Command(recipe.name, [*recipe.overrides(world, number, out), *([named] if recipe.setting else [])], **times)


def error_line(ended: Ended) -> str:
    """The error message of a command, which must be one line."""
    assert "Traceback" not in ended.err, ended.err
    [line] = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    return line


def check_round(
    starter: Starter, name: str, out: Path, references: list[Contents], commands: list[Command]
) -> list[Ended]:
    """Run two commands at once and check their output."""
    recipe = RECIPES[name]
    (out / f"{recipe.output}.tmp").write_text("mine")
    ended = starter(*commands)
    left = recipe.outputs(out)
    assert left.pop(f"{recipe.output}.tmp") == b"mine"
    for process in ended:
        assert process.code in (0, 1, -9), process.err
        if process.code == 1:
            assert re.search(REFUSED, error_line(process)), process.err
    wholes = [reference for reference, process in zip(references, ended, strict=True) if process.code != 1]
    if any(process.code == 0 for process in ended):
        assert left in wholes, "the complete output of one"
    elif recipe.parts:
        assert any(is_part(left, whole) for whole in (*wholes, {})), "complete files of one, or nothing"
    else:
        assert left in (*wholes, {}), "the complete output of one, or nothing"
    return ended


def is_part(left: Contents, whole: Contents) -> bool:
    """Whether all of these files are in the complete output."""
    return all(name in whole and whole[name] == data for name, data in left.items())


def rounds(starter: Starter, world: World, name: str, folder: Path, kills: int, seed: int) -> None:
    """Run two commands at once, first without a kill, then many times with one of them killed at random."""
    references, chance = [], random.Random(seed)
    for number in (0, 1):
        (folder / f"alone{number}").mkdir()
        [alone] = starter(command(world, name, number, folder / f"alone{number}"))
        assert alone.code == 0, alone.err
        references.append(RECIPES[name].outputs(folder / f"alone{number}"))
    assert references[0] != references[1]
    (folder / "both").mkdir()
    both = [command(world, name, number, folder / "both") for number in (0, 1)]
    ended = check_round(starter, name, folder / "both", references, both)
    assert 0 in [process.code for process in ended]
    for attempt in range(kills):
        out, killed = folder / str(attempt), chance.randrange(2)
        out.mkdir()
        commands = [
            command(world, name, number, out, after=chance.choice([0.0, chance.uniform(0, alone.seconds / 2)]))
            for number in (0, 1)
        ]
        commands[killed] = commands[killed]._replace(kill=chance.uniform(0, 1.2 * alone.seconds))
        check_round(starter, name, out, references, commands)
        check_again(starter, world, name, out, references[0])


def check_again(starter: Starter, world: World, name: str, out: Path, reference: Contents) -> None:
    """Run one more command, after removing output that is never replaced."""
    recipe = RECIPES[name]
    for output in out.iterdir():
        if output.is_dir() and not is_temporary(output):
            shutil.rmtree(output)
        elif ".clean." in output.name and not is_temporary(output):
            output.unlink()
    (out / f"{recipe.output}.tmp").write_text("mine")
    [again] = starter(command(world, name, 0, out))
    assert again.code == 0, again.err
    (out / f"{recipe.output}.tmp").unlink()
    assert recipe.outputs(out) == reference
    assert not any(map(is_temporary, out.iterdir())), "temporary files of killed processes are removed"


@pytest.mark.ci
@pytest.mark.parametrize("name", SAMPLE)
def test_two_commands_with_the_same_output_do_not_mix(starter, world, tmp_path, name):
    rounds(starter, world, name, tmp_path, kills=1, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_two_commands_with_the_same_output_do_not_mix_after_many_kills(starter, world, tmp_path, name):
    rounds(starter, world, name, tmp_path, kills=RECIPES[name].kills, seed=2)


def evaluations(starter: Starter, world: World, folder: Path, kill: float | None = None) -> list[Ended]:
    """Evaluate a run on two splits at once; its scores.json has another entry."""
    shutil.copytree(world.runs[0], folder)
    write_scores(folder / SCORES, "mine", {"corpus": "mine"})
    commands = [
        Command("evaluate", [f"run={folder}", f"split={split}", "bootstrap=2", "beam_size=2"], kill=seconds)
        for split, seconds in (("test", None), ("validation", kill))
    ]
    ended = starter(*commands)
    scores = json.loads((folder / SCORES).read_text("utf-8"))
    assert scores["mine"] == {"corpus": "mine"}, "no entry is lost"
    for split, process in zip(("test", "validation"), ended, strict=True):
        assert process.code in (0, -9), process.err
        assert split in scores or process.code, "nor a new one"
        for label in ("greedy", "beam"):
            if split in scores:
                lines = list(read_lines(folder / f"hypotheses.{split}.{label}.txt"))
                assert text_hash(lines) == scores[split][label]["hypotheses"]
    return ended


@pytest.mark.ci
def test_two_evaluations_of_a_run_keep_both_entries(starter, world, tmp_path):
    assert [process.code for process in evaluations(starter, world, tmp_path / "run")] == [0, 0]


@pytest.mark.slow
def test_two_evaluations_keep_entries_after_many_kills(starter, world, tmp_path):
    [alone] = [evaluations(starter, world, tmp_path / "run")[0]]
    chance = random.Random(3)
    for number in range(25):
        kill = chance.uniform(0.5, 1.1) * alone.seconds
        evaluations(starter, world, tmp_path / str(number), kill=kill)


def test_entries_written_at_once_are_all_kept(tmp_path):
    """A read-modify-write by one process excludes the others."""
    processes = []
    for number in range(4):
        process = os.fork()
        if process == 0:
            code = 1
            try:
                for entry in range(8):
                    write_scores(tmp_path / SCORES, f"{number}.{entry}", {"corpus": "one of many"})
                code = 0
            finally:
                os._exit(code)
        processes.append(process)
    assert [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in processes] == [0] * 4
    assert len(json.loads((tmp_path / SCORES).read_text("utf-8"))) == 32
