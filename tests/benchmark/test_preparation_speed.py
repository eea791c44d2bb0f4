"""Preparation and training in processes with little memory."""

import sys
from dataclasses import replace

import pytest
from benchmarks import small_benchmark

from seq2seq.benchmark.config import PreparationConfig
from seq2seq.benchmark.preparation import measure_preparation
from seq2seq.errors import ConfigError, RunError


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere address space has no limit that holds")
def test_a_limit_that_is_too_low_is_told_in_one_line(tmp_path):
    config = replace(small_benchmark(tmp_path), preparation=PreparationConfig(pairs=[300], gibibytes=0.01))
    told = r"^300 pairs could not be handled within 0\.01 GiB \(.*raise preparation\."
    with pytest.raises(RunError, match=told) as error:
        list(measure_preparation(config))
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_system_without_limits_is_told_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("seq2seq.benchmark.preparation.find_spec", lambda name: None)
    with pytest.raises(RunError, match=r"^this system limits no address space: leave preparation out of parts$"):
        list(measure_preparation(small_benchmark(tmp_path)))


def test_sizes_are_at_least_one_pair(tmp_path):
    config = replace(small_benchmark(tmp_path), preparation=PreparationConfig(pairs=[9, 0]))
    with pytest.raises(ConfigError, match=r"preparation\.pairs .* got 0"):
        config.check()
