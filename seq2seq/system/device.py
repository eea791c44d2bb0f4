"""Devices, precisions of matrix products, memory allocation, and copies between the host and a GPU."""

import ctypes
import os
import re
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from seq2seq.errors import ConfigError, counted
from seq2seq.system.capability import prefers_bfloat16, runs_bfloat16, runs_float16, runs_tf32
from seq2seq.system.precision import Precision
from seq2seq.system.processes import assigned_gpu

# On a CPU, oneDNN keeps a compiled kernel with its buffers for each of the last 1024 shapes. Every batch has another
# shape, so this takes gigabytes by the second epoch. oneDNN reads the variables at its first use.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "40")
os.environ.setdefault("LRU_CACHE_CAPACITY", "40")
# On a GPU, products of cuBLAS and of cuDNN's recurrent layers are reproducible only with workspaces of a fixed size.
# cuBLAS reads the variable when it starts, so it is set before there is a tensor on a GPU.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


TRIM_THRESHOLD, MMAP_MAX, ARENA_MAX = -1, -4, -8
"""Parameters of glibc's mallopt."""


def set_allocation(setting: int, value: int) -> None:
    """Set a parameter of memory allocation, if the C library is glibc."""
    try:
        c_library = ctypes.CDLL(None)
    except (OSError, TypeError):  # Windows and static builds
        return
    if hasattr(c_library, "mallopt"):
        c_library.mallopt(setting, value)


def keep_freed_memory() -> None:
    """Make the C library keep freed memory for later allocations.

    Every step allocates and frees large tensors. By default the system maps and zeroes each again, which takes a
    quarter of a training step. The cost is that a process keeps the peak of the memory it has used.
    """
    set_allocation(TRIM_THRESHOLD, 2**31 - 1)
    set_allocation(MMAP_MAX, 0)


def share_freed_memory() -> None:
    """Make the C library share freed memory between threads that compute in turn.

    Otherwise each thread keeps the peak of the memory it has used.
    """
    set_allocation(ARENA_MAX, 1)


keep_freed_memory()


def processor(device: torch.device) -> str:
    """The kind of processor, for figures about speed: a GPU's name, or a CPU's instruction set and the threads used."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{torch.backends.cpu.get_cpu_capability()}, {counted(threads, 'thread')}"


def allow_tf32(allowed: bool) -> None:
    """Allow or forbid a GPU to round the factors of float32 products to TF32 (10 of 23 bits), also in recurrent layers.

    PyTorch's default allows it in cuDNN's recurrent layers only. A teacher-forced pass, which uses them, then differs
    from a search, whose steps use other products.
    """
    for products in (torch.backends.cuda.matmul, torch.backends.cudnn.rnn):
        products.fp32_precision = "tf32" if allowed else "ieee"  # type: ignore[union-attr]


allow_tf32(False)


DTYPES: dict[str, torch.dtype] = {Precision.bfloat16: torch.bfloat16, Precision.float16: torch.float16}
"""Type of products under autocast; the other precisions use float32."""


def choose_device(name: str) -> torch.device:
    """The device of that name. ``auto`` is a GPU if there is one. Each of several processes has its own GPU.

    Raises:
        ConfigError: the name is unknown, or this machine has no such device.
    """
    if name == "auto":
        return _assigned(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    match = re.fullmatch(r"cpu|cuda(?::(\d+))?", name)
    if match is None:
        raise ConfigError(f"device must be auto, cpu, cuda or cuda:NUMBER, got {name}")
    if name != "cpu" and int(match[1] or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device={name} is not available, torch sees {torch.cuda.device_count()} GPUs: set device=cpu"
        )
    return _assigned(torch.device(name))


def _assigned(device: torch.device) -> torch.device:
    """This process's GPU if several processes use GPUs; otherwise the device itself."""
    number = assigned_gpu(torch.cuda.device_count()) if device.type == "cuda" else None
    if number is None:
        return device
    if device.index is not None:
        raise ConfigError(f"device={device} is one GPU for several processes: set device=cuda to give each its own")
    torch.cuda.set_device(number)
    return torch.device("cuda", number)


def set_seed(seed: int) -> None:
    """Seed torch's random numbers."""
    torch.manual_seed(seed)


def resolve_precision(precision: Precision, device: torch.device) -> Precision:
    """The precision of products. ``auto`` is bfloat16 where that is clearly faster than float32, otherwise float32.

    Raises:
        ConfigError: the device does not support the configured bfloat16, float16 or TF32.
    """
    if precision is Precision.auto:
        return Precision.bfloat16 if prefers_bfloat16(device) else Precision.float32
    lacks_bfloat16 = precision is Precision.bfloat16 and not runs_bfloat16(device)
    if lacks_bfloat16 or (precision is Precision.float16 and not runs_float16(device)):
        where = "processor" if device.type == "cpu" else "GPU"
        raise ConfigError(f"{precision} does not run on this {where}: set the precision to float32 or auto")
    if precision is Precision.tf32 and not runs_tf32(device):
        raise ConfigError("tf32 needs an Ampere or later GPU: set the precision to float32 or auto")
    return precision


def is_reduced(precision: Precision, device: torch.device) -> bool:
    """Whether the resolved precision is bfloat16."""
    return resolve_precision(precision, device) is Precision.bfloat16


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[None]:
    """A context whose products run in the resolved precision."""
    resolved = resolve_precision(precision, device)
    if device.type == "cuda":
        allow_tf32(resolved is Precision.tf32)
    return cast_to(DTYPES.get(resolved, torch.float32), device)


def cast_to(dtype: torch.dtype, device: torch.device) -> AbstractContextManager[None]:
    """A context whose products run in this type; for float32 it casts nothing."""
    if dtype is torch.float32:
        return nullcontext()
    context: AbstractContextManager[None] = torch.autocast(device.type, dtype)
    return context


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on ``device``. The host does not wait for the copy, which is from pinned memory.

    A tensor that is already on the device is returned unchanged.
    """
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=device.type != "cpu")


def to_host(*tensors: Tensor) -> list[Tensor]:
    """The tensors on the host, by one copy, so that the host waits once. On a CPU they are returned unchanged.

    Args:
        tensors: on one device, with values that float64 represents exactly: not integers beyond 2⁵³.
    """
    if not tensors or tensors[0].device.type == "cpu":
        return list(tensors)
    copied = torch.cat([tensor.flatten().double() for tensor in tensors]).cpu()
    parts = torch.split_with_sizes(copied, [tensor.numel() for tensor in tensors])
    return [part.view(tensor.shape).to(tensor.dtype) for part, tensor in zip(parts, tensors, strict=True)]
