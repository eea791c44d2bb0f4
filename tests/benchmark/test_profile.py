"""The profile: every operation is in the right part, forward and backward."""

import pytest
import torch
from benchmarks import tiny_updater
from torch import nn
from torch.autograd.profiler_util import FunctionEvent, Kernel
from torch.profiler import ProfilerActivity, profile

from seq2seq.benchmark.profile import BACKWARD, MODULES, PARTS, attribute, profile_parts, scopes, with_parts
from seq2seq.benchmark.update import SCOPE
from seq2seq.model import AttentionKind, ModelConfig, Network


def event(name: str, start: float, end: float, parent: FunctionEvent | None = None, number: int = -1) -> FunctionEvent:
    profiled = FunctionEvent(0, name, 1, start, end, sequence_nr=number)
    if parent is not None:
        profiled.cpu_parent = parent
        parent.append_cpu_child(profiled)
    return profiled


def test_backward_work_belongs_to_the_scope_of_its_forward_operation():
    encoder = event(f"{SCOPE}encoder", 0, 100)
    look = event("aten::empty", 5, 10, encoder, number=7)  # without a node: the next event has its number
    output = event(f"{SCOPE}output layer", 100, 200)
    product = event("aten::addmm", 100, 150, output, number=7)
    node = event(f"{BACKWARD}: AddmmBackward0", 300, 400, number=7)
    inner = event("aten::mm", 310, 390, node, number=7)
    nobody = event(f"{BACKWARD}: AccumulateGrad", 400, 410, number=99)
    times = attribute([encoder, look, output, product, node, inner, nobody], cuda=False)
    assert times == {
        "encoder": pytest.approx(100e-6),
        "output layer": pytest.approx(200e-6),
        "other": pytest.approx(10e-6),
    }


def test_the_innermost_scope_counts():
    decoder = event(f"{SCOPE}decoder", 0, 100)
    attention = event(f"{SCOPE}attention", 20, 50, decoder)
    event("aten::bmm", 25, 45, attention)
    times = attribute([decoder, attention, *attention.cpu_children], cuda=False)
    assert times == {"decoder": pytest.approx(70e-6), "attention": pytest.approx(30e-6)}


def test_on_a_gpu_the_kernels_count_and_the_range_of_a_scope_does_not():
    scope = event(f"{SCOPE}encoder", 0, 100)
    scope.kernels.append(Kernel(f"{SCOPE}encoder", 0, 500))
    product = event("aten::mm", 10, 20, scope)
    product.kernels.append(Kernel("gemm", 0, 40))
    assert attribute([scope, product], cuda=True) == {"encoder": pytest.approx(40e-6)}


def test_every_part_of_a_real_update_is_measured_and_hooks_are_removed():
    update = tiny_updater()
    before = {name: len(module._forward_hooks) for name, module in update.network.named_modules()}
    by_part = profile_parts(update, update.network, torch.device("cpu"), 2)
    assert list(by_part) == list(PARTS)
    assert all(by_part[part] > 0 for part in PARTS)
    assert before == {name: len(module._forward_hooks) for name, module in update.network.named_modules()}


def test_every_product_of_a_real_backward_pass_has_a_part():
    update = tiny_updater()
    with scopes(update.network), profile(activities=[ProfilerActivity.CPU]) as profiler:
        update()
    backward = [(event, part) for event, part in with_parts(profiler.events()) if event.name.startswith(BACKWARD)]
    assert {part for _, part in backward} >= {"encoder", "decoder", "attention", "output layer", "loss"}
    products = {(event.name, part) for event, part in backward if "mm" in event.name or "lstm" in event.name.lower()}
    assert products
    assert "other" not in {part for _, part in products}


def test_every_named_module_exists():
    network = Network(ModelConfig(attention=AttentionKind.general, attention_heads=2), 9, 9, joint=False)
    assert set(MODULES) <= dict(network.named_modules(remove_duplicate=False)).keys()


def test_a_shared_embedding_is_hooked_once():
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.target_embedding = nn.Embedding(3, 2)
            self.source_embedding = self.target_embedding

    network = Shared()
    with scopes(network):
        assert len(network.target_embedding._forward_hooks) == 1
    assert not network.target_embedding._forward_hooks
    assert not network.target_embedding._forward_pre_hooks
