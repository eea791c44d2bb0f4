"""Every recipe that writes, started twice with the same output and killed at random: no wrong file with exit code 0.

Two evaluations of one run are no rivals: each adds its own to scores.json.
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
from siblings import sibling

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
    """What all commands read."""

    runs: list[Path]
    text: Path
    other: Path


Overrides = Callable[[World, int, Path], list[str]]
"""Of one of the two commands, beside its output, which goes into the folder."""
Contents = dict[str, object]


def contents(folder: Path) -> Contents:
    """Every file, but for what killed processes may leave: lock files, and what has our mark."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    ours = {path for path in files if path.name.endswith(LOCK) or any(map(is_temporary, (path, *path.parents)))}
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files if path not in ours}


def trained(folder: Path) -> Contents:
    """What a finished run translates with; of one that was killed, nothing: the next command goes on in it."""
    found = contents(folder)
    names = {"out/model.safetensors", "out/tokenizer.model", "out.tmp"}
    done = "out/scores.json" in found
    return {name: data for name, data in found.items() if name in names and (done or name == "out.tmp")}


def settled(folder: Path) -> Contents:
    """Every file; of reports what they are about and found, without paths and times."""
    found = contents(folder)
    for name in [name for name in found if name.endswith(".json")]:
        told = json.loads(found[name])
        told = {key: value for key, value in told.items() if key not in ("seconds", "machine", "arguments")}
        told["settings"] = {key: value for key, value in told.get("settings", {}).items() if key != "output"}
        found[name] = told
    return found


class Recipe(NamedTuple):
    """A recipe that writes."""

    name: str
    output: str
    overrides: Overrides
    found: Callable[[Path], Contents] = contents
    """What of its output is compared."""
    parts: bool = False
    """Whether a killed one may leave some of its files, each whole, but for the last that it writes."""
    setting: str = "output"
    """That names the output; empty where none does."""
    kills: int = 25
    """Of the slow test: fewer where a command takes seconds."""


RECIPES: dict[str, Recipe] = {
    "translate": Recipe("translate", "out.txt", lambda world, one, out: [run(world, one), f"input={world.text}"]),
    "translate, packed": Recipe(
        "translate", "out.gz", lambda world, one, out: [run(world, one), f"input={world.text}"]
    ),
    "document": Recipe("document", "out.txt", lambda world, one, out: [run(world, one), f"input={world.text}"]),
    "score": Recipe(
        "score",
        "out.txt",
        lambda world, one, out: [run(world, one), f"source={world.text}", f"target={world.other}"],
    ),
    "backtranslate": Recipe(
        "backtranslate",
        "made",
        lambda world, one, out: [run(world, one), f"input={world.text}", *LONGER],
    ),
    "distill": Recipe("distill", "made", lambda world, one, out: [run(world, one), "split=test", *LONGER]),
    "quantize": Recipe("quantize", "made", lambda world, one, out: [run(world, one)]),
    "average": Recipe("average", "made", lambda world, one, out: [run(world, one), f"runs=[{world.runs[2]}]"]),
    "microscope": Recipe(
        "microscope", "made", lambda world, one, out: [run(world, one), "text='The dog sleeps.'"], parts=True, kills=4
    ),
    "microscope, corpus": Recipe(
        "microscope",
        "made",
        lambda world, one, out: [run(world, one), "corpus.sentences=4", "corpus.silenced=2"],
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
        lambda world, one, out: [run(world, one), "figures=[exposure,lengths]", "bootstrap=10", "exposure.sentences=4"],
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
        lambda world, one, out: [*texts(out), "fix=true", f"keep=[{'duplicate' if one else ''}]"],
        parts=True,
        setting="",
    ),
    "compare": Recipe(
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

SAMPLE = ["translate", "translate, packed", "backtranslate", "quantize", "doctor"]
QUICK = [
    "measure.warmup=0",
    "measure.repetitions=2",
    "measure.product=32",
    "measure.copy=1",
]


def run(world: World, one: int) -> str:
    return f"run={world.runs[one]}"


def claim(one: int) -> str:
    """A claim that holds, and writes a file."""
    figure = "{name: BLEU, shown: 'BLEU 4', expected: 4, spread: 1, pattern: 'BLEU ([0-9.]+)'}"
    commands = [f"mkdir {{folder}} && echo {one} > {{folder}}/text", f"echo BLEU 4.{one}"]
    return f"{{name: out, text: nothing, command: none, run: {commands}, figures: [{figure}]}}"


def texts(out: Path) -> list[str]:
    """A corpus with a pair that is there twice, in the folder beside which its cleaned copy is written."""
    for name, lines in (("text.en", [*KNOWN]), ("text.de", [*KNOWN.values()])):
        (out / name).write_text("".join(f"{line}\n" for line in [*lines, lines[0]]), "utf-8")
    return [f"data.train.source={out / 'text.en'}", f"data.train.target={out / 'text.de'}"]


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
    recipe, place = RECIPES[name], out if name == "verify" else out / RECIPES[name].output
    named = f"{recipe.setting}=[{place}]" if name == "compare" else f"{recipe.setting}={place}"
    return Command(recipe.name, [*recipe.overrides(world, one, out), *([named] if recipe.setting else [])], **times)


def told(ended: Ended) -> str:
    """The one line that a command ends with."""
    assert "Traceback" not in ended.err, ended.err
    [line] = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    return line


def check_round(
    starter: Starter, name: str, out: Path, references: list[Contents], commands: list[Command]
) -> list[Ended]:
    """Start two, and check what they leave."""
    recipe = RECIPES[name]
    (out / f"{recipe.output}.tmp").write_text("mine")
    ended = starter(*commands)
    left = recipe.found(out)
    assert left.pop(f"{recipe.output}.tmp") == b"mine"
    for one in ended:
        assert one.code in (0, 1, -9), one.err
        if one.code == 1:
            assert re.search(REFUSED, told(one)), one.err
    wholes = [reference for reference, one in zip(references, ended, strict=True) if one.code != 1]
    if any(one.code == 0 for one in ended):
        assert left in wholes, "one of them, whole"
    elif recipe.parts:
        assert any(holds(whole, left) for whole in (*wholes, {})), "whole files of one of them, or nothing"
    else:
        assert left in (*wholes, {}), "one of them, whole, or nothing"
    return ended


def holds(whole: Contents, left: Contents) -> bool:
    """Whether all that is left is there."""
    return all(name in whole and whole[name] == data for name, data in left.items())


def rounds(starter: Starter, world: World, name: str, folder: Path, kills: int, seed: int) -> None:
    """Two at once, neither killed; then so many times with one of them killed at random."""
    references, chance = [], random.Random(seed)
    for one in (0, 1):
        (folder / f"alone{one}").mkdir()
        [alone] = starter(command(world, name, one, folder / f"alone{one}"))
        assert alone.code == 0, alone.err
        references.append(RECIPES[name].found(folder / f"alone{one}"))
    assert references[0] != references[1]
    (folder / "both").mkdir()
    both = [command(world, name, one, folder / "both") for one in (0, 1)]
    ended = check_round(starter, name, folder / "both", references, both)
    assert 0 in [one.code for one in ended]
    for number in range(kills):
        out, killed = folder / str(number), chance.randrange(2)
        out.mkdir()
        commands = [
            command(world, name, one, out, after=chance.choice([0.0, chance.uniform(0, alone.seconds / 2)]))
            for one in (0, 1)
        ]
        commands[killed] = commands[killed]._replace(kill=chance.uniform(0, 1.2 * alone.seconds))
        check_round(starter, name, out, references, commands)
        check_again(starter, world, name, out, references[0])


def check_again(starter: Starter, world: World, name: str, out: Path, reference: Contents) -> None:
    """Start one more, where none of the two has left what is not to be replaced."""
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
    assert recipe.found(out) == reference
    assert not any(map(is_temporary, out.iterdir())), "what was left behind is removed"


@pytest.mark.parametrize("name", SAMPLE)
def test_two_commands_with_the_same_output(starter, world, tmp_path, name):
    rounds(starter, world, name, tmp_path, kills=1, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_two_commands_with_the_same_output_many_times(starter, world, tmp_path, name):
    rounds(starter, world, name, tmp_path, kills=RECIPES[name].kills, seed=2)


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


def test_entries_written_at_once_are_all_kept(tmp_path):
    """One read-modify-write at a time, whoever does it."""
    processes = []
    for number in range(4):
        process = os.fork()
        if process == 0:
            code = 1
            try:
                for entry in range(25):
                    write_scores(tmp_path / SCORES, f"{number}.{entry}", {"corpus": "one of many"})
                code = 0
            finally:
                os._exit(code)
        processes.append(process)
    assert [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in processes] == [0] * 4
    assert len(json.loads((tmp_path / SCORES).read_text("utf-8"))) == 100
