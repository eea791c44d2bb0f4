"""Sweeps of recipes/train.py: names of job folders, resuming, failures, the table."""

import csv
import json
import math
import shlex
import shutil
import signal
import string
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import TINY
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.auto.choice import automatic_settings
from seq2seq.config.sweep_job import folder_name
from seq2seq.config.sweep_table import Job, Status, describe, read_jobs, write_jobs
from seq2seq.errors import DataError, RunError
from seq2seq.run.resume import open_run
from seq2seq.settings import differing
from seq2seq.training.interrupt import Interrupted


@pytest.fixture
def trained(monkeypatch):
    """Replaces training: notes (seed, dropout, folder, resumed) of each job, and raises what `errors` has for it."""
    seen, errors = [], {}

    def train(config):
        folder = Path(config.run)
        config.check()
        seen.append((config.seed, config.model.dropout, folder.name, (folder / "config.yaml").exists()))
        with automatic_settings(config, folder) as complete:
            open_run(folder, complete)
        bleu = 10 * config.seed + config.model.dropout
        records = [{"kind": "validation", "update": update, "loss": 3.0, "bleu": bleu - update} for update in (7, 9)]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
        if (config.seed, config.model.dropout) in errors:
            raise errors[config.seed, config.model.dropout]
        (folder / "model.safetensors").touch()
        return SimpleNamespace(folder=folder, best_score=bleu - 7, corpus=lambda _: None, is_language_model=False)

    monkeypatch.setattr("seq2seq.recipes.train.train", train, raising=False)
    monkeypatch.setattr("seq2seq.api.train", train)
    return SimpleNamespace(seen=seen, errors=errors)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "sweep.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def statuses(folder: Path) -> dict[str, str]:
    return {row["job"]: row["status"] for row in rows(folder)}


def test_the_table_is_sorted_and_finished_jobs_are_skipped(recipe, trained, tmp_path):
    sweep = tmp_path / "sweep"
    outcome = recipe("train", "-m", f"run={sweep}", "seed=1,2", "model.dropout=choice(0.5)")
    assert outcome.code == 0, outcome.err
    names = ["model.dropout=0.5+seed=1", "model.dropout=0.5+seed=2"]
    assert [place[:3] for place in trained.seen] == [(1, 0.5, names[0]), (2, 0.5, names[1])]
    table = outcome.out.rpartition("sweep in ")[2].splitlines()
    assert table[0] == f"{sweep}: 2 finished"
    assert table[1].split() == ["job", "folder", "model.dropout", "seed", "best", "BLEU", "update", "time"]
    assert table[2].split()[:5] == [names[1], "0.5", "2", "13.50", "7"]
    assert table[-2:] == [f"best:  {sweep}/{names[1]}", f"table: {sweep}/sweep.csv"]
    assert [float(row["score"]) for row in rows(sweep)] == [13.5, 3.5]

    trained.seen.clear()
    outcome = recipe("train", "-m", "model.dropout=0.5,0.1", "seed=choice(2)", f"run={sweep}")
    assert outcome.code == 0, outcome.err
    assert [place[:2] for place in trained.seen] == [(2, 0.1)], "named by settings, not by number"
    assert f"{names[1]}: finished before, skipped" in outcome.out
    assert len(rows(sweep)) == 3


def test_each_job_of_a_sweep_has_its_own_run_folder(recipe, tmp_path):
    small = ["training.updates=1", "data.builtin.validation_size=2", "data.builtin.test_size=2"]
    outcome = recipe("train", "-m", f"run={tmp_path / 'sweep'}", *TINY, *small, "model.dropout=0,0.3")
    assert outcome.code == 0, outcome.err
    for value, dropout in (("0", "dropout: 0.0"), ("0.3", "dropout: 0.3")):
        folder = tmp_path / "sweep" / f"model.dropout={value}"
        assert (folder / "scores.json").exists()
        assert dropout in (folder / "config.yaml").read_text()


@pytest.mark.slow
def test_failing_jobs_do_not_end_the_others(recipe, trained, tmp_path):
    trained.errors |= {(1, 0.1): DataError("no pairs"), (2, 0.1): MemoryError("1 TB"), (3, 0.1): KeyError("a bug")}
    command = ["-m", f"run={tmp_path}/s", "model.dropout=0.1"]
    outcome = recipe("train", *command, "seed=1,2,-1,3,4")
    assert outcome.code == 1
    assert [place[0] for place in trained.seen] == [1, 2, 3, 4]
    lines = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 4
    assert lines[0] == f"error: {tmp_path}/s/seed=1: no pairs"
    assert lines[1].startswith(f"error: {tmp_path}/s/seed=2: out of memory (1 TB): lower")
    assert lines[2].startswith(f"error: {tmp_path}/s/seed=-1: seed must be in [0, ")
    assert "Traceback" in outcome.err, "of the bug"
    assert "1 finished, 4 failed" in outcome.out
    assert {row["job"]: row["error"] for row in rows(tmp_path / "s")}["seed=1"] == "no pairs"
    assert rows(tmp_path / "s")[0]["job"] == "seed=4", "the best"

    trained.errors.clear()
    trained.seen.clear()
    outcome = recipe("train", *command, "seed=1,4")
    assert outcome.code == 0, outcome.err
    assert [place[0] for place in trained.seen] == [1]
    assert statuses(tmp_path / "s") == {"seed=1": "finished", "seed=4": "finished"}


INTERRUPTIONS = [Interrupted("stopped at update 9 and saved", signal.SIGTERM), KeyboardInterrupt()]


@pytest.mark.parametrize("error", [*INTERRUPTIONS[:1], pytest.param(INTERRUPTIONS[1], marks=pytest.mark.slow)])
def test_a_stopped_sweep_resumes_with_the_printed_command(recipe, trained, tmp_path, error):
    trained.errors[2, 0.2] = error
    outcome = recipe("train", "-m", f"run={tmp_path}/a sweep", "seed=1,2,3", "model.dropout=0.2")
    assert outcome.code == getattr(error, "exit_code", 130)
    assert statuses(tmp_path / "a sweep") == {"seed=1": "finished", "seed=2": "interrupted"}
    assert "1 finished, 1 interrupted" in outcome.out
    stopped, again = outcome.err.splitlines()
    assert stopped == (str(error) or "stopped")
    program = shlex.split(again.removeprefix("resume with: "))
    trained.errors.clear()
    trained.seen.clear()
    outcome = recipe("train", *program[program.index("-m") :])
    assert outcome.code == 0, outcome.err
    assert [(place[0], place[3]) for place in trained.seen] == [(2, True), (3, False)]
    assert set(statuses(tmp_path / "a sweep").values()) == {"finished"}


REFUSED = {
    "holds a sweep with model.dropout=0.2, this command says model.dropout=0.3": ["seed=1,2", "model.dropout=0.3"],
    "this command says optimizer.": ["seed=1,2", "optimizer=adamw", "model.dropout=0.2"],
    "holds a sweep over seed, this command sweeps over batch.tokens, seed": ["seed=1,2", "batch.tokens=64,128"],
    "model.dropout must be in [0, 1), got 7": ["seed=1,2", "model.dropout=7"],
    "there is no setting nothing": ["seed=1,2", "model.dropout=0.2", "nothing=1"],
}


@pytest.mark.slow
def test_another_sweep_in_the_same_folder_is_refused(recipe, trained, tmp_path):
    sweep = tmp_path / "sweep"
    assert recipe("train", "-m", f"run={sweep}", "seed=1,", "model.dropout=0.2").code == 1
    assert not sweep.exists(), "a mistake leaves nothing"
    assert recipe("train", "-m", f"run={sweep}", "seed=choice(1)", "model.dropout=0.2").code == 0
    before = (sweep / "sweep.csv").read_bytes(), (sweep / "sweep.yaml").read_bytes()
    trained.seen.clear()
    for words, arguments in REFUSED.items():
        outcome = recipe("train", "-m", f"run={sweep}", *arguments)
        assert (outcome.code, outcome.err.count("\n"), trained.seen) == (1, 1, [])
        assert words in outcome.err
    assert ((sweep / "sweep.csv").read_bytes(), (sweep / "sweep.yaml").read_bytes()) == before
    for place, words in ((f"{sweep}/seed=1", "holds a run"), (f"{tmp_path}/a,{tmp_path}/b", "name one")):
        outcome = recipe("train", "-m", f"run={place}", "seed=1,2")
        assert (outcome.code, outcome.err.count("\n"), trained.seen) == (1, 1, [])
        assert words in outcome.err


@pytest.mark.slow
def test_a_mistake_in_a_swept_value_leaves_nothing(recipe, trained, tmp_path):
    outcome = recipe("train", "-m", f"run={tmp_path}/typo", "seed=1,two")
    assert (outcome.code, outcome.err.count("\n")) == (1, 1)
    assert not (tmp_path / "typo").exists()


@pytest.mark.slow
def test_longer_training_resumes_finished_jobs(recipe, trained, tmp_path):
    command = ["train", "-m", f"run={tmp_path}/s", "seed=1,2"]
    assert recipe(*command, "training.updates=2000").code == 0
    assert recipe(*command, "training.updates=3000").code == 0
    assert recipe(*command, "training.updates=3000", "training.threads=1").code == 0
    assert [(place[0], place[3]) for place in trained.seen] == [(1, False), (2, False), (1, True), (2, True)]


@pytest.mark.parametrize("longer", ["training.updates=12", pytest.param("training.patience=9", marks=pytest.mark.slow)])
def test_the_command_line_counts_before_what_the_text_chooses(recipe, trained, tmp_path, longer):
    """Of automatic settings, those that the command sets are compared with the finished job."""
    (tmp_path / "pairs.tsv").write_text("a b\tc d\n" * 20)
    text = [f"data.{split}.file={tmp_path / 'pairs.tsv'}" for split in ("train", "validation")]
    command = ["train", "-m", f"run={tmp_path}/s", "experiment=auto", *text, "seed=choice(1)"]
    first = [*command, "training.updates=6"]
    for arguments in (first, first, [*first, longer]):
        outcome = recipe(*arguments)
        assert outcome.code == 0, outcome.err
    assert [(place[0], place[3]) for place in trained.seen] == [(1, False), (1, True)]


def test_a_job_whose_warmup_is_shortened_is_skipped_when_finished(recipe, trained, tmp_path):
    command = ["train", "-m", f"run={tmp_path}/s", "experiment=multi30k_quick", "training.updates=50", "seed=choice(1)"]
    assert [recipe(*command).code for _ in range(2)] == [0, 0]
    assert len(trained.seen) == 1, "the preset's warm-up of 100 updates was shortened"


@pytest.mark.slow
def test_groups_and_text_can_be_swept(recipe, trained, tmp_path):
    outcome = recipe("train", "-m", f"run={tmp_path}/s", "model=context,attention", "data.source_tag=<2de>,a b")
    assert outcome.code == 0, outcome.err
    assert {(row["model"], row["data.source_tag"]) for row in rows(tmp_path / "s")} == {
        (model, tag) for model in ("context", "attention") for tag in ("<2de>", "a b")
    }
    assert len({place[2] for place in trained.seen}) == 4


@pytest.mark.filterwarnings("ignore")  # Optuna 2 is old
def test_optuna_makes_the_same_trials_again_and_goes_on_after_a_failure(recipe, trained, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    optuna = ["hydra/sweeper=optuna", "hydra.sweeper.direction=maximize", "hydra.sweeper.n_jobs=1"]
    command = ["-m", f"run={tmp_path}/s", *optuna, "seed=range(1,9)", "model.dropout=interval(0.5,1.5)"]
    outcome = recipe("train", *command, "hydra.sweeper.n_trials=4")
    assert outcome.code == 1, outcome.err
    assert {*statuses(tmp_path / "s").values()} == {"finished", "failed"}
    first, best = list(trained.seen), rows(tmp_path / "s")[0]
    assert f"best_value: {best['score']}" in (tmp_path / "s" / "optimization_results.yaml").read_text()
    outcome = recipe("train", *command, "hydra.sweeper.n_trials=5")
    assert trained.seen[: len(first)] == first
    assert outcome.out.count("finished before, skipped") == len(first)
    assert len(rows(tmp_path / "s")) == 5


def documented() -> list[list[str]]:
    """The sweeps in the documents, as arguments of recipes/train.py."""
    page = (Path(__file__).parents[2] / "recipes" / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in page.splitlines() if line.startswith("    python recipes/train.py -m ")]
    return [shlex.split(line)[2:] for line in lines]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("number", [0, *(pytest.param(number, marks=pytest.mark.slow) for number in range(1, 5))])
@pytest.mark.slow
def test_documented_sweeps_run(recipe, trained, tmp_path, monkeypatch, number):
    """With the basic launcher, because training is replaced in this process only; other launchers are composed."""
    monkeypatch.chdir(tmp_path)
    assert len(documented()) == 5
    command = documented()[number]
    launcher = [argument for argument in command if argument.startswith(("hydra/launcher", "hydra.launcher"))]
    for plugin in ("joblib_launcher", "submitit_launcher", "optuna_sweeper"):
        if any(plugin.split("_")[0] in argument for argument in command):
            pytest.importorskip(f"hydra_plugins.hydra_{plugin}")
    outcome = recipe("train", *(argument for argument in command if argument not in launcher))
    assert outcome.code == 0, outcome.err
    assert len(trained.seen) == {0: 6, 4: 30}.get(number, 3)
    outcome = recipe("train", *launcher, "--cfg", "hydra", "-p", "hydra.launcher")
    assert outcome.code == 0, outcome.err


LAUNCHERS = {
    "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
    "submitit": ["hydra/launcher=submitit_local", "hydra.launcher.timeout_min=10"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LAUNCHERS)
def test_launchers_resume_and_report_the_same(tmp_path, name):
    pytest.importorskip(f"hydra_plugins.hydra_{name}_launcher")
    program = [sys.executable, str(Path(__file__).parents[2] / "recipes" / "train.py"), "-m", f"run={tmp_path}/s"]

    def sweep(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*program, *TINY, *LAUNCHERS[name], *arguments], capture_output=True, text=True, encoding="utf-8"
        )

    outcome = sweep("seed=1,2", "model.dropout=0.1,2")
    assert outcome.returncode == 1, outcome.stderr
    assert sorted(statuses(tmp_path / "s").values()) == ["failed", "failed", "finished", "finished"]
    assert "2 finished, 2 failed" in outcome.stdout
    scores = {row["job"]: row["score"] for row in rows(tmp_path / "s")}
    weights = {path: path.stat().st_mtime_ns for path in (tmp_path / "s").glob("*/model.safetensors")}
    outcome = sweep("seed=1,2,3", "model.dropout=choice(0.1)")
    assert outcome.returncode == 0, outcome.stderr
    assert {path: path.stat().st_mtime_ns for path in weights} == weights
    assert {row["job"]: row["score"] for row in rows(tmp_path / "s")}.items() >= {
        (job, score) for job, score in scores.items() if score
    }
    assert len(rows(tmp_path / "s")) == 3


def test_a_damaged_table_is_named(tmp_path):
    assert read_jobs(tmp_path) == []
    (tmp_path / "sweep.csv").write_text("job,status\nseed=1,lost\n")
    with pytest.raises(RunError, match=r"sweep\.csv is damaged .*: delete it"):
        read_jobs(tmp_path)


def test_a_loss_is_shown_as_such_and_the_lowest_is_the_best():
    one = Job("seed=1", {"seed": "1"}, Status.finished, criterion="loss", score=-2.5, update=1000, seconds=3723.4)
    two = replace(one, folder="seed=2", settings={"seed": "2"}, score=-2.25)
    text = describe(Path("runs/s"), sorted([one, two, replace(one, score=math.nan)], key=lambda job: job.rank))
    assert "best loss" in text
    assert [line.split()[2:5] for line in text.splitlines()[2:4]] == [
        ["2.2500", "1,000", "1:02:03"],
        ["2.5000", "1,000", "1:02:03"],
    ]


NAMES = st.text(string.ascii_lowercase + "._", min_size=1, max_size=9).map(lambda name: f"x.{name}")
SETTINGS = st.dictionaries(NAMES, st.text(max_size=80), max_size=4)


@given(SETTINGS, SETTINGS)
def test_other_settings_have_another_folder(one, two):
    first, second = folder_name(one), folder_name(two)
    assert (first == second) == (list(one.items()) == list(two.items()))
    for name in (first, second):
        assert 0 < len(name.encode()) <= 255
        assert Path(name).name == name
        assert name[-1] not in ". "


@given(st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9), st.floats() | st.just(math.nan)), max_size=4))
def test_the_table_keeps_every_job(tmp_path_factory, jobs):
    folder = tmp_path_factory.mktemp("sweep")
    written = [
        Job(str(number), {"a": a, "b,\n": error}, Status.failed, error, "chrf", score, None, 1.5)
        for number, (a, error, score) in enumerate(jobs)
        if (a + error).isprintable()
    ]
    write_jobs(folder, written)
    assert {job.folder: str(job) for job in read_jobs(folder)} == {job.folder: str(job) for job in written}


def test_settings_that_differ():
    one = {"run": "a", "seed": 1, "model.size": 2, "model.dropout": 0.0, "old": 1, "data.more": []}
    two = {"run": "b", "seed": 1, "model.size": 4, "model.dropout": 0, "new": 1, "data.more": [{"weight": 2.0}]}
    assert differing([one, two], ["run"]) == {"model.size": [2, 4], "data.more": [[], [{"weight": 2.0}]]}
    assert differing([one, two, one], ["run", "model.", "data.more"]) == {}
    assert differing([one, two], [""]) == differing([one]) == differing([]) == {}


@pytest.mark.slow
def test_seeds_trained_on_one_split_file_are_skipped_when_finished_and_compared(recipe, tmp_path):
    """Each run folder keeps the three sets of the file; they are the same text."""
    words = ["red", "green", "blue", "white", "black", "grey", "pink", "brown"]
    pairs = [f"{a} {b} {c}\t{c} {b} {a}\n" for a in words for b in words for c in words if len({a, b, c}) == 3]
    (tmp_path / "pairs.tsv").write_text("".join(pairs))
    command = ["train", "-m", f"run={tmp_path}/sweep", "seed=1,2", f"data.file={tmp_path}/pairs.tsv", *TINY]
    outcome = recipe(*command, "tokenizer=word", "tokenizer.size=30", "schedule=constant")
    assert outcome.code == 0, outcome.err
    before = rows(tmp_path / "sweep")
    outcome = recipe(*command, "tokenizer=word", "tokenizer.size=30", "schedule=constant")
    assert outcome.out.count("finished before, skipped") == 2
    assert rows(tmp_path / "sweep") == before
    shutil.copy(tmp_path / "sweep" / "seed=1" / "hypotheses.test.greedy.txt", tmp_path / "other")
    seeds = f"systems=[{tmp_path}/other,{tmp_path}/sweep/seed*]"
    outcome = recipe("compare", seeds, "translations=greedy", "bootstrap=20", "randomization=20")
    assert outcome.code == 0, outcome.err
