"""A batch that finds no memory is tried again in two halves: once, and with a warning."""

import logging
from collections.abc import Callable
from typing import TypeVar

import torch

from seq2seq.errors import RunError

Result = TypeVar("Result")

SIGNS = (
    *("DefaultCPUAllocator", "out of memory", "_ALLOC_FAILED", "bad_alloc", "bad allocation"),
    "Storage size calculation overflowed",  # a size beyond all numbers
)
"""What a RuntimeError says that is one of memory: of torch on a processor, of CUDA, of libraries above and below."""

log = logging.getLogger("seq2seq")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether there was no memory, of whatever device, for what was asked."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in SIGNS)


def whole_or_halves(whole: Callable[[], Result], halves: Callable[[], Result], what: str, setting: str) -> Result:
    """``whole()``; where there is no memory for it, ``halves()``, which is the same in two parts one after the other.

    Args:
        whole: leaves nothing behind where it fails; or ``halves`` clears it away.
        halves: may be the same again where there is nothing to halve: memory that lay idle is given back before.
        what: what finds no memory, for the warning and the error.
        setting: what to lower to be rid of both.

    Raises:
        RunError: a half finds no memory either.
    """
    try:
        return whole()
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    # Not within the clause above: as long as there is an error, its traceback holds the tensors of the attempt.
    log.warning("no memory for %s: it is done in two halves; lower %s to be rid of this", what, setting)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()
    try:
        return halves()
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    raise RunError(f"no memory for {what}, nor for half of it: lower {setting}")
