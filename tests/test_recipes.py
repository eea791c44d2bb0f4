"""The recipes as a user runs them: their files, their output, and resuming."""

import gzip
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest import TINY
from disk import full_disk

from seq2seq import Translator
from seq2seq.benchmark.translation import Fresh
from seq2seq.errors import install_hint
from seq2seq.system.capability import runs_int8

ROOT = Path(__file__).parents[1]
INT8 = "int8" if runs_int8(torch.device("cpu")) else "auto"
SOURCES = ["We work.", "Where is my key?", "She sleeps.", "The man works."] * 5
TARGETS = ["Wir arbeiten.", "Wo ist mein Schlüssel?", "Sie schläft.", "Der Mann arbeitet."] * 5


@pytest.fixture
def own_files(tmp_path: Path) -> list[str]:
    """Write text files for all three splits, and return their overrides."""
    for split in ("train", "validation", "test"):
        (tmp_path / f"{split}.en").write_text("\n".join(SOURCES) + "\n", encoding="utf-8")
        (tmp_path / f"{split}.de").write_text("\n".join(TARGETS) + "\n", encoding="utf-8")
    return [
        f"data.{split}.{side}={tmp_path / split}.{language}"
        for split in ("train", "validation", "test")
        for side, language in (("source", "en"), ("target", "de"))
    ]


def test_a_run_writes_the_documented_files(tiny_run):
    for name in (
        "config.yaml",
        "tokenizer.model",
        "model.safetensors",
        "metrics.jsonl",
        "run.log",
        "learning_curve.png",
        "shortlist.safetensors",
    ):
        assert (tiny_run / name).stat().st_size > 0
    scores = json.loads((tiny_run / "scores.json").read_text())["test"]
    for search in ("greedy", "beam"):
        for metric in ("bleu", "chrf", "ter"):
            low, high = scores[search][metric]["ci95"]
            assert low <= high
            assert "version:" in scores[search][metric]["signature"]
    kinds = [json.loads(line)["kind"] for line in (tiny_run / "metrics.jsonl").read_text().splitlines()]
    assert kinds.count("validation") == 2
    assert kinds.count("train") == 4
    assert not list(tiny_run.rglob("*.tmp"))


def test_the_run_log_has_all_that_was_printed_with_times(tiny_run):
    text = (tiny_run / "run.log").read_text("utf-8")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text), "no control codes of a progress bar"
    lines = [re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ?", "", line) for line in text.splitlines()]
    assert lines[0].startswith("command: ")
    assert sum("loss=" in line and "tokens/s=" in line for line in lines) == 4, "a line for each record"
    assert sum(" left" in line for line in lines) == 3, "the last update has none"
    assert sum(line.startswith("update     20  validation loss") for line in lines) == 1
    first, second = (lines.index(line) for line in lines if line.startswith("update") and "validation loss" in line)
    samples = [[line.split()[0] for line in lines[place + 1 : place + 10]] for place in (first, second)]
    assert samples == [["source", "reference", "model"] * 3] * 2
    assert lines[first + 1 : first + 10 : 3] == lines[second + 1 : second + 10 : 3], "the same sentences each time"
    assert any(line.startswith("  BLEU ") for line in lines), "the scores of the test set"
    assert lines[-2:] == [f"run folder: {tiny_run}", lines[-1]]
    assert lines[-1].startswith("next:  ")


def test_a_logger_without_its_package_is_refused_before_anything_is_read(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr("seq2seq.training.loggers.find_spec", lambda name: None)
    outcome = recipe("train", f"run={tmp_path / 'run'}", "logger=wandb", "data.train.file=nowhere.tsv", *TINY)
    assert outcome.code == 1
    assert outcome.err == f"error: logger=wandb needs wandb: {install_hint('wandb')}, or choose another logger\n"
    assert not (tmp_path / "run").exists()


def test_own_files_need_overrides_only(recipe, tmp_path, own_files):
    run = f"run={tmp_path / 'run'}"
    outcome = recipe("train", run, *own_files, *TINY)
    assert outcome.code == 0, outcome.err
    assert "kept 20 of 20 pairs" in outcome.out
    assert "BLEU" in outcome.out
    assert f"translate.py {run}" in outcome.out
    # The same command on the finished run changes nothing.
    before = (tmp_path / "run" / "model.safetensors").read_bytes()
    assert recipe("train", run, *own_files, *TINY).code == 0
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == before
    log = (tmp_path / "run" / "run.log").read_text("utf-8")
    assert log.count("  command: ") == log.count("run folder: ") == 2, "a later start appends"
    # Other settings are refused in the same folder.
    outcome = recipe("train", run, *own_files, *TINY, "model.dropout=0.5")
    assert outcome.code == 1
    assert "model.dropout=0.2" in outcome.err, "that of model=attention, which own text takes"
    assert "model.dropout=0.5" in outcome.err
    assert (tmp_path / "run" / "run.log").read_text("utf-8") == log


@pytest.mark.parametrize(
    "form", ["jsonl", *(pytest.param(form, marks=pytest.mark.slow) for form in ("tsv.gz", "parquet"))]
)
def test_other_forms_of_corpus(recipe, tmp_path, form):
    import pyarrow as pa
    import pyarrow.parquet

    path = tmp_path / f"pairs.{form}"
    rows = list(zip(SOURCES, TARGETS, strict=True))
    if form == "tsv.gz":
        path.write_bytes(gzip.compress("".join(f"{source}\t{target}\n" for source, target in rows).encode()))
    elif form == "jsonl":
        lines = (json.dumps({"translation": {"en": source, "de": target}}) for source, target in rows)
        path.write_text("\n".join(lines))
    else:
        pyarrow.parquet.write_table(pa.table({"en": SOURCES, "de": TARGETS}), path)
    named = [f"data.{split}.file={path}" for split in ("train", "validation")]
    outcome = recipe("train", f"run={tmp_path / 'run'}", *named, *TINY, "training.updates=1")
    assert outcome.code == 0, outcome.err
    assert not (tmp_path / "run" / "scores.json").exists(), "no test set was named"


def test_files_of_different_length_are_one_line_and_nothing_is_trained(recipe, tmp_path, own_files):
    with (tmp_path / "train.de").open("a", encoding="utf-8") as file:
        file.write("Eine Zeile zu viel.\n")
    outcome = recipe("train", f"run={tmp_path / 'run'}", *own_files, *TINY)
    assert outcome.code == 1
    assert outcome.err.count("error: ") == 1
    assert "20" in outcome.err
    assert "21" in outcome.err


def test_evaluate_writes_scores_for_own_files(recipe, tiny_run, tmp_path, own_files):
    run = tmp_path / "copy"
    run.mkdir()
    for name in ("config.yaml", "tokenizer.model", "model.safetensors"):
        (run / name).write_bytes((tiny_run / name).read_bytes())
    outcome = recipe("evaluate", f"run={run}", "beam_size=2", *own_files[4:])
    assert outcome.code == 0, outcome.err
    assert "20 sentences" in outcome.out
    scores = json.loads((run / "scores.json").read_text())["test"]
    assert str(tmp_path / "test.en") in scores["corpus"]
    assert scores["beam"]["beam_size"] == 2


def test_evaluate_finds_the_home_folder(recipe, tiny_run, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copytree(tiny_run, tmp_path / "copy")
    outcome = recipe("evaluate", "run='~/copy'", "beam_size=1")
    assert outcome.code == 0, outcome.err
    written = tmp_path / "copy" / "hypotheses.test.greedy.txt"
    assert recipe("evaluate", f"hypotheses='~/{written.relative_to(tmp_path)}'", "run='~/copy'").code == 0


def test_training_writes_a_model_card_with_its_scores(tiny_run):
    card = (tiny_run / "README.md").read_text("utf-8")
    scores = json.loads((tiny_run / "scores.json").read_text())["test"]
    assert "| train | built-in synthetic English–German corpus, 300 pairs | 300 |" in card
    assert f"value: {round(scores['beam']['bleu']['score'], 2)}\n" in card
    assert f"signature: {scores['beam']['chrf']['signature']}\n" in card


def test_evaluate_uses_the_corpus_of_the_run(recipe, tiny_run):
    before = json.loads((tiny_run / "scores.json").read_text())["test"]
    assert recipe("evaluate", f"run={tiny_run}").code == 0  # the run's own beam, 2
    assert json.loads((tiny_run / "scores.json").read_text())["test"] == before


def test_evaluate_scores_existing_translations(recipe, tmp_path, own_files):
    outcome = recipe("evaluate", f"hypotheses={tmp_path / 'test.de'}", *own_files[4:])
    assert outcome.code == 0, outcome.err
    assert "BLEU  100.0" in outcome.out
    (tmp_path / "short.de").write_text("Wir arbeiten.\n")
    outcome = recipe("evaluate", f"hypotheses={tmp_path / 'short.de'}", *own_files[4:])
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1


def test_evaluate_without_model_or_text_names_the_missing_settings(recipe):
    outcome = recipe("evaluate")
    assert outcome.code == 1
    assert "run=PATH" in outcome.err


TEXT = "We work.\n\n  \nWhere is my key?\r\na\u2028b\x0bc\x0cd\re"


def test_translate_writes_one_line_per_line(recipe, tiny_run, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    outcome = recipe("translate", f"run={tiny_run}", "beam_size=1")
    assert outcome.code == 0, outcome.err
    lines = outcome.out.split("\n")
    assert len(lines) == 6
    assert lines[1] == lines[2] == lines[5] == ""
    assert lines[0] == str(Translator.load(tiny_run).translate("We work.", beam_size=1))


def test_translate_writes_files_atomically(recipe, tiny_run, tmp_path):
    source, target = tmp_path / "in.gz", tmp_path / "out.txt"
    source.write_bytes(gzip.compress(TEXT.encode()))
    assert recipe("translate", f"run={tiny_run}", f"input={source}", f"output={target}", "beam_size=1").code == 0
    assert target.read_text(encoding="utf-8").count("\n") == 5
    before = target.read_bytes()
    source.write_bytes(gzip.compress(b"We work.\nnot \xff UTF-8\n"))
    outcome = recipe("translate", f"run={tiny_run}", f"input={source}", f"output={target}", "beam_size=1")
    assert outcome.code == 1
    assert "line 2" in outcome.err
    assert target.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.gz", "out.txt"]


def test_translate_shows_progress_on_a_terminal_unless_it_prints_translations_there(
    recipe, learned_run, tmp_path, monkeypatch
):
    (tmp_path / "in.txt").write_text("We work.\nShe sleeps.\n")
    overrides = [f"run={learned_run}", f"input={tmp_path / 'in.txt'}", "beam_size=1"]
    quiet = recipe("translate", *overrides)
    assert quiet.err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    outcome = recipe("translate", *overrides)
    assert "2/2" in outcome.err
    assert outcome.out == quiet.out, "the bar goes to stderr"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert recipe("translate", *overrides).err == ""
    assert "2/2" in recipe("translate", *overrides, f"output={tmp_path / 'out.txt'}").err


def test_translate_as_json_lines(recipe, tiny_run, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    outcome = recipe("translate", f"run={tiny_run}", "json=true", "n_best=2", "beam_size=2")
    records = [json.loads(line) for line in outcome.out.split("\n")[:-1]]
    assert [record["source"] for record in records] == [
        "We work.",
        "",
        "  ",
        "Where is my key?",
        "a\u2028b\x0bc\x0cd\re",
    ]
    assert len(records[0]["n_best"]) == 2
    assert records[0]["n_best"][0]["score"] == records[0]["score"] >= records[0]["n_best"][1]["score"]


@pytest.mark.parametrize(("limit", "expected"), [(1, {"finished": False}), (40, {})])
def test_json_marks_unfinished_translations(recipe, learned_run, monkeypatch, limit, expected):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"We work.\n")))
    within = ["search.max_length_ratio=0", f"search.max_length_offset={limit}", "beam_size=1"]
    actual = json.loads(recipe("translate", f"run={learned_run}", "json=true", *within).out)
    assert {name: actual[name] for name in actual if name == "finished"} == expected


def test_translate_without_a_run_is_one_line(recipe, tmp_path):
    outcome = recipe("translate", f"run={tmp_path / 'nowhere'}")
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert "run=PATH" in outcome.err


@pytest.mark.slow
def test_a_terminated_training_saves_prints_one_line_and_resumes(recipe, tmp_path):
    """With a real process and signal; the result has the same bits as an uninterrupted run."""
    settings = [*TINY, "training.updates=50", "training.validate_every=50"]
    environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    stopped, alone = tmp_path / "stopped", tmp_path / "alone"
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "recipes/train.py"), *settings, f"run={stopped}"],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=ROOT,
    )
    metrics = stopped / "metrics.jsonl"
    while process.poll() is None and not (metrics.exists() and metrics.stat().st_size):
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate()
    assert process.returncode == 128 + signal.SIGTERM, err
    said = err.strip().splitlines()[-1]
    assert (
        "saved; rerun the same command to resume (there is no model before the first validation, at update 50" in said
    )
    assert "Traceback" not in err
    assert (stopped / "run.log").read_text("utf-8").rstrip().endswith(said)
    for run in (stopped, alone):
        assert recipe("train", *settings, f"run={run}").code == 0
    assert (stopped / "model.safetensors").read_bytes() == (alone / "model.safetensors").read_bytes()


def test_one_of_several_translations_is_written_with_a_line_about_the_others(recipe, tiny_run, tmp_path, monkeypatch):
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    settings = (run / "config.yaml").read_text("utf-8")
    (run / "config.yaml").write_text(settings.replace("n_best: 1", "n_best: 2"), "utf-8")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"We work.\n")))
    outcome = recipe("translate", f"run={run}")
    assert (outcome.code, outcome.out.count("\n")) == (0, 1)
    assert "the run has search.n_best=2: json=true writes all, n_best=1 searches for one\n" in outcome.err


def test_quantize_writes_a_model_of_a_quarter_of_the_size(recipe, tiny_run, tmp_path, monkeypatch):
    output = tmp_path / "new" / "int8"
    before = {path: path.stat().st_mtime_ns for path in tiny_run.iterdir()}
    outcome = recipe("quantize", f"run={tiny_run}", f"output={output}")
    assert outcome.code == 0, outcome.err
    assert f"evaluate.py run={output}" in outcome.out
    names = ["README.md", "config.yaml", "model.safetensors", "shortlist.safetensors", "tokenizer.model"]
    assert sorted(path.name for path in output.iterdir()) == names
    assert {path: path.stat().st_mtime_ns for path in tiny_run.iterdir()} == before
    weights = "model.safetensors"
    assert (output / weights).stat().st_size < 0.4 * (
        tiny_run / weights
    ).stat().st_size  # headers matter in such small files
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    outcome = recipe("translate", f"run={output}", "beam_size=1", "shortlist=true")
    assert outcome.code == 0, outcome.err
    translator = Translator.load(output, shortlist=True)
    assert outcome.out.split("\n")[0] == str(translator.translate("We work.", beam_size=1))
    assert recipe("evaluate", f"run={output}", "beam_size=1").code == 0
    assert (output / "scores.json").exists()


def test_quantize_writes_next_to_the_run_by_default_and_never_overwrites(recipe, tiny_run, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    for name in ("config.yaml", "tokenizer.model", "model.safetensors"):
        (run / name).write_bytes((tiny_run / name).read_bytes())
    assert recipe("quantize", f"run={run}/").code == 0
    made = tmp_path / "run-int8"
    names = ["README.md", "config.yaml", "model.safetensors", "tokenizer.model"]
    assert sorted(path.name for path in made.iterdir()) == names
    before = (made / "model.safetensors").read_bytes()
    for output in (made, run, run / "config.yaml" / "below"):
        outcome = recipe("quantize", f"run={run}", f"output={output}")
        assert outcome.code == 1
        assert outcome.err.count("\n") == 1
        assert f"{output} already exists" in outcome.err or f"{output} cannot be " in outcome.err
        assert "choose another" in outcome.err
    assert (made / "model.safetensors").read_bytes() == before
    with full_disk(len(before) // 2):
        outcome = recipe("quantize", f"run={run}", f"output={tmp_path / 'full'}")
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert "free some space" in outcome.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "run-int8"]
    # Quantizing a quantized model changes nothing.
    assert recipe("quantize", f"run={made}", f"output={tmp_path / 'again'}").code == 0
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == before


def test_quantize_without_a_run_is_one_line_and_leaves_nothing(recipe, tmp_path):
    outcome = recipe("quantize", f"run={tmp_path / 'nowhere'}")
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert "run=PATH" in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_translate_and_evaluate_in_8_bits_with_a_shortlist(recipe, tiny_run, tmp_path, own_files):
    run = tmp_path / "copy"
    run.mkdir()
    for name in ("config.yaml", "tokenizer.model", "model.safetensors", "shortlist.safetensors"):
        (run / name).write_bytes((tiny_run / name).read_bytes())
    overrides = [f"run={run}", f"precision={INT8}", "shortlist=true", "device=cpu"]
    outcome = recipe("evaluate", *overrides, "beam_size=2", *own_files[4:])
    assert outcome.code == 0, outcome.err
    translated = tmp_path / "out.de"
    outcome = recipe("translate", *overrides, "beam_size=2", f"input={tmp_path / 'test.en'}", f"output={translated}")
    assert outcome.code == 0, outcome.err
    assert translated.read_text(encoding="utf-8") == (run / "hypotheses.test.beam.txt").read_text(encoding="utf-8")
    (run / "shortlist.safetensors").unlink()
    outcome = recipe("translate", *overrides, f"input={tmp_path / 'test.en'}")
    assert outcome.code == 1
    assert "shortlist.safetensors is missing" in outcome.err
    assert outcome.err.count("\n") == 1


SMALL = [
    "measure.warmup=0",
    "measure.repetitions=2",
    "measure.updates=1",
    "measure.passes=1",
    "measure.batched=5",
    "measure.sentences=3",
    "measure.product=32",
    "measure.copy=1",
]
MINIATURE = [
    "data.builtin.train_size=200",
    "data.builtin.validation_size=20",
    "data.builtin.test_size=20",
    "tokenizer.size=400",
    "model.embedding_size=8",
    "model.encoder.size=6",
    "model.decoder.size=12",
    "batch.tokens=200",
    "search.beam_size=2",
    "search.max_length_ratio=0.5",
    "search.max_length_offset=5",
]


@pytest.mark.ci
def test_benchmark_measures_training_and_translation_without_a_run(recipe, tmp_path):
    outcome = recipe("benchmark", f"output={tmp_path}", *SMALL, *MINIATURE)
    assert outcome.code == 0, outcome.err
    for words in ("GFLOP/s", "share of the floor", "optimizer", "beam 2", "cold start", "EOS excluded"):
        assert words in outcome.out
    report = json.loads((tmp_path / "benchmark.json").read_text())
    assert report["settings"]["model"]["attention"] == "general"
    assert report["training"]["tokens_per_second"]["median"] > 0
    assert report["translation"]["fresh"]["memory_bytes"] > 0


def test_benchmark_of_a_run_with_own_text(recipe, tiny_run, tmp_path, own_files, monkeypatch):
    fresh = Fresh(1.0, 2.0, 3)  # the test above starts a process
    monkeypatch.setattr("seq2seq.benchmark.translation.measure_fresh", lambda *of: fresh)
    before = sorted(path.name for path in tiny_run.rglob("*"))
    outcome = recipe(
        "benchmark", f"run={tiny_run}", f"output={tmp_path}", "parts=[translation]", *SMALL, *own_files[4:]
    )
    assert outcome.code == 0, outcome.err
    assert str(tmp_path / "test.en") in outcome.out
    assert "EOS excluded" not in outcome.out
    assert sorted(path.name for path in tiny_run.rglob("*")) == before


@pytest.mark.slow
def test_benchmark_of_preparation(recipe, tmp_path):
    overrides = ["parts=[preparation]", "preparation.pairs=[300,600]", "preparation.updates=2"]
    outcome = recipe("benchmark", f"output={tmp_path}", *overrides, *SMALL, *MINIATURE)
    assert outcome.code == 0, outcome.err
    assert "address space, MiB: prepare" in outcome.out
    report = json.loads((tmp_path / "benchmark.json").read_text())["preparation"]
    assert [row["pairs"] for row in report] == [300, 600]
    assert report[1]["disk_bytes"] > report[0]["disk_bytes"] > 300
    assert [path.name for path in tmp_path.iterdir()] == ["benchmark.json"], "prepared data is removed"


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "no lines found"), ("Zu wenig.\n", "they must match"), (None, "no such file"), (b"\xff\n", "is not UTF-8")],
)
def test_a_bad_test_set_is_found_before_training(recipe, tmp_path, own_files, text, message):
    path = tmp_path / "test.de"
    path.unlink() if text is None else path.write_bytes(text if isinstance(text, bytes) else text.encode())
    if text == "":
        (tmp_path / "test.en").write_bytes(b"")
    outcome = recipe("train", f"run={tmp_path / 'run'}", *own_files, *TINY)
    assert outcome.code == 1
    assert message in outcome.err
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "run" / "metrics.jsonl").exists()
