"""Concurrent clients of a server."""

from dataclasses import replace

import pytest
from benchmarks import small_benchmark

from seq2seq.benchmark.config import ServingConfig
from seq2seq.benchmark.load import Load, Reply
from seq2seq.benchmark.report import serving_table
from seq2seq.benchmark.serving import measure_serving, server, summary
from seq2seq.benchmark.workload import prepare
from seq2seq.errors import RunError


def test_lost_crossed_and_different_answers_are_counted():
    replies = [
        Reply("a", "a", "A", 0.1),
        Reply("b", "a", "A", 0.2),
        Reply("c", "c", "X", 0.3),
        Reply("d", None, None, 9.0, "503: busy"),
    ]
    result = summary(Load(replies, 2.0), 4, {"a": "A", "b": "B", "c": "C", "d": "D"})
    assert (result.requests, result.lost, result.crossed, result.different) == (4, 1, 1, 2)
    assert (result.sentences_per_second, result.median, result.percentile99) == (1.5, 0.2, 0.3)
    assert "lost                          1 (503: busy)" in serving_table(result)
    nothing = summary(Load(replies[3:], 1.0), 1, {"d": "D"})
    assert (nothing.sentences_per_second, nothing.lost) == (0, 1)


@pytest.mark.slow
def test_a_server_in_its_own_process_answers_32_clients(tmp_path):
    config = replace(small_benchmark(tmp_path), serving=ServingConfig(clients=32, requests=3))
    measurement = measure_serving(config, prepare(config))
    assert (measurement.clients, measurement.requests) == (32, 96)
    assert (measurement.lost, measurement.crossed, measurement.different) == (0, 0, 0)
    assert 0 < measurement.median <= measurement.percentile95 <= measurement.percentile99


@pytest.mark.slow
def test_a_server_that_does_not_start_gives_one_line(tmp_path, capfd):
    with (
        pytest.raises(RunError, match=r"^the server for .* did not start: .*recipes/serve\.py"),
        server(tmp_path / "nowhere", small_benchmark(tmp_path)),
    ):
        pass
