"""Training is measured in tokens without padding, and its floor follows from the machine."""

import pytest
import torch
from abilities import CPU, needs_bfloat16
from benchmarks import SLOW_MACHINE, small_benchmark

from seq2seq.benchmark.arithmetic import Counts, Work, training_work
from seq2seq.benchmark.training import (
    mean_work,
    measure_precisions,
    measure_training,
    profile_rows,
    training_precision,
)
from seq2seq.benchmark.workload import prepare
from seq2seq.system.capability import runs_bfloat16, runs_float16
from seq2seq.system.device import resolve_precision
from seq2seq.system.precision import Precision


@pytest.fixture
def workload(tmp_path):
    return prepare(small_benchmark(tmp_path))


def test_an_update_is_measured(tmp_path, workload):
    measurement = measure_training(small_benchmark(tmp_path), workload, SLOW_MACHINE)
    assert measurement.precision == "float32"
    assert measurement.parameters == sum(parameter.numel() for parameter in workload.network.parameters())
    assert 0 < measurement.tokens_per_update <= 200
    assert (
        measurement.tokens_per_second.least
        <= measurement.tokens_per_second.median
        <= measurement.tokens_per_second.most
    )
    assert measurement.arithmetic_seconds == measurement.operations / 1e9
    assert measurement.peak_bytes > 1e6
    assert measurement.share_of_floor > 0
    assert sum(row.share for row in measurement.profile) == pytest.approx(1)


def test_the_work_of_a_mean_update_is_the_mean_of_updates(workload):
    batches = [Counts(2, 10, 8, 40), Counts(4, 20, 16, 80)]
    measurement = mean_work(workload, batches, "bfloat16")
    each = [training_work(workload.model, 400, 400, batch, 2) for batch in batches]
    for part, work in measurement.items():
        assert work.operations == pytest.approx(sum(one[part].operations for one in each) / 2)
        assert work.bytes == pytest.approx(sum(one[part].bytes for one in each) / 2)


def test_each_part_has_its_own_floor():
    rows = profile_rows({"encoder": 3.0, "other": 1.0}, {"encoder": Work(1e9, 0)}, SLOW_MACHINE, "float32")
    assert [(row.part, row.share, row.floor) for row in rows] == [("encoder", 0.75, 1.0), ("other", 0.25, 0.0)]


@pytest.mark.ci
def test_every_precision_that_runs_is_measured_from_the_same_weights(tmp_path, workload):
    before = {name: tensor.clone() for name, tensor in workload.network.state_dict().items()}
    result = list(measure_precisions(small_benchmark(tmp_path), workload, SLOW_MACHINE))
    runs = [("bfloat16", runs_bfloat16(CPU)), ("float16", runs_float16(CPU))]
    assert [one.precision for one in result] == ["float32", *(name for name, there in runs if there)]
    assert all(torch.equal(tensor, before[name]) for name, tensor in workload.network.state_dict().items())
    assert all(one.tokens_per_second.median > 0 for one in result)


@pytest.mark.parametrize(
    ("asked", "used"),
    [("float32", "float32"), pytest.param("bfloat16", "bfloat16", marks=needs_bfloat16), ("int8", "auto")],
)
def test_a_precision_that_cannot_train_is_replaced_by_auto(tmp_path, asked, used):
    config = small_benchmark(tmp_path)
    config.precision = asked
    assert training_precision(config, CPU) == resolve_precision(Precision(used), CPU)
