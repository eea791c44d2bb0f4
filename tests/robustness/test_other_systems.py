"""Training, resuming and translating without the system calls that Windows lacks or refuses.

`windows.py` imitates Windows in a separate process. No test has run on Windows itself.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import windows
windows.imitate()
import importlib, json, os, pkgutil, signal, sys
import seq2seq
from seq2seq import recipes
for package in (seq2seq, recipes):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
from seq2seq.data import encoding, preparation
from seq2seq.recipes import average, quantize, train, translate
from seq2seq.training.tensorboard import EventFile

encoding.CHUNK, preparation.SHARD = 50, 4  # pairs in a chunk, chunks in a shard: work for processes, several files
add, interrupts = EventFile.add, [3]

def add_and_interrupt(file, update, values):
    add(file, update, values)
    if update in interrupts:
        interrupts.remove(update)
        signal.raise_signal(signal.SIGINT)

EventFile.add = add_and_interrupt
codes = []
for recipe, arguments in json.load(sys.stdin):
    sys.argv = [f"{recipe}.py", *arguments]
    try:
        globals()[recipe].main()
        codes.append(0)
    except SystemExit as stop:
        codes.append(stop.code)
print("\\n" + json.dumps({"codes": codes, "refused": sorted(set(windows.REFUSED))}))
"""
SETTINGS = [
    "data.builtin.train_size=600",
    "data.builtin.validation_size=4",
    "data.builtin.test_size=4",
    "data.workers=2",
    "tokenizer=bpe",
    "tokenizer.size=340",
    "model=attention",
    "model.embedding_size=8",
    "model.encoder.size=6",
    "model.decoder.size=10",
    "schedule.warmup=1",
    "training.updates=8",
    "training.validate_every=4",
    "training.log_every=1",
    "training.samples=1",
    "training.criterion=loss",
    "training.average_count=2",
    "training.save_minutes=0",
    "batch.tokens=150",
    "search.beam_size=2",
    "shortlist.frequent=50",
]


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="open files are looked up in /proc")
@pytest.mark.slow
def test_it_trains_resumes_and_translates_with_the_calls_of_windows(tmp_path):
    run, text, output = tmp_path / "run", tmp_path / "text.en", tmp_path / "text.de"
    text.write_text("We work.\nShe sleeps.\n", encoding="utf-8")
    training = ["train", [f"run={run}", *SETTINGS]]
    translating = ["translate", [f"run={run}", f"input={text}", f"output={output}"]]
    commands = [
        training,
        training,
        translating,
        ["average", [f"run={run}", f"output={tmp_path / 'average'}"]],
        ["quantize", [f"run={run}", f"output={tmp_path / 'quantized'}"]],
        [
            "train",
            [f"run={run}", *SETTINGS, "training.updates=10"],
        ],  # the model is replaced, then the translation
        translating,
    ]
    completed = subprocess.run(
        [sys.executable, "-X", "warn_default_encoding", "-c", PROGRAM],
        input=json.dumps(commands).encode(),
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "PYTHONIOENCODING": "cp1252"},
    )
    errors = completed.stderr.decode("cp1252")
    assert completed.returncode == 0, errors
    result = json.loads(completed.stdout.decode("cp1252").splitlines()[-1])
    assert result["codes"] == [130, 0, 0, 0, 0, 0, 0], errors
    assert all(name.endswith(".lock") for name in result["refused"]), "only lock files, which are removed after closing"
    assert len(list(run.rglob("*.safetensors"))) > 3
    assert list(tmp_path.rglob(".lock")) + list(tmp_path.rglob("*.tmp")) == []
    assert len(output.read_text(encoding="utf-8").splitlines()) == 2
    updates = [json.loads(line)["update"] for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    assert sorted(set(updates)) == list(range(1, 11))
