"""Kernels are tried: those that are missing, wrong or slow are not used, whatever the processor's flags."""

import os
import subprocess
import sys
from contextlib import nullcontext

import pytest
import torch
from abilities import SMALL, needs_bfloat16

from seq2seq.system import capability
from seq2seq.system.integer import FbgemmKernel, OneDnnKernel, QnnpackKernel

CPU = torch.device("cpu")


@pytest.fixture
def fresh(monkeypatch):
    """Monkeypatch, with empty caches of all trials before and after the test."""
    cached = (
        capability.runs_bfloat16,
        capability.prefers_bfloat16,
        capability.packs,
        capability.integer_kernel,
        capability.prefers_int8,
        capability.runs_recurrent_bfloat16,
        capability.runs_float16,
    )
    for function in cached:
        function.cache_clear()
    yield monkeypatch
    for function in cached:
        function.cache_clear()


def missing_kernel(*_: object, **__: object) -> None:
    raise RuntimeError("could not create a primitive descriptor")


def test_a_recurrent_layer_without_a_kernel_means_no_bfloat16(fresh):
    fresh.setattr(torch.nn.LSTM, "forward", missing_kernel)
    assert not capability.runs_bfloat16(CPU)
    assert not capability.prefers_bfloat16(CPU)


@pytest.mark.parametrize("fault", ["failing", "wrong", "ignored"])
def test_float16_is_tried(fresh, fault):
    before = torch.get_rng_state()
    capability.runs_float16(CPU)
    assert torch.equal(torch.get_rng_state(), before)
    capability.runs_float16.cache_clear()
    if fault == "failing":
        fresh.setattr(torch.Tensor, "backward", missing_kernel)
    elif fault == "wrong":
        right = torch.Tensor.__matmul__
        fresh.setattr(torch.Tensor, "__matmul__", lambda one, other: right(one, other) + 1)
    else:
        fresh.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    assert not capability.runs_float16(CPU)


@pytest.mark.parametrize("place", [torch.inference_mode, torch.no_grad, lambda: torch.autocast("cpu", torch.bfloat16)])
def test_results_do_not_depend_on_the_context_of_the_first_call(fresh, place):
    def results():
        runs = capability.runs_bfloat16(CPU), capability.runs_int8(CPU)
        return *runs, capability.packs(torch.float32), capability.packs(torch.bfloat16)

    expected = results()
    for function in (capability.runs_bfloat16, capability.packs, capability.integer_kernel):
        function.cache_clear()
    with place():
        assert results() == expected


def test_bfloat16_is_chosen_only_where_it_is_clearly_faster(fresh):
    fresh.setattr(capability, "_bfloat16_update", lambda: True)
    for faster in (True, False):
        capability.prefers_bfloat16.cache_clear()
        fresh.setattr(capability, "_is_faster", lambda *_, faster=faster: faster)
        assert capability.prefers_bfloat16(CPU) is faster


@pytest.mark.parametrize(("capabilities", "has"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_a_gpu_has_bfloat16_from_compute_capability_8(fresh, capabilities, has):
    fresh.setattr(torch.cuda, "get_device_capability", lambda device: capabilities)
    assert capability.runs_bfloat16(torch.device("cuda")) is has
    assert capability.prefers_bfloat16(torch.device("cuda")) is has
    assert capability.runs_tf32(torch.device("cuda")) is has


@pytest.mark.parametrize("fault", ["absent", "failing", "wrong"])
def test_weights_are_packed_only_if_the_packed_product_is_correct(fresh, fault):
    if fault == "absent":
        fresh.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    elif fault == "failing":
        fresh.setattr(capability, "_packed_product", missing_kernel)
    else:
        fresh.setattr(
            capability, "_packed_product", lambda dtype: capability._are_close([torch.ones(1)], [torch.zeros(1)])
        )
    assert not capability.packs(torch.float32)


def test_weights_of_other_types_are_not_packed(fresh):
    assert not capability.packs(torch.float64)


class Saturating(OneDnnKernel):
    """Adds pairs of products in 16 bits, as AVX2 does with bytes."""

    def __call__(self, inputs_NI: torch.Tensor) -> torch.Tensor:
        codes_NI = torch.floor(127 * inputs_NI + 128.5)
        pairs_NOP = (codes_NI.unsqueeze(1) * self.codes_OI).unflatten(2, (-1, 2)).sum(3).clamp(-(2**15), 2**15 - 1)
        return (pairs_NOP.sum(2) - 128 * self.codes_OI.sum(1)) * self.scales_O / 127 + self.bias_O

    def __init__(self, codes_OI: torch.Tensor, scales_O: torch.Tensor, bias_O: torch.Tensor) -> None:
        self.codes_OI, self.scales_O, self.bias_O = codes_OI.float(), scales_O, bias_O


class Missing(OneDnnKernel):
    """Has no instructions for it."""

    def __init__(self, *_: torch.Tensor) -> None:
        missing_kernel()


def test_a_kernel_that_is_missing_or_saturates_is_skipped(fresh):
    fresh.setattr(capability, "KERNELS", (Missing, Saturating, QnnpackKernel))
    assert capability.integer_kernel() is QnnpackKernel
    assert capability.runs_int8(CPU)


def test_without_any_kernel_there_is_no_int8(fresh):
    fresh.setattr(capability, "KERNELS", (Missing, Saturating))
    assert capability.integer_kernel() is None
    assert not capability.runs_int8(CPU)
    assert not capability.prefers_int8(CPU)


def test_int8_is_preferred_where_it_is_clearly_faster(fresh):
    for faster in (True, False):
        capability.prefers_int8.cache_clear()
        fresh.setattr(capability, "_is_faster", lambda *_, faster=faster: faster)
        assert capability.prefers_int8(CPU) is (faster and capability.runs_int8(CPU))
    assert not capability.prefers_int8(torch.device("cuda"))


def test_faster_means_clearly_faster(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(capability.time, "perf_counter", lambda: clock[0])

    def taking(seconds: float):
        def product() -> None:
            clock[0] += seconds

        return product

    assert capability._is_faster(taking(1.0), taking(2.0))
    assert not capability._is_faster(taking(1.0), taking(1.1))
    assert not capability._is_faster(taking(2.0), taking(1.0))


def reported_by_a_process(settings: dict[str, str], before: str = "") -> str:
    """Return the capabilities that a new process detects under these settings."""
    program = (
        f"import torch; {before}\n"
        "from seq2seq.system.capability import *\n"
        "from seq2seq.system.device import Precision, resolve_precision\n"
        "cpu = torch.device('cpu')\n"
        "print(runs_bfloat16(cpu), packs(torch.bfloat16), integer_kernel().__name__)\n"
        "print(resolve_precision(Precision.auto, cpu))"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **settings}
    completed = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    return " ".join(completed.stdout.split())


@pytest.mark.ci
def test_a_small_processor_trains_in_float32_and_has_two_digit_integer_products():
    assert reported_by_a_process(SMALL) == f"False False {FbgemmKernel.__name__} float32"


@pytest.mark.ci
def test_without_onednn_there_are_integer_products():
    """As on other architectures: neither oneDNN nor FBGEMM."""
    result = reported_by_a_process(
        SMALL, "torch.backends.mkldnn.is_available = lambda: False; torch.backends.mkldnn.set_flags(False)"
    )
    assert result.split()[1:3] == ["False", "FbgemmKernel"]


@needs_bfloat16
def test_the_type_of_recurrent_layers_is_tried_without_random_numbers(fresh):
    device, before = torch.device("cpu"), torch.get_rng_state()
    assert not capability.runs_recurrent_bfloat16(device), "a CPU has no cuDNN"
    assert capability.recurrent_dtype(device, torch.bfloat16) is torch.float32
    assert capability.recurrent_dtype(device, torch.float16) is torch.float16

    class Cudnn(capability.Operations):
        def __init__(self) -> None:
            super().__init__()
            self.names = ["aten::_cudnn_rnn"]

    fresh.setattr(capability, "Operations", Cudnn)
    capability.runs_recurrent_bfloat16.cache_clear()
    with torch.no_grad():
        assert capability.runs_recurrent_bfloat16(device)
    right = torch.lstm
    fresh.setattr("torch.lstm", lambda inputs, *others: right(inputs * (inputs.dtype.itemsize - 3), *others))
    capability.runs_recurrent_bfloat16.cache_clear()
    assert not capability.runs_recurrent_bfloat16(device), "it is wrong"
    assert torch.equal(torch.get_rng_state(), before)
