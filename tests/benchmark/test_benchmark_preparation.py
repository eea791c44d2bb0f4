"""Preparation and training within a memory limit."""

import json
import sys
from dataclasses import replace

import pytest
from benchmarks import small_benchmark

from seq2seq.benchmark.config import PreparationConfig
from seq2seq.benchmark.preparation import STEPS, Task, measure_preparation, timer
from seq2seq.corpora.builtin import BuiltinCorpus
from seq2seq.corpora.config import BuiltinConfig
from seq2seq.corpora.files import TextFiles
from seq2seq.errors import ConfigError, RunError


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not enforce a limit of address space")
def test_a_limit_that_is_too_low_gives_one_line(tmp_path):
    config = replace(small_benchmark(tmp_path), preparation=PreparationConfig(pairs=[300], gibibytes=0.01))
    message = r"^300 pairs do not fit in 0\.01 GiB \(.*raise preparation\."
    with pytest.raises(RunError, match=message) as error:
        list(measure_preparation(config))
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_system_without_limits_gives_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("seq2seq.benchmark.preparation.find_spec", lambda name: None)
    with pytest.raises(RunError, match=r"^this system cannot limit address space: remove preparation from parts$"):
        list(measure_preparation(small_benchmark(tmp_path)))


def test_sizes_are_at_least_one_pair(tmp_path):
    config = replace(small_benchmark(tmp_path), preparation=PreparationConfig(pairs=[9, 0]))
    with pytest.raises(ConfigError, match=r"preparation\.pairs .* got 0"):
        config.check()


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    folder = tmp_path_factory.mktemp("limited")
    return Task(small_benchmark(folder), 400, folder)


def test_each_step_uses_the_output_of_the_previous_step(task):
    figures = {step: work(task) for step, work in STEPS.items()}
    generated = TextFiles(task.folder / "train.en", task.folder / "train.de")
    assert list(generated) == list(
        BuiltinCorpus(BuiltinConfig(train_size=400, validation_size=5, test_size=10), "train", None)
    )
    assert figures["prepare"]["kept"] == 400
    assert figures["prepare"]["bytes"] == (task.folder / "train" / "00000.safetensors").stat().st_size
    assert {"first_batch_seconds", "epoch_cpu", "resumed_seconds", "training_cpu"} <= figures["train"].keys()
    assert json.dumps(figures)


def test_a_timer_measures_its_block():
    figures = {}
    with timer("work", figures):
        assert sum(range(10**6)) > 0
    assert figures["work_seconds"] > 0
    assert figures["work_cpu"] >= 0
