"""Consoles that are not UTF-8: nothing printed ends a run."""

import json
import os
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


def run(console: str, recipe: str, *arguments: str, text: str = "") -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        [sys.executable, str(ROOT / "recipes" / f"{recipe}.py"), *arguments],
        env={**{name: value for name, value in os.environ.items() if name not in VARIABLES}, **CONSOLES[console]},
        input=text.encode(),
        capture_output=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    return done


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Text of characters that the consoles do not have, as training, validation and test set."""
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{sentence}\t{sentence}\n" for sentence in SENTENCES), "utf-8")
    return [f"data.{split}.file={path}" for split in ("train", "validation", "test")]


@pytest.mark.parametrize("console", CONSOLES)
def test_training_and_its_examples_end_well(console, tmp_path, files):
    done = run(console, "train", f"run={tmp_path / 'run'}", *files, *TINY)
    assert rb"\u4e2d\u6587" in done.stdout, "what the console lacks is escaped"
    assert b"next: " in done.stdout
    hypotheses = (tmp_path / "run" / "hypotheses.test.greedy.txt").read_text("utf-8")
    assert hypotheses.count("\n") == len(SENTENCES)


@pytest.mark.slow
@pytest.mark.parametrize("console", CONSOLES)
def test_the_laboratory_ends_well(console, tmp_path, tiny_run):
    (tmp_path / "in.txt").write_text("\n".join(SENTENCES[:3]) + "\n", "utf-8")
    figure = ["figures=[contexts]", f"contexts.input={tmp_path / 'in.txt'}", f"output={tmp_path / 'out'}"]
    assert run(console, "laboratory", f"run={tiny_run}", *figure).stdout
    assert "中文" in (tmp_path / "out" / "contexts.json").read_text("utf-8")


@pytest.mark.parametrize("console", CONSOLES)
def test_files_and_results_are_utf8_whatever_the_console_is(console, tmp_path, tiny_run, files):
    assert "中文" in run(console, "doctor", files[0]).stdout.decode("utf-8")
    translated = run(console, "translate", f"run={tiny_run}", "json=true", text="She reads “中文”.\n")
    assert json.loads(translated.stdout.decode("utf-8"))["source"] == "She reads “中文”."


@pytest.mark.parametrize("recipe", ["train", "doctor", "translate"])
def test_help_is_printed_on_every_console(recipe):
    for console in CONSOLES:
        assert recipe.encode() in run(console, recipe, "--help").stdout
