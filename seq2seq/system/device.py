"""Where tensors live and in what precision products are taken."""

import ctypes
import os
import re
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum

import torch

from seq2seq.errors import ConfigError
from seq2seq.system.capability import prefers_bfloat16, runs_bfloat16, runs_float16, runs_tf32
from seq2seq.system.processes import own_gpu

# On a CPU, oneDNN keeps a compiled kernel with its buffers for each of the last 1024 shapes, and every batch has a
# shape of its own: gigabytes by the second epoch. It reads these at its first use; who sets them otherwise is obeyed.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "40")
os.environ.setdefault("LRU_CACHE_CAPACITY", "40")
# On a GPU, products of cuBLAS, cuDNN's recurrent layers among them, are the same in every run only with workspaces of
# a fixed size. It reads this when it starts, so it is set before there is a tensor on a GPU.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


TRIM_THRESHOLD, MMAP_MAX, ARENA_MAX = -1, -4, -8
"""Settings of glibc's allocation."""


def set_allocation(setting: int, value: int) -> None:
    """Set how the C library allocates, where it is glibc."""
    try:
        c_library = ctypes.CDLL(None)
    except (OSError, TypeError):  # no library has all that the program has: Windows, static builds
        return
    if hasattr(c_library, "mallopt"):
        c_library.mallopt(setting, value)


def keep_freed_memory() -> None:
    """Tell the C library to keep memory that is freed for what is allocated next.

    Large tensors come and go at every step. By default each is mapped anew and zeroed by the system, page by page:
    a quarter of a training step. The price is that a process holds on to the most memory it ever used.
    """
    set_allocation(TRIM_THRESHOLD, 2**31 - 1)
    set_allocation(MMAP_MAX, 0)


def share_freed_memory() -> None:
    """Tell the C library that threads use the memory that others have freed, for threads that compute in turn.

    Each would else hold on to the most memory it ever used itself.
    """
    set_allocation(ARENA_MAX, 1)


keep_freed_memory()


def allow_tf32(allowed: bool) -> None:
    """Let a GPU round what it multiplies in float32 to TF32 (10 bits of 23), or not; of recurrent layers too.

    PyTorch alone does so in cuDNN's recurrent layers and nowhere else: a pass with the target given, which they run,
    then differs from a search, whose steps are products.
    """
    for products in (torch.backends.cuda.matmul, torch.backends.cudnn.rnn):
        products.fp32_precision = "tf32" if allowed else "ieee"  # type: ignore[union-attr]


allow_tf32(False)


class Precision(StrEnum):
    """Precision of matrix products and of their results, in training the logits among them.

    Weights, the softmax, sums and losses are float32 in every case.
    """

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"
    """Trained with a scaled loss: see `seq2seq.training.loss_scale`. ``auto`` never chooses it."""
    tf32 = "tf32"
    """float32 whose products a GPU may round to TF32."""


DTYPES: dict[str, torch.dtype] = {Precision.bfloat16: torch.bfloat16, Precision.float16: torch.float16}
"""The type that autocast takes products in; float32 for the others."""


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


def resolve_precision(precision: Precision, device: torch.device) -> Precision:
    """The precision that products are taken in: for ``auto``, bfloat16 where it is clearly faster than float32.

    Raises:
        ConfigError: bfloat16, float16 or TF32 was asked for and does not run on this device.
    """
    if precision is Precision.auto:
        return Precision.bfloat16 if prefers_bfloat16(device) else Precision.float32
    lacks_bfloat16 = precision is Precision.bfloat16 and not runs_bfloat16(device)
    if lacks_bfloat16 or (precision is Precision.float16 and not runs_float16(device)):
        where = "processor" if device.type == "cpu" else "GPU"
        raise ConfigError(f"{precision} does not run on this {where}: set the precision to float32, or to auto")
    if precision is Precision.tf32 and not runs_tf32(device):
        raise ConfigError("tf32 is for GPUs that have it (Ampere and later): set the precision to float32, or to auto")
    return precision


def is_reduced(precision: Precision, device: torch.device) -> bool:
    """True where the chosen precision is bfloat16 on this device."""
    return resolve_precision(precision, device) is Precision.bfloat16


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[None]:
    """Context in which products run in the chosen precision."""
    resolved = resolve_precision(precision, device)
    if device.type == "cuda":
        allow_tf32(resolved is Precision.tf32)
    return cast_to(DTYPES.get(resolved, torch.float32), device)


def cast_to(dtype: torch.dtype, device: torch.device) -> AbstractContextManager[None]:
    """Context in which products run in this type; nothing is cast for float32."""
    if dtype is torch.float32:
        return nullcontext()
    context: AbstractContextManager[None] = torch.autocast(device.type, dtype)
    return context
