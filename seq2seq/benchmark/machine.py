"""The machine's limits: the rate of matrix products and the bandwidth of memory, both measured.

A floor is the least time for counted work under these limits: its arithmetic at the rate of a large square product, or
its bytes at the bandwidth of a large copy, whichever takes longer.
"""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import torch

from seq2seq.benchmark.arithmetic import Work
from seq2seq.benchmark.config import MeasureConfig
from seq2seq.benchmark.measurement import seconds
from seq2seq.inference.config import InferencePrecision
from seq2seq.inference.products import make_product
from seq2seq.system.capability import integer_kernel, prefers_bfloat16, runs_bfloat16, runs_int8
from seq2seq.system.device import DTYPES

PRODUCT = 2048, 8192
"""Rows and columns of the product on a CPU and on a GPU, where 2048 would measure the launch of the kernel."""
COPY = 256, 2048
"""Megabytes of the copy on a CPU and on a GPU."""
REREADS = 100
"""Sums per measurement on a GPU; one on a CPU."""


@dataclass(frozen=True)
class Machine:
    """A device and its measured limits."""

    device: str
    name: str
    cores: int
    threads: int
    torch: str
    python: str
    operations: dict[str, float]
    """Operations per second of a large square product, by precision (integer operations for int8)."""
    bandwidth: float
    """Bytes per second of a large copy, read and written bytes added."""
    kernels: str = ""
    """Kernels that work here: PyTorch's instruction set, bfloat16, and the int8 kernel."""

    def rate(self, precision: str) -> float:
        """Operations per second in a precision; the fastest measured rate where that precision was not measured."""
        return self.operations.get(precision, max(self.operations.values()))

    def floor(self, work: Work, precision: str, bandwidth: float = 0) -> float:
        """Minimum time of ``work`` in seconds: the longer of the times of its arithmetic and of its bytes.

        Args:
            work: counted operations and bytes.
            precision: of the arithmetic.
            bandwidth: bytes per second from a cache (`reread_rate`); used where it exceeds that of main memory.
        """
        return max(work.operations / self.rate(precision), work.bytes / max(bandwidth, self.bandwidth))


def measure_machine(device: torch.device, config: MeasureConfig) -> Machine:
    """Measure a device. This takes some seconds on a CPU."""
    precisions = ["float32"]
    precisions += ["bfloat16"] if runs_bfloat16(device) else []
    precisions += ["float16"] if device.type == "cuda" else []  # most CPUs have no fast float16 product
    precisions += ["int8"] if runs_int8(device) else []
    rates = {precision: _product_rate(device, precision, config) for precision in precisions}
    return Machine(
        device=str(device),
        name=_name(device),
        cores=os.cpu_count() or 1,
        threads=torch.get_num_threads(),
        torch=torch.__version__,
        python=platform.python_version(),
        operations=rates,
        bandwidth=_copy_rate(device, config),
        kernels=_kernels(device),
    )


def reread_rate(device: torch.device, size: int, config: MeasureConfig) -> float:
    """Bytes per second when the same ``size`` bytes are read repeatedly: the rate of a cache where they fit in one."""
    block = torch.ones(max(1024, size // 4), device=device)
    times = _size(device, None, (1, REREADS))

    def read() -> None:
        for _ in range(times):
            block.sum()

    took = seconds(read, device, config.warmup, config.repetitions)
    return times * block.numel() * 4 / min(took)


def _size(device: torch.device, configured: int | None, defaults: tuple[int, int]) -> int:
    """The configured size, or the default for a CPU or for a GPU."""
    return defaults[device.type != "cpu"] if configured is None else configured


def _product_rate(device: torch.device, precision: str, config: MeasureConfig) -> float:
    """The best rate of PyTorch's own product and of one with packed weights, as search uses it.

    Which of the two is faster depends on the processor.
    """
    size = _size(device, config.product, PRODUCT)
    left, right = (torch.rand(size, size, device=device) for _ in range(2))
    took: list[float] = []
    if precision in InferencePrecision.__members__:
        prepared = make_product(left, None, InferencePrecision(precision))
        took += seconds(lambda: prepared(right), device, max(1, config.warmup), config.repetitions)
    if precision != InferencePrecision.int8:
        dtype = DTYPES.get(precision, torch.float32)
        left, right = left.to(dtype), right.to(dtype)
        took += seconds(lambda: left @ right, device, max(1, config.warmup), config.repetitions)
    return 2 * size**3 / min(took)


def _copy_rate(device: torch.device, config: MeasureConfig) -> float:
    source = torch.ones(_size(device, config.copy, COPY) * 250_000, device=device)
    target = torch.empty_like(source)
    took = seconds(lambda: target.copy_(source), device, max(1, config.warmup), config.repetitions)
    return 2 * source.numel() * 4 / min(took)


def _kernels(device: torch.device) -> str:
    if device.type == "cuda":
        return "bfloat16" if runs_bfloat16(device) else "no bfloat16"
    kernel = integer_kernel()
    bfloat16 = "no bfloat16" if not runs_bfloat16(device) else "bfloat16"
    faster = "" if not prefers_bfloat16(device) else ", faster than float32"
    integers = "no int8" if kernel is None else f"int8 by {kernel.__name__.removesuffix('Kernel')}"
    return f"{torch.backends.cpu.get_cpu_capability()}; {bfloat16}{faster}; {integers}"


def _name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text(encoding="utf-8").splitlines() if cpu.exists() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
