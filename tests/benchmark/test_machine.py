"""The machine's limits and floors."""

import pytest
import torch

from seq2seq.benchmark import machine
from seq2seq.benchmark.arithmetic import Work
from seq2seq.benchmark.config import MeasureConfig
from seq2seq.benchmark.machine import Machine, measure_machine, reread_rate
from seq2seq.inference.config import InferencePrecision
from seq2seq.system.capability import runs_bfloat16, runs_int8

CPU = torch.device("cpu")
SMALL = MeasureConfig(product=64, copy=1, repetitions=2, warmup=1)
MACHINE = Machine("cpu", "test", 1, 1, "2", "3", {"float32": 100.0, "bfloat16": 400.0}, 10.0)


def test_a_floor_is_the_longer_of_arithmetic_and_memory():
    assert MACHINE.floor(Work(operations=1000, bytes=10), "float32") == 10
    assert MACHINE.floor(Work(operations=1000, bytes=10), "bfloat16") == 2.5
    assert MACHINE.floor(Work(operations=0, bytes=500), "float32") == 50


def test_a_cache_lowers_the_floor_of_bytes_and_never_raises_it():
    assert MACHINE.floor(Work(bytes=500), "float32", 50.0) == 10
    assert MACHINE.floor(Work(bytes=500), "float32", 1.0) == 50


def test_an_unmeasured_precision_has_the_fastest_known_rate():
    assert MACHINE.rate("int8") == 400


@pytest.mark.parametrize(("device", "rows", "megabytes"), [("cpu", 2048, 256), ("meta", 8192, 2048)])
def test_a_gpu_is_measured_with_larger_products_and_copies(device, rows, megabytes, monkeypatch):
    """The meta device represents a GPU."""
    made, there = [], torch.device(device)
    monkeypatch.setattr(machine, "seconds", lambda *work: [1.0])

    def small(*size, device):
        made.append(size)
        return torch.zeros(2, 2, device=device)

    monkeypatch.setattr(torch, "rand", small)
    assert machine._product_rate(there, InferencePrecision.float32, MeasureConfig()) == 2 * rows**3
    assert machine._product_rate(there, InferencePrecision.float32, SMALL) == 2 * 64**3
    monkeypatch.setattr(torch, "ones", small)
    machine._copy_rate(there, MeasureConfig())
    assert made == [(rows, rows)] * 2 + [(64, 64)] * 2 + [(megabytes * 250_000,)]


def test_a_real_machine_has_positive_limits():
    own = measure_machine(CPU, SMALL)
    assert ("bfloat16" in own.operations) is runs_bfloat16(CPU)
    assert ("int8" in own.operations) is runs_int8(CPU)
    assert "float32" in own.operations
    assert all(rate > 0 for rate in own.operations.values())
    assert own.bandwidth > 0
    assert own.threads == torch.get_num_threads()
    assert own.name
    assert ("no bfloat16" in own.kernels) is not runs_bfloat16(CPU)
    assert ("no int8" in own.kernels) is not runs_int8(CPU)
    assert reread_rate(CPU, 100_000, SMALL) > 0
