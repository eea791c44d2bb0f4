"""If a batch does not fit in memory, it is processed in two halves, with a warning."""

import logging
from collections.abc import Callable
from typing import TypeVar

import torch

from seq2seq.errors import RunError

Result = TypeVar("Result")

MESSAGES = (
    *("DefaultCPUAllocator", "out of memory", "_ALLOC_FAILED", "bad_alloc", "bad allocation"),
    "Storage size calculation overflowed",  # a size beyond all integers
)
"""Parts of the messages of RuntimeErrors that mean out of memory: torch on a CPU, CUDA, and other libraries."""

log = logging.getLogger("seq2seq")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory could not be allocated, on any device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(message in str(error) for message in MESSAGES)


def halve_if_out_of_memory(
    whole: Callable[[], Result], halves: Callable[[], Result], what: str, setting: str
) -> Result:
    """Return ``whole()``, or ``halves()`` if ``whole`` runs out of memory.

    Args:
        whole: leaves no result behind when it fails, unless ``halves`` removes it.
        halves: the same work in two parts, one after the other. It may be ``whole`` itself if nothing can be halved:
            cached memory is freed before.
        what: what does not fit, for the warning and the error.
        setting: the setting to lower.

    Raises:
        RunError: ``halves`` also runs out of memory.
    """
    try:
        return whole()
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    # Outside the except clause: the error's traceback keeps the tensors of the failed attempt.
    log.warning("out of memory for %s: it is processed in two halves; lower %s to avoid this", what, setting)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()
    try:
        return halves()
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    raise RunError(f"out of memory for {what} and for half of it: lower {setting}")
