"""Recipes under torchrun: their files, output, errors and resuming."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest import TINY
from together import call_recipe, results, together

ROOT = Path(__file__).parents[2]
LINES = ["We work.", "", "Where is my key?", "She sleeps.", "  ", "The man works in the house."] * 5


def weights(run: Path) -> dict[str, torch.Tensor]:
    state = torch.load(run / "checkpoints/last.pt", weights_only=True)
    return state["network"]


def close(one: Path, other: Path) -> bool:
    first, second = weights(one), weights(other)
    return all(torch.allclose(first[name], second[name], rtol=0, atol=1e-5) for name in first)


def files(run: Path) -> set[Path]:
    return {path.relative_to(run) for path in run.rglob("*") if "tfevents" not in path.name}


def call(name: str, *overrides: str) -> float | None:
    """Return the result of a recipe; training returns the best validation score."""
    return call_recipe(name, *overrides)


@pytest.mark.ci
def test_two_processes_give_the_run_of_one(recipe, tmp_path):
    options = [*TINY, "training.precision=float32", "training.updates=6", "training.validate_every=3"]
    options += ["training.samples=3"]
    alone, both = tmp_path / "alone", tmp_path / "both"
    assert recipe("train", f"run={alone}", *options, "training.accumulate=2").code == 0
    first, second = together(tmp_path / "out", call, "train", f"run={both}", *options, joins=False)
    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert close(both, alone)
    assert files(both) == files(alone)
    assert ", 2 processes, " in first.out
    assert "BLEU" in first.out
    assert (second.out, second.err) == ("", ""), "only the first process prints"
    log = (both / "run.log").read_text("utf-8")
    assert log.count("command: ") == 1
    assert log.count("    source ") == 6, "only the first process writes"

    # Both processes translated the test set; one process gets the same scores.
    before = json.loads((both / "scores.json").read_text())
    assert recipe("evaluate", f"run={both}", "beam_size=2").code == 0
    assert json.loads((both / "scores.json").read_text()) == before

    (tmp_path / "in.txt").write_text("\n".join(LINES) + "\n")
    overrides = [f"run={both}", f"input={tmp_path / 'in.txt'}", "json=true", "n_best=2"]
    assert recipe("translate", *overrides, f"output={tmp_path / 'alone.jsonl'}").code == 0
    results(together(tmp_path / "out", call, "translate", *overrides, f"output={tmp_path / 'both.jsonl'}", joins=False))
    assert (tmp_path / "both.jsonl").read_bytes() == (tmp_path / "alone.jsonl").read_bytes()
    assert len((tmp_path / "both.jsonl").read_text().splitlines()) == len(LINES)


@pytest.mark.ci
def test_a_users_error_is_reported_once_and_leaves_no_files(tmp_path):
    options = [f"run={tmp_path / 'run'}", *TINY, "data.train.source=nowhere.en", "data.train.target=nowhere.de"]
    first, second = together(tmp_path / "out", call, "train", *options, joins=False)
    assert (first.code, second.code) == (1, 1)
    assert first.err.count("\n") == 1
    assert "nowhere.en" in first.err
    assert not (tmp_path / "run").exists()


TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


@pytest.mark.slow
def test_with_all_settings_two_processes_equal_one_with_accumulation(tmp_path):
    """Under torchrun, with all random numbers: dropout, subword sampling, scheduled sampling, risk; and an average."""
    options = [
        *TINY, "model=attention", "training.precision=float32", "training.device=cpu", "model.recurrent_dropout=0.1",
        "model.word_dropout=0.1", "training.ema=0.9", "loss.consistency=1", "scheduled_sampling.rate=0.3",
        "risk.weight=0.3", "risk.samples=2", "tokenizer=bpe", "tokenizer.sampling=0.1",
    ]  # fmt: skip
    alone, both, fewer = tmp_path / "alone", tmp_path / "both", tmp_path / "fewer"
    program = str(ROOT / "recipes/train.py")
    for starter, run, accumulate in (([sys.executable], alone, 2), (TORCHRUN, both, 1), (TORCHRUN, fewer, 1)):
        shorter = ["training.updates=10", "schedule=constant"] if run is fewer else ["schedule=constant"]
        command = [*starter, program, f"run={run}", *options, f"training.accumulate={accumulate}", *shorter]
        subprocess.run(command, check=True, capture_output=True, env=ENVIRONMENT, cwd=ROOT)
    assert close(alone, both)
    before = json.loads((both / "scores.json").read_text())
    command = [*TORCHRUN, str(ROOT / "recipes/evaluate.py"), f"run={both}", "beam_size=2"]
    subprocess.run(command, check=True, capture_output=True, env=ENVIRONMENT, cwd=ROOT)
    assert json.loads((both / "scores.json").read_text()) == before
    # The schedule of scheduled sampling depends on the number of updates.
    assert not close(alone, fewer)


@pytest.mark.slow
def test_with_self_distillation_two_processes_equal_one_with_accumulation(tmp_path):
    """Each process predicts with the average of its own copy of the weights, which are equal."""
    options = [*TINY, "training.precision=float32", "training.device=cpu", "training.ema=0.9"]
    for starter, run, accumulate in (([sys.executable], "alone", 2), (TORCHRUN, "both", 1)):
        command = [*starter, str(ROOT / "recipes/train.py"), f"run={tmp_path / run}", *options]
        command += ["training.self_distillation=1", f"training.accumulate={accumulate}", "schedule=constant"]
        subprocess.run(command, check=True, capture_output=True, env=ENVIRONMENT, cwd=ROOT)
    assert close(tmp_path / "alone", tmp_path / "both")


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_process_ends_the_run_which_resumes_with_another_number(tmp_path, killed):
    options = [*TINY, "training.updates=200", "training.validate_every=50", "training.precision=float32"]
    run, program = tmp_path / "run", str(ROOT / "recipes/train.py")
    started = subprocess.Popen(
        [*TORCHRUN, program, f"run={run}", *options], stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, cwd=ROOT
    )
    while started.poll() is None and not (run / "checkpoints/last.pt").exists():
        time.sleep(0.05)
    os.kill(worker(started.pid, killed), signal.SIGKILL)
    _, err = started.communicate(timeout=60)
    assert started.returncode == 1
    assert "another process has ended too early" in err
    command = [sys.executable, program, f"run={run}", *options, "training.accumulate=2"]
    subprocess.run(command, check=True, capture_output=True, env=ENVIRONMENT, cwd=ROOT)
    whole = tmp_path / "whole"
    subprocess.run([*command, f"run={whole}"], check=True, capture_output=True, env=ENVIRONMENT, cwd=ROOT)
    assert close(run, whole)


def worker(launcher: int, rank: int) -> int:
    """Return the process with this rank."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            own = (path / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if parent == launcher and f"RANK={rank}".encode() in own:
            return int(path.name)
    raise AssertionError(f"torchrun has no process {rank}")
