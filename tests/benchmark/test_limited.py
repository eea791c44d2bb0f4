"""Steps under a limit of address space: each finds what the one before has made."""

import json
import sys

import pytest
from benchmarks import small_benchmark

from seq2seq.benchmark.limited import STEPS, Clock, Task
from seq2seq.corpora.builtin import BuiltinCorpus
from seq2seq.corpora.config import BuiltinConfig
from seq2seq.corpora.files import TextFiles


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    folder = tmp_path_factory.mktemp("limited")
    return Task(small_benchmark(folder), 400, folder)


def test_each_step_goes_on_with_what_the_one_before_has_made(task):
    found = {step: work(task) for step, work in STEPS.items()}
    drawn = TextFiles(task.folder / "train.en", task.folder / "train.de")
    assert list(drawn) == list(BuiltinCorpus(BuiltinConfig(train_size=400, validation_size=5, test_size=10), "train"))
    assert found["prepare"]["kept"] == 400
    assert found["prepare"]["bytes"] == (task.folder / "train" / "00000.safetensors").stat().st_size
    assert {"first_batch_seconds", "epoch_cpu", "resumed_seconds", "training_cpu"} <= found["train"].keys()
    assert json.dumps(found)


def test_a_clock_counts_what_is_within():
    found = {}
    with Clock("work", found):
        assert sum(range(10**6)) > 0
    assert found["work_seconds"] > 0
    assert found["work_cpu"] >= 0
    assert sys.modules["seq2seq.benchmark.limited"].STEPS is STEPS
