"""The clock: warm up, repeat, wait for the device around the timing and never inside it."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

Result = TypeVar("Result")


@dataclass(frozen=True)
class Spread:
    """Median and range of repeated measurements of one thing."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """The spread of at least one value."""
        return cls(statistics.median(values), min(values), max(values))


def synchronize(device: torch.device) -> None:
    """Wait until a GPU has done what it was given; nothing on a CPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(work: Callable[[], object], device: torch.device, warmup: int, repetitions: int) -> list[float]:
    """Seconds of each of ``repetitions`` calls, after ``warmup`` calls that do not count."""
    return [took for took, _ in timed(work, device, warmup, repetitions)]


def timed(
    work: Callable[[], Result], device: torch.device, warmup: int, repetitions: int
) -> list[tuple[float, Result]]:
    """Seconds and result of each of ``repetitions`` calls, after ``warmup`` calls that do not count."""
    for _ in range(warmup):
        work()
    found: list[tuple[float, Result]] = []
    for _ in range(repetitions):
        synchronize(device)
        started = time.perf_counter()
        result = work()
        synchronize(device)
        found.append((time.perf_counter() - started, result))
    return found


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least a ``share`` of the values does not exceed (nearest rank)."""
    ranked = sorted(values)
    place = -(-share * len(ranked) // 1)  # rounded up
    return ranked[max(0, min(len(ranked), int(place)) - 1)]
