"""Copies between the host and a device, for which the meta device stands."""

import math

import torch

from seq2seq.benchmark.meta_device import META, Waits
from seq2seq.system.transfer import to_device, to_host

CPU = torch.device("cpu")
TENSORS = [
    torch.tensor([[0.1, -math.inf], [math.pi, 3e38]]),
    torch.tensor([2**53, -7]),
    torch.tensor([True, False, True]),
    torch.zeros(0, 2),
    torch.tensor([1e-40, 2.5]).bfloat16(),
]


def test_all_come_to_the_host_as_they_were_by_one_copy():
    with Waits() as waits:
        there = [to_device(tensor, META) for tensor in TENSORS]
        assert waits.found == []
        here = to_host(*there)
        assert len(waits.found) == 1
    for found, wanted in zip(here, TENSORS, strict=True):
        assert found.dtype is wanted.dtype
        assert torch.equal(found, wanted)


def test_on_a_cpu_nothing_is_copied():
    assert all(found is wanted for found, wanted in zip(to_host(*TENSORS), TENSORS, strict=True))
    assert to_host() == []
    assert to_device(TENSORS[0], CPU) is TENSORS[0]


def test_a_gpu_fetches_from_pinned_memory(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: asked.append("pinned") or self)
    monkeypatch.setattr(torch.Tensor, "to", lambda self, device, **how: asked.append((device.type, how)) or self)
    to_device(torch.ones(2), torch.device("cuda"))
    assert asked == ["pinned", ("cuda", {"non_blocking": True})]
    to_device(torch.ones(2, device=META), torch.device("cuda"))
    assert asked[2:] == [("cuda", {"non_blocking": True})], "only memory of the host can be pinned"
