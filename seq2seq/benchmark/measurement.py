"""Time and memory: repeated measurements after a warm-up, and peak memory.

Peak memory is the resident memory of this process on a CPU, and the memory of allocated tensors on a GPU. Linux's own
high-water mark is preferred: it can be reset, and a child process starts with its own. ``ru_maxrss`` of `resource`
cannot be reset, and after fork and exec it still holds the parent's value.
"""

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")

Result = TypeVar("Result")


@dataclass(frozen=True)
class Spread:
    """Median and range of repeated measurements of one quantity."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """The spread of at least one value."""
        return cls(statistics.median(values), min(values), max(values))


def synchronize(device: torch.device) -> None:
    """Wait until a GPU has finished its queued work; does nothing on a CPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(work: Callable[[], object], device: torch.device, warmup: int, repetitions: int) -> list[float]:
    """Seconds of each of ``repetitions`` calls, after ``warmup`` calls that are not measured."""
    return [took for took, _ in timed(work, device, warmup, repetitions)]


def timed(
    work: Callable[[], Result], device: torch.device, warmup: int, repetitions: int
) -> list[tuple[float, Result]]:
    """Seconds and result of each of ``repetitions`` calls, after ``warmup`` calls that are not measured.

    The device is synchronized before and after each call, never within it.
    """
    for _ in range(warmup):
        work()
    measured: list[tuple[float, Result]] = []
    for _ in range(repetitions):
        synchronize(device)
        start = time.perf_counter()
        result = work()
        synchronize(device)
        measured.append((time.perf_counter() - start, result))
    return measured


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that is at least as large as a ``share`` of all values (nearest-rank method)."""
    ranked = sorted(values)
    rank = -(-share * len(ranked) // 1)  # rounded up
    return ranked[max(0, min(len(ranked), int(rank)) - 1)]


def reset_peak(device: torch.device) -> None:
    """Forget earlier peaks of memory. Outside Linux a CPU's peak cannot be reset and stays that since the start."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        CLEAR.write_text("5")
    except OSError:
        return


def peak(device: torch.device) -> int:
    """Peak memory in bytes since `reset_peak`."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resident("VmHWM")


def resident(entry: str) -> int:
    """Resident memory in bytes, now (``VmRSS``) or at most (``VmHWM``).

    Other systems report their maximum for both; Windows reports 0.
    """
    if STATUS.exists():
        for line in STATUS.read_text(encoding="utf-8").splitlines():
            if line.startswith(f"{entry}:"):
                return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
