"""Every recipe that writes, started twice with the same output and killed at random: no wrong file with exit code 0."""

import json
import os
import random
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from siblings import sibling

from seq2seq.evaluation import SCORES, write_scores
from seq2seq.provenance import text_hash
from seq2seq.system.atomic import is_temporary
from seq2seq.system.lock import LOCK
from seq2seq.text.lines import read_lines

if not hasattr(os, "fork"):
    pytest.skip("commands are forked", allow_module_level=True)

from starting import Command, Ended, Starter

LINES = [f"{subject} {verb}." for subject in ("The dog", "My key", "She", "A house") for verb in ("sleeps", "works")]
LONGER = ["search.max_length_ratio=3", "search.max_length_offset=50"]
REFUSED = r"in use by (another )?process|is there already|cannot be made|cannot be written"


class World(NamedTuple):
    """What all commands read."""

    runs: list[Path]
    text: Path
    other: Path


Overrides = Callable[[World, int, Path], list[str]]

RECIPES: dict[str, tuple[str, str, Overrides]] = {
    "translate": ("translate", "out.txt", lambda world, one, out: [run(world, one), f"input={world.text}"]),
    "translate, packed": ("translate", "out.gz", lambda world, one, out: [run(world, one), f"input={world.text}"]),
    "document": ("document", "out.txt", lambda world, one, out: [run(world, one), f"input={world.text}"]),
    "score": (
        "score",
        "out.txt",
        lambda world, one, out: [run(world, one), f"source={world.text}", f"target={world.other}"],
    ),
    "backtranslate": (
        "backtranslate",
        "made",
        lambda world, one, out: [run(world, one), f"input={world.text}", *LONGER],
    ),
    "distill": ("distill", "made", lambda world, one, out: [run(world, one), "split=test", *LONGER]),
    "quantize": ("quantize", "made", lambda world, one, out: [run(world, one)]),
    "average": ("average", "made", lambda world, one, out: [run(world, one), f"runs=[{world.runs[2]}]"]),
    "microscope": ("microscope", "made", lambda world, one, out: [run(world, one), "text='The dog sleeps.'"]),
    "compare": (
        "compare",
        "out.json",
        lambda world, one, out: [
            f"systems=[{world.text},{world.other}]" if one else f"systems=[{world.other},{world.text}]",
            f"data.test.source={world.text}",
            f"data.test.target={world.text}",
            "bootstrap=10",
            "randomization=10",
        ],
    ),
}
"""The recipe, the name of its output, and what else one of two commands is started with."""

SAMPLE = ["translate", "translate, packed", "backtranslate", "quantize"]


def run(world: World, one: int) -> str:
    return f"run={world.runs[one]}"


@pytest.fixture(scope="module")
def starter() -> Iterator[Starter]:
    one = Starter()
    yield one
    one.close()


@pytest.fixture(scope="module")
def world(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Three runs that translate otherwise, and two texts."""
    folder = tmp_path_factory.mktemp("world")
    runs = [sibling(tiny_run, folder / f"run{seed}", seed) for seed in range(3)]
    (folder / "text").write_text("".join(f"{line}\n" for line in LINES))
    (folder / "other").write_text("".join(f"{line}\n" for line in LINES[::-1]))
    return World(runs, folder / "text", folder / "other")


def command(world: World, name: str, one: int, out: Path, **times: float) -> Command:
    recipe, output, overrides = RECIPES[name]
    named = f"output=[{out / output}]" if recipe == "compare" else f"output={out / output}"
    return Command(recipe, [*overrides(world, one, out), named], **times)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file, but for what killed processes may leave: lock files, and what has our mark."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    ours = {path for path in files if path.name.endswith(LOCK) or any(map(is_temporary, (path, *path.parents)))}
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files if path not in ours}


def told(ended: Ended) -> str:
    """The one line that a command ends with."""
    assert "Traceback" not in ended.err, ended.err
    [line] = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    return line


def check_round(
    starter: Starter, world: World, name: str, out: Path, references: list[dict[str, bytes]], commands: list[Command]
) -> list[Ended]:
    """Start two, and check what they leave."""
    out.mkdir()
    (out / f"{RECIPES[name][1]}.tmp").write_text("mine")
    ended = starter(*commands)
    left = contents(out)
    assert left.pop(f"{RECIPES[name][1]}.tmp") == b"mine"
    for one in ended:
        assert one.code in (0, 1, -9), one.err
        if one.code == 1:
            assert re.search(REFUSED, told(one)), one.err
    wholes = [reference for reference, one in zip(references, ended, strict=True) if one.code != 1]
    if any(one.code == 0 for one in ended):
        assert left in wholes, "one of them, whole"
    elif name == "microscope":  # writes several files one after the other
        assert any(left.items() <= whole.items() for whole in wholes), "whole files of one of them, or nothing"
    else:
        assert left in (*wholes, {}), "one of them, whole, or nothing"
    return ended


def rounds(starter: Starter, world: World, name: str, folder: Path, kills: int, seed: int) -> None:
    """Two at once, neither killed; then so many times with one of them killed at random."""
    references, chance = [], random.Random(seed)
    for one in (0, 1):
        (folder / f"alone{one}").mkdir()
        [alone] = starter(command(world, name, one, folder / f"alone{one}"))
        assert alone.code == 0, alone.err
        references.append(contents(folder / f"alone{one}"))
    assert references[0] != references[1]
    both = [command(world, name, one, folder / "both") for one in (0, 1)]
    ended = check_round(starter, world, name, folder / "both", references, both)
    assert 0 in [one.code for one in ended]
    for number in range(kills):
        out, killed = folder / str(number), chance.randrange(2)
        commands = [
            command(world, name, one, out, after=chance.choice([0.0, chance.uniform(0, alone.seconds / 2)]))
            for one in (0, 1)
        ]
        commands[killed] = commands[killed]._replace(kill=chance.uniform(0, 1.2 * alone.seconds))
        check_round(starter, world, name, out, references, commands)
        output = out / RECIPES[name][1]
        if output.is_dir():
            shutil.rmtree(output)
        [again] = starter(command(world, name, 0, out))
        assert again.code == 0, again.err
        (out / f"{RECIPES[name][1]}.tmp").unlink()
        assert contents(out) == references[0]
        assert not any(map(is_temporary, out.iterdir())), "what was left behind is removed"


@pytest.mark.parametrize("name", SAMPLE)
def test_two_commands_with_the_same_output(starter, world, tmp_path, name):
    rounds(starter, world, name, tmp_path, kills=1, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_two_commands_with_the_same_output_many_times(starter, world, tmp_path, name):
    rounds(starter, world, name, tmp_path, kills=25, seed=2)


def evaluations(starter: Starter, world: World, folder: Path, kill: float | None = None) -> list[Ended]:
    """Evaluate a run on two splits at once, with other entries in its scores.json."""
    shutil.copytree(world.runs[0], folder)
    write_scores(folder / SCORES, "mine", {"corpus": "mine"})
    commands = [
        Command("evaluate", [f"run={folder}", f"split={split}", "bootstrap=2", "beam_size=2"], kill=seconds)
        for split, seconds in (("test", None), ("validation", kill))
    ]
    ended = starter(*commands)
    scores = json.loads((folder / SCORES).read_text("utf-8"))
    assert scores["mine"] == {"corpus": "mine"}, "no entry is lost"
    for split, one in zip(("test", "validation"), ended, strict=True):
        assert one.code in (0, -9), one.err
        assert split in scores or one.code, "nor one of those just written"
        for label in ("greedy", "beam"):
            if split in scores:
                lines = list(read_lines(folder / f"hypotheses.{split}.{label}.txt"))
                assert text_hash(lines) == scores[split][label]["hypotheses"]
    return ended


def test_two_evaluations_of_a_run_keep_both_entries(starter, world, tmp_path):
    assert [one.code for one in evaluations(starter, world, tmp_path / "run")] == [0, 0]


@pytest.mark.slow
def test_two_evaluations_one_killed_many_times(starter, world, tmp_path):
    [alone] = [evaluations(starter, world, tmp_path / "run")[0]]
    chance = random.Random(3)
    for number in range(25):
        kill = chance.uniform(0.5, 1.1) * alone.seconds
        evaluations(starter, world, tmp_path / str(number), kill=kill)
