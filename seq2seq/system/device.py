"""Where tensors live and in what precision products are taken."""

import ctypes
import os
import re
import sys
from contextlib import AbstractContextManager
from enum import StrEnum

import torch

from seq2seq.errors import ConfigError
from seq2seq.system.processes import own_gpu

# On a CPU, oneDNN keeps a compiled kernel with its buffers for each of the last 1024 shapes, and every batch has a
# shape of its own: gigabytes by the second epoch. It reads these at its first use; who sets them otherwise is obeyed.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "40")
os.environ.setdefault("LRU_CACHE_CAPACITY", "40")


def keep_freed_memory() -> None:
    """Tell the C library to keep memory that is freed for what is allocated next.

    Large tensors come and go at every step. By default each is mapped anew and zeroed by the system, page by page:
    a quarter of a training step. The price is that a process holds on to the most memory it ever used.
    """
    c_library = ctypes.CDLL(None)
    if hasattr(c_library, "mallopt"):  # glibc
        trim_threshold, mmap_max = -1, -4
        c_library.mallopt(trim_threshold, 2**31 - 1)
        c_library.mallopt(mmap_max, 0)


if sys.platform == "linux":
    keep_freed_memory()


class Precision(StrEnum):
    """Precision of matrix products; weights, sums and losses are float32 in every case."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"


def choose_device(name: str) -> torch.device:
    """``auto`` is the GPU where there is one; of several processes each has its own.

    Raises:
        ConfigError: an unknown device or one this machine lacks.
    """
    if name == "auto":
        return _own(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    match = re.fullmatch(r"cpu|cuda(?::(\d+))?", name)
    if match is None:
        raise ConfigError(f"device must be auto, cpu, cuda or cuda:NUMBER, got {name}")
    if name != "cpu" and int(match[1] or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device={name} asks for a GPU, and torch sees {torch.cuda.device_count()} here: use device=cpu"
        )
    return _own(torch.device(name))


def _own(device: torch.device) -> torch.device:
    """This process's GPU, if several work together on GPUs; else the device itself."""
    number = own_gpu(torch.cuda.device_count()) if device.type == "cuda" else None
    if number is None:
        return device
    if device.index is not None:
        raise ConfigError(f"device={device} is one GPU for several processes: use device=cuda, and each has its own")
    torch.cuda.set_device(number)
    return torch.device("cuda", number)


def set_seed(seed: int) -> None:
    """Seed all that is drawn from here on."""
    torch.manual_seed(seed)


def has_bfloat16(device: torch.device) -> bool:
    """True where bfloat16 products are faster than float32 ones: recent GPUs, CPUs with AVX512-BF16 or AMX."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def is_reduced(precision: Precision, device: torch.device) -> bool:
    """True where the chosen precision is bfloat16 on this device."""
    return precision is Precision.bfloat16 or (precision is Precision.auto and has_bfloat16(device))


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[None]:
    """Context in which products run in the chosen precision."""
    wanted = is_reduced(precision, device)
    context: AbstractContextManager[None] = torch.autocast(device.type, torch.bfloat16, enabled=wanted)
    return context
