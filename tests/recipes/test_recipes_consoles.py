"""Consoles that are not UTF-8: nothing printed ends a run."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TINY

ROOT = Path(__file__).parents[2]
CONSOLES = {
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "POSIX": {"LC_ALL": "POSIX", "PYTHONUTF8": "0"},
}
SENTENCES = ["She reads “中文”.", "İstanbul → Łódź", "We work.", "Where is my key?"] * 5
VARIABLES = {"PYTHONIOENCODING", "LC_ALL", "PYTHONUTF8"}


PROGRAM = """
import importlib, json, sys

for recipe, arguments in json.loads(sys.argv[1]):
    sys.argv = [f"{recipe}.py", *arguments]
    print(f"# {recipe}", flush=True)
    importlib.import_module(f"seq2seq.recipes.{recipe}").main()
"""


def run(console: str, *commands: tuple[str, list[str]], text: str = "") -> list[bytes]:
    """Run recipes one after the other in one process, and return what each prints."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(commands)],
        env={**{name: value for name, value in os.environ.items() if name not in VARIABLES}, **CONSOLES[console]},
        input=text.encode(),
        capture_output=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    return re.split(rb"^# .*$", done.stdout, flags=re.MULTILINE)[1:]


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Text of characters that the consoles do not have, as training, validation and test set."""
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{sentence}\t{sentence}\n" for sentence in SENTENCES), "utf-8")
    return [f"data.{split}.file={path}" for split in ("train", "validation", "test")]


@pytest.mark.slow
@pytest.mark.parametrize("console", CONSOLES)
def test_help_training_and_results_end_well(console, tmp_path, files):
    """What the console lacks is escaped; files and results are UTF-8 whatever the console is."""
    training = [f"run={tmp_path / 'run'}", *files, *TINY, "training.updates=2", "training.validate_every=2"]
    shown, trained, found, translated = run(
        console,
        ("train", ["--help"]),
        ("train", training),
        ("doctor", files[:1]),
        ("translate", [f"run={tmp_path / 'run'}", "json=true"]),
        text="She reads “中文”.\n",
    )
    assert b"train.py" in shown
    assert rb"\u4e2d\u6587" in trained
    assert b"next: " in trained
    hypotheses = (tmp_path / "run" / "hypotheses.test.greedy.txt").read_text("utf-8")
    assert hypotheses.count("\n") == len(SENTENCES)
    assert "中文" in found.decode("utf-8")
    assert json.loads(translated.decode("utf-8"))["source"] == "She reads “中文”."


@pytest.mark.slow
@pytest.mark.parametrize("console", CONSOLES)
def test_the_laboratory_ends_well(console, tmp_path, tiny_run):
    (tmp_path / "in.txt").write_text("\n".join(SENTENCES[:3]) + "\n", "utf-8")
    figure = ["figures=[contexts]", f"contexts.input={tmp_path / 'in.txt'}", f"output={tmp_path / 'out'}"]
    [printed] = run(console, ("laboratory", [f"run={tiny_run}", *figure]))
    assert printed.strip()
    assert "中文" in (tmp_path / "out" / "contexts.json").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["doctor", "translate"])
def test_help_is_printed_on_every_console(recipe):
    for console in CONSOLES:
        [printed] = run(console, (recipe, ["--help"]))
        assert recipe.encode() in printed
