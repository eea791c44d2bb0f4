"""Peak memory: seen while it lasts, forgotten when asked."""

import mmap
import sys

import pytest
import torch

from seq2seq.benchmark import memory
from seq2seq.benchmark.memory import peak, reset_peak, resident

CPU = torch.device("cpu")
MEGABYTE = 1_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a peak cannot be set back")
def test_a_peak_is_seen_and_then_forgotten():
    reset_peak(CPU)
    before = peak(CPU)
    block = mmap.mmap(-1, 100 * MEGABYTE)  # the C library keeps what is freed: this goes back to the system
    for _ in range(100):
        block.write(b"x" * MEGABYTE)
    assert peak(CPU) >= before + 90 * MEGABYTE
    block.close()
    reset_peak(CPU)
    assert peak(CPU) < before + 50 * MEGABYTE


def test_without_proc_the_systems_own_figure_is_taken(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "STATUS", tmp_path / "none")
    monkeypatch.setattr(memory, "CLEAR", tmp_path / "no" / "file")
    reset_peak(CPU)
    assert resident("VmRSS") > 10 * MEGABYTE
    monkeypatch.setitem(sys.modules, "resource", None)
    assert resident("VmRSS") == 0
