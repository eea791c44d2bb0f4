"""Peak memory: resident memory of this process on a CPU, allocated tensors on a GPU.

Linux's own high-water mark is used where it is to be had, for two reasons: it can be set back, and a child starts with
its own. `resource`'s ru_maxrss can do neither: after fork and exec it still holds the parent's.
"""

import sys
from pathlib import Path

import torch

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def reset_peak(device: torch.device) -> None:
    """Forget earlier peaks, where the system lets us."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        CLEAR.write_text("5")
    except OSError:
        return  # no Linux, or not allowed: the peak since the start it is then


def peak(device: torch.device) -> int:
    """Bytes at the highest since `reset_peak`."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resident("VmHWM")


def resident(entry: str) -> int:
    """Bytes resident: VmRSS now, VmHWM at most; 0 where the system says neither (Windows)."""
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
