"""How many threads a process computes with, and how they wait for one another. Imports no PyTorch."""

import os
from pathlib import Path

WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
COUNTING = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
CPUS = Path("/sys/devices/system/cpu")
QUOTA = Path("/sys/fs/cgroup/cpu.max")


SHORT_WAIT = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "3000"}
"""Spin for a tenth of a millisecond or so, the time between two products of a recurrent layer, then sleep."""


def wait_briefly() -> None:
    """Let threads that have nothing to do spin for a moment and then sleep, unless the environment says how they wait.

    OpenMP's threads spin for many milliseconds by default, which takes time from the threads that compute wherever two
    processors are one core, or the system has other work. Threads that sleep at once are woken too late for the short
    products of a recurrent layer: training then takes a third longer on two cores. OpenMP reads these variables when
    PyTorch is imported; after that they have no effect.
    """
    if not any(name in os.environ for name in WAITING):
        os.environ.update(SHORT_WAIT)


def use_threads(threads: int | None) -> int:
    """Compute with so many threads on a CPU; None: one a core, or as the environment says. Returns how many.

    The number follows from the machine and nothing that is measured: sums are taken in as many parts, and a run that is
    resumed must have the same bits.
    """
    import torch

    if threads is None and not any(name in os.environ for name in COUNTING):
        threads = cores()
    if threads is not None:
        torch.set_num_threads(threads)
    return torch.get_num_threads()


def cores() -> int | None:
    """Physical cores that this process may use, a container's share counted; None where the system does not tell."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    try:
        siblings = {
            (CPUS / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text() for cpu in os.sched_getaffinity(0)
        }
    except OSError:
        return None
    share = _share()
    return len(siblings) if share is None else max(1, min(len(siblings), int(share)))


def _share() -> float | None:
    """Processors' worth of time that the control group allows; None: no limit is known."""
    try:
        quota, period = QUOTA.read_text().split()
        return int(quota) / int(period)
    except (OSError, ValueError):  # "max": no limit
        return None
