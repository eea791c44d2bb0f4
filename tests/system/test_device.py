"""Devices, precisions, and copies between the host and a GPU, represented by the meta device."""

import math
import os

import pytest
import torch
from abilities import needs_bfloat16

from seq2seq.benchmark.meta_device import META, Waits
from seq2seq.errors import ConfigError
from seq2seq.system.device import (
    allow_tf32,
    autocast,
    choose_device,
    keep_freed_memory,
    resolve_precision,
    to_device,
    to_host,
)
from seq2seq.system.precision import Precision

CPU = torch.device("cpu")
TENSORS = [
    torch.tensor([[0.1, -math.inf], [math.pi, 3e38]]),
    torch.tensor([2**53, -7]),
    torch.tensor([True, False, True]),
    torch.zeros(0, 2),
    torch.tensor([1e-40, 2.5]).bfloat16(),
]


def product(precision: Precision) -> torch.dtype:
    """What a product of float32 matrices comes out as."""
    with autocast(precision, CPU):
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


@pytest.mark.parametrize("there", [True, False])
def test_auto_is_the_gpu_where_there_is_one(monkeypatch, there):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert choose_device("auto").type == ("cuda" if there else "cpu")


def test_a_missing_gpu_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("cpu") == CPU
    for name in ("cuda", "cuda:1"):
        with pytest.raises(ConfigError, match=f"^device={name} is not available, .* set device=cpu$"):
            choose_device(name)


@pytest.mark.parametrize("name", ["gpu", "", "cpu:x", "CPU "])
def test_an_unknown_device_is_refused(name):
    with pytest.raises(ConfigError, match=f"^device must be auto, cpu, cuda or cuda:NUMBER, got {name}$"):
        choose_device(name)


@pytest.mark.parametrize("faster", [True, False])
def test_auto_is_bfloat16_where_it_is_faster(monkeypatch, faster):
    monkeypatch.setattr("seq2seq.system.device.prefers_bfloat16", lambda device: faster)
    expected = Precision.bfloat16 if faster else Precision.float32
    assert resolve_precision(Precision.auto, CPU) is expected
    assert product(Precision.auto) is (torch.bfloat16 if faster else torch.float32)
    assert product(Precision.float32) is torch.float32


@needs_bfloat16
def test_the_precision_ends_with_its_context():
    assert product(Precision.bfloat16) is torch.bfloat16
    assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.float32


def test_bfloat16_is_refused_where_it_does_not_run(monkeypatch):
    monkeypatch.setattr("seq2seq.system.device.runs_bfloat16", lambda device: False)
    for device, where in ((CPU, "processor"), (torch.device("cuda"), "GPU")):
        with pytest.raises(ConfigError) as caught:
            resolve_precision(Precision.bfloat16, device)
        assert str(caught.value) == (f"bfloat16 does not run on this {where}: set the precision to float32 or auto")
    assert resolve_precision(Precision.float32, CPU) is Precision.float32


def test_float16_is_never_automatic_and_refused_where_it_does_not_run(monkeypatch):
    monkeypatch.setattr("seq2seq.system.device.prefers_bfloat16", lambda device: False)
    for runs in (True, False):
        monkeypatch.setattr("seq2seq.system.device.runs_float16", lambda device, runs=runs: runs)
        assert resolve_precision(Precision.auto, torch.device("cuda")) is Precision.float32
        if runs:
            assert resolve_precision(Precision.float16, CPU) is Precision.float16
            assert product(Precision.float16) is torch.float16
    for device, where in ((CPU, "processor"), (torch.device("cuda"), "GPU")):
        with pytest.raises(
            ConfigError, match=f"^float16 does not run on this {where}: set the precision to float32 or auto$"
        ):
            resolve_precision(Precision.float16, device)


def test_few_kernels_of_earlier_shapes_are_kept():
    for name in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
        assert int(os.environ[name]) < 1024


def test_keep_freed_memory_works_repeatedly_and_on_any_system(monkeypatch):
    keep_freed_memory()
    keep_freed_memory()
    assert torch.ones(3_000_000).sum() == 3_000_000
    monkeypatch.setattr("seq2seq.system.device.ctypes.CDLL", lambda name: object())  # a C library without mallopt
    keep_freed_memory()
    monkeypatch.setattr("seq2seq.system.device.ctypes.CDLL", lambda name: "" + name)  # Windows does not accept None
    keep_freed_memory()


def test_a_gpu_uses_tf32_only_if_configured(monkeypatch):
    """Recurrent layers and other products alike: a pass with the target given and a search must not differ."""

    def precisions() -> list[str]:
        return [products.fp32_precision for products in (torch.backends.cudnn.rnn, torch.backends.cuda.matmul)]

    assert precisions() == ["ieee", "ieee"]
    monkeypatch.setattr("seq2seq.system.device.runs_tf32", lambda device: device.type == "cuda")
    try:
        autocast(Precision.tf32, torch.device("cuda"))
        assert precisions() == ["tf32", "tf32"]
        autocast(Precision.float32, torch.device("cuda"))
        assert precisions() == ["ieee", "ieee"]
    finally:
        allow_tf32(False)
    with pytest.raises(ConfigError, match=r"^tf32 needs an Ampere or later GPU: set the precision to float32 or auto$"):
        resolve_precision(Precision.tf32, CPU)


def test_products_of_a_gpu_have_workspaces_of_a_fixed_size():
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"


def test_tensors_come_to_the_host_unchanged_by_one_copy():
    with Waits() as waits:
        on_device = [to_device(tensor, META) for tensor in TENSORS]
        assert waits.found == []
        on_host = to_host(*on_device)
        assert len(waits.found) == 1
    for actual, expected in zip(on_host, TENSORS, strict=True):
        assert actual.dtype is expected.dtype
        assert torch.equal(actual, expected)


def test_on_a_cpu_nothing_is_copied():
    assert all(actual is expected for actual, expected in zip(to_host(*TENSORS), TENSORS, strict=True))
    assert to_host() == []
    assert to_device(TENSORS[0], CPU) is TENSORS[0]


def test_copies_to_a_gpu_are_from_pinned_memory(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: asked.append("pinned") or self)
    monkeypatch.setattr(torch.Tensor, "to", lambda self, device, **how: asked.append((device.type, how)) or self)
    to_device(torch.ones(2), torch.device("cuda"))
    assert asked == ["pinned", ("cuda", {"non_blocking": True})]
    to_device(torch.ones(2, device=META), torch.device("cuda"))
    assert asked[2:] == [("cuda", {"non_blocking": True})], "only host memory can be pinned"
