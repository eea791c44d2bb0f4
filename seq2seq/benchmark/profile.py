"""Where an update's time goes, part by part.

Hooks around the network's modules name the scope of each operation of the forward pass. An operation of the backward
pass belongs to the scope of the forward operation that made its node of the graph: both carry one sequence number.
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

from seq2seq.benchmark.clock import synchronize
from seq2seq.benchmark.update import SCOPE

# The profiler would otherwise report its own start and end on stderr; whoever sets it otherwise is obeyed.
os.environ.setdefault("KINETO_LOG_LEVEL", "99")

MODULES = {
    "source_embedding": "embedding",
    "target_embedding": "embedding",
    "encoder": "encoder",
    "bridge": "encoder",
    "decoder": "decoder",
    "decoder.attention": "attention",
    "decoder.attention.key_map": "attention",  # both called from outside of attention, once a sentence
    "decoder.attention.value_map": "attention",
    "decoder.readout": "output layer",
    "output": "output layer",
}
"""Part of each module; the innermost counts."""

PARTS = ("embedding", "encoder", "decoder", "attention", "output layer", "loss", "optimiser", "data", "other")
BACKWARD = "autograd::engine::evaluate_function"


def profiled(
    work: Callable[[], object], network: nn.Module, device: torch.device, repetitions: int
) -> dict[str, float]:
    """Seconds of one call of ``work`` by part, in the order of `PARTS`; they add up to the time on the clock.

    On a GPU it is the kernels' time; "other" then also holds the time in which the GPU had nothing to do.
    """
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.type == "cuda" else [])]
    with scopes(network):
        work()
        with profile(activities=activities) as found:
            synchronize(device)
            started = time.perf_counter()
            for _ in range(repetitions):
                work()
            synchronize(device)
            total = time.perf_counter() - started
    by_part = attributed(found.events() or [], cuda=device.type == "cuda")
    by_part["other"] = total - sum(took for part, took in by_part.items() if part != "other")
    return {part: by_part.get(part, 0.0) / repetitions for part in PARTS}


@contextlib.contextmanager
def scopes(network: nn.Module) -> Iterator[None]:
    """Name what the network's modules do while this is open; afterwards the network is as it was."""
    entered: list[Any] = []

    def entering(part: str) -> Callable[..., None]:
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
            handles.append(module.register_forward_pre_hook(entering(MODULES[name])))
            handles.append(module.register_forward_hook(leave))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _tied(network: nn.Module) -> bool:
    """Both embeddings are one module, which must not get its hooks twice."""
    modules = dict(network.named_modules(remove_duplicate=False))
    return modules.get("source_embedding") is modules.get("target_embedding")


def attributed(events: Iterable[FunctionEvent], cuda: bool) -> dict[str, float]:
    """Seconds by part: each operation's own time (on a GPU: its kernels'), without that of operations within it."""
    operations = sorted((event for event in events if event.device_type.name == "CPU"), key=_start)
    made: dict[int, str] = {}
    for event in operations:
        # Of all operations that saw this number, the last made the node.
        if event.sequence_nr >= 0 and _backward(event) is None:
            made[event.sequence_nr] = _scope(event)
    found: dict[str, float] = {}
    for event in operations:
        node = _backward(event)
        part = _scope(event) if node is None else made.get(node.sequence_nr, "other")
        found[part] = found.get(part, 0.0) + (_kernels(event) if cuda else event.self_cpu_time_total) / 1e6
    return found


def _start(event: FunctionEvent) -> float:
    return float(event.time_range.start)


def _kernels(event: FunctionEvent) -> float:
    """Microseconds of the kernels that the operation itself started; a scope's own range on the GPU is none."""
    return float(sum(kernel.duration for kernel in event.kernels if not kernel.name.startswith(SCOPE)))


def _ancestry(event: FunctionEvent) -> Iterator[FunctionEvent]:
    at: FunctionEvent | None = event
    while at is not None:
        yield at
        at = at.cpu_parent


def _backward(event: FunctionEvent) -> FunctionEvent | None:
    """The node of the backward pass that the operation is or belongs to."""
    return next((one for one in _ancestry(event) if one.name.startswith(BACKWARD)), None)


def _scope(event: FunctionEvent) -> str:
    """The innermost named part around the operation."""
    names = (one.name for one in _ancestry(event) if one.name.startswith(SCOPE))
    return next((name.removeprefix(SCOPE) for name in names), "other")
