"""Profile of a training update by part of the network.

Hooks around the network's modules mark the scope of each operation of the forward pass. An operation of the backward
pass belongs to the scope of the forward operation that created its graph node: both have the same sequence number.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import nn
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile, record_function

from seq2seq.benchmark.measurement import synchronize
from seq2seq.benchmark.update import SCOPE

# Keeps the profiler from reporting its own start and end on stderr; a value set by the user has precedence.
os.environ.setdefault("KINETO_LOG_LEVEL", "99")

MODULES = {
    "source_embedding": "embedding",
    "target_embedding": "embedding",
    "encoder": "encoder",
    "bridge": "encoder",
    "decoder": "decoder",
    "decoder.attention": "attention",
    "decoder.attention.key_map": "attention",  # both are called outside of attention, once per sentence
    "decoder.attention.value_map": "attention",
    "decoder.readout": "output layer",
    "output": "output layer",
}
"""Part of each module; in nested modules the innermost determines the part."""

PARTS = ("embedding", "encoder", "decoder", "attention", "output layer", "loss", "optimizer", "data", "other")
BACKWARD = "autograd::engine::evaluate_function"


def profile_parts(
    work: Callable[[], object], network: nn.Module, device: torch.device, repetitions: int
) -> dict[str, float]:
    """Seconds of one call of ``work`` by part, in the order of `PARTS`; they add up to the elapsed time.

    On a GPU the time of kernels is counted, and "other" includes the time in which the GPU was idle.
    """
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.type == "cuda" else [])]
    with scopes(network):
        work()
        with profile(activities=activities) as profiler:
            synchronize(device)
            start = time.perf_counter()
            for _ in range(repetitions):
                work()
            synchronize(device)
            total = time.perf_counter() - start
    by_part = attribute(profiler.events() or [], cuda=device.type == "cuda")
    by_part["other"] = total - sum(took for part, took in by_part.items() if part != "other")
    return {part: by_part.get(part, 0.0) / repetitions for part in PARTS}


@contextlib.contextmanager
def scopes(network: nn.Module) -> Iterator[None]:
    """Mark the operations of the network's modules with their parts. The hooks are removed at the end."""
    entered: list[Any] = []

    def enter_part(part: str) -> Callable[..., None]:
        def enter(module: nn.Module, inputs: object) -> None:
            scope = record_function(f"{SCOPE}{part}")
            scope.__enter__()  # type: ignore[no-untyped-call]
            entered.append(scope)

        return enter

    def leave(module: nn.Module, inputs: object, outputs: object) -> None:
        entered.pop().__exit__(None, None, None)

    handles = []
    for name, module in network.named_modules(remove_duplicate=False):
        if name in MODULES and not (name == "source_embedding" and _tied(network)):
            handles.append(module.register_forward_pre_hook(enter_part(MODULES[name])))
            handles.append(module.register_forward_hook(leave))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _tied(network: nn.Module) -> bool:
    """Whether both embeddings are one module, which must not get its hooks twice."""
    modules = dict(network.named_modules(remove_duplicate=False))
    return modules.get("source_embedding") is modules.get("target_embedding")


def attribute(events: Iterable[FunctionEvent], cuda: bool) -> dict[str, float]:
    """Seconds by part: each operation's own time, on a GPU that of its kernels, without nested operations."""
    by_part: dict[str, float] = {}
    for event, part in with_parts(events):
        by_part[part] = by_part.get(part, 0.0) + (_kernels(event) if cuda else event.self_cpu_time_total) / 1e6
    return by_part


def with_parts(events: Iterable[FunctionEvent]) -> Iterator[tuple[FunctionEvent, str]]:
    """Each operation of the CPU with its part, in the order of their start."""
    operations = sorted((event for event in events if event.device_type.name == "CPU"), key=_start)
    forward_part: dict[int, str] = {}
    for event in operations:
        # Of all operations with this number, the last one created the node.
        if event.sequence_nr >= 0 and _backward(event) is None:
            forward_part[event.sequence_nr] = _scope(event)
    for event in operations:
        node = _backward(event)
        yield event, _scope(event) if node is None else forward_part.get(node.sequence_nr, "other")


def _start(event: FunctionEvent) -> float:
    return float(event.time_range.start)


def _kernels(event: FunctionEvent) -> float:
    """Microseconds of the kernels that the operation itself launched, without the GPU ranges of scopes."""
    return float(sum(kernel.duration for kernel in event.kernels if not kernel.name.startswith(SCOPE)))


def _ancestry(event: FunctionEvent) -> Iterator[FunctionEvent]:
    current: FunctionEvent | None = event
    while current is not None:
        yield current
        current = current.cpu_parent


def _backward(event: FunctionEvent) -> FunctionEvent | None:
    """The backward node that the operation is or belongs to; None in the forward pass."""
    return next((outer for outer in _ancestry(event) if outer.name.startswith(BACKWARD)), None)


def _scope(event: FunctionEvent) -> str:
    """The part of the innermost scope around the operation."""
    names = (outer.name for outer in _ancestry(event) if outer.name.startswith(SCOPE))
    return next((name.removeprefix(SCOPE) for name in names), "other")
