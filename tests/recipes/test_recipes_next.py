"""Every command that a recipe prints is run as printed, by a shell."""

import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import TINY, without_data

ROOT = Path(__file__).parents[2]
SHORT = [*without_data(TINY), "training.updates=2", "training.validate_every=2"]


@pytest.fixture
def own(learned_run, tmp_path, monkeypatch) -> Path:
    """A copy of a run in a folder whose name has a space, with the recipes as the working directory."""
    shutil.copytree(learned_run, tmp_path / "my runs" / "run")
    monkeypatch.chdir(ROOT / "recipes")
    return tmp_path / "my runs" / "run"


def run_next(out: str, *more: str) -> str:
    """Run the last command that a recipe printed, and return what it prints."""
    line = next(line for line in reversed(out.splitlines()) if line.startswith("next"))
    words = line.partition(": ")[2].strip()
    done = subprocess.run(["bash", "-c", " ".join([words, *more])], capture_output=True, encoding="utf-8")
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


@pytest.mark.ci
def test_after_training_a_sentence_of_the_test_set_is_translated(recipe, own, tmp_path):
    outcome = recipe("train", f"run='{tmp_path}/a run/tiny'", *TINY, "training.updates=2", "training.validate_every=2")
    assert outcome.code == 0, outcome.err
    assert "Where is my key?" not in outcome.out.splitlines()[-1]
    assert run_next(outcome.out).count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize(("recipe_name", "unit"), [("average", "BLEU"), ("quantize", "BLEU")])
def test_a_new_model_folder_is_evaluated(recipe, own, recipe_name, unit):
    others = [f"runs=['{own}']"] if recipe_name == "average" else []
    outcome = recipe(recipe_name, f"run='{own}'", *others)
    assert outcome.code == 0, outcome.err
    assert unit in run_next(outcome.out)


@pytest.mark.slow
def test_a_student_of_own_files_is_validated_as_its_teacher(recipe, own, tmp_path):
    for language, line in (("en", "We work."), ("de", "Wir arbeiten.")):
        (tmp_path / f"mine.{language}").write_text(f"{line}\n" * 20, "utf-8")
    files = [f"data.train.source={tmp_path}/mine.en", f"data.train.target={tmp_path}/mine.de"]
    outcome = recipe("distill", f"run='{own}'", *files, "search.max_length_ratio=3")
    assert outcome.code == 0, outcome.err
    printed = run_next(outcome.out, *SHORT)
    assert "kept 20 of 20 pairs" in printed
    assert "next: " in printed


@pytest.mark.slow
def test_after_back_translation_the_forward_run_trains_on_it(recipe, own, tmp_path):
    (tmp_path / "mono.txt").write_text("We work.\nShe works.\n", "utf-8")
    outcome = recipe("backtranslate", f"run='{own}'", f"input={tmp_path}/mono.txt")
    assert outcome.code == 0, outcome.err
    assert "next: " in run_next(outcome.out, *TINY, f"run={tmp_path}/forward")
