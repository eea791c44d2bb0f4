"""Number of computing threads, and how idle threads wait. Does not import PyTorch."""

import os
from pathlib import Path

WAIT_VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
COUNT_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
CPUS = Path("/sys/devices/system/cpu")
QUOTA = Path("/sys/fs/cgroup/cpu.max")


SHORT_WAIT = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "3000"}
"""Idle threads spin for about 0.1 ms, the time between two products of a recurrent layer, and then sleep."""


def set_wait_policy() -> None:
    """Make idle threads spin briefly and then sleep, unless the environment sets a policy.

    By default OpenMP's threads spin for many milliseconds. This slows down computing threads on the same core and other
    processes. Threads that sleep immediately wake too late for the short products of a recurrent layer: training then
    takes a third longer on two cores. OpenMP reads these variables when PyTorch is imported, so call this before.
    """
    if not any(name in os.environ for name in WAIT_VARIABLES):
        os.environ.update(SHORT_WAIT)


def use_threads(threads: int | None) -> int:
    """Set the number of computing threads on a CPU, and return it.

    The default depends on the machine and on no measurement. Sums are split by thread, and a resumed run must have the
    same bits.

    Args:
        threads: None: the environment's number, or else one per physical core.
    """
    import torch

    if threads is None and not any(name in os.environ for name in COUNT_VARIABLES):
        threads = physical_cores()
    if threads is not None:
        torch.set_num_threads(threads)
    return torch.get_num_threads()


def physical_cores() -> int | None:
    """Physical cores that this process may use, within a container's quota; None if the system does not report them."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    try:
        siblings = {
            (CPUS / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text() for cpu in os.sched_getaffinity(0)
        }
    except OSError:
        return None
    quota = _cpu_quota()
    return len(siblings) if quota is None else max(1, min(len(siblings), int(quota)))


def _cpu_quota() -> float | None:
    """Number of CPUs that the control group allows; None without a limit."""
    try:
        quota, period = QUOTA.read_text().split()
        return int(quota) / int(period)
    except (OSError, ValueError):  # "max" means no limit
        return None
