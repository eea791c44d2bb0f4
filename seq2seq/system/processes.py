"""Several processes at one piece of work: who this one is, sums over all of them, the first one before the others.

`torchrun` starts them, on one machine or several. A program that is started by itself is the first of one, and nothing
here costs it anything. Who takes part is torch.distributed's to know; nothing is kept here.

What is said here goes from processor to processor (gloo) and waits for no GPU; only `add_up` works where its tensor is.
"""

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch import distributed as dist

from seq2seq.errors import ConfigError, RunError

PATIENCE = timedelta(days=1)
"""How long a process waits for the first to prepare a corpus; one that has died is noticed at once all the same."""

GPU_PATIENCE = timedelta(minutes=10)
"""How long a GPU waits for another's part of a sum: NCCL itself does not notice that a process has died."""

GRACE = 1.0
"""Seconds in which the first process says what it leaves for before another says the same."""

LAUNCHED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What a launcher such as torchrun tells each of its processes."""

Value = TypeVar("Value")


class LostProcessError(RunError):
    """Another process has ended, and what was to be done together cannot be."""


def launched() -> bool:
    """Whether a launcher started this process, which may have others beside it."""
    return all(name in os.environ for name in LAUNCHED)


def join() -> None:
    """Join the processes that were launched together.

    Raises:
        RunError: they do not find each other.
    """
    with_gpus = torch.cuda.is_available() and dist.is_nccl_available()
    try:
        dist.init_process_group("cpu:gloo,cuda:nccl" if with_gpus else "gloo", timeout=PATIENCE)
        if with_gpus:
            _nccl()._set_default_timeout(GPU_PATIENCE)
        wait()  # who leaves at once, for an error in the settings, has been found by all
    except (ValueError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RunError(f"the processes do not find each other ({reason}): start them with torchrun") from None


def _nccl() -> Any:
    """What sums on the GPUs of the processes."""
    return dist.distributed_c10d._get_default_group()._get_backend(torch.device("cuda"))


@contextmanager
def parting() -> Iterator[None]:
    """Part from the others at the end of what runs within, where there are any.

    Where it fails, sums that are under way on GPUs are given up: who waits for the others to add their part would never
    end where these have failed as well.
    """
    try:
        yield
    except BaseException:
        if not alone() and "nccl" in dist.get_backend_config():
            _nccl().abort()
        raise
    if not alone():
        dist.destroy_process_group()


def alone() -> bool:
    """Whether this process has joined no others."""
    return not dist.is_initialized()


def rank() -> int:
    """The number of this process, from 0."""
    return 0 if alone() else dist.get_rank()


def count() -> int:
    """How many processes there are, on all machines."""
    return 1 if alone() else dist.get_world_size()


def is_first() -> bool:
    """Whether this is the process that writes and prints; so is one by itself."""
    return rank() == 0


def own_gpu(gpus: int) -> int | None:
    """Which of this machine's GPUs is this process's; None where a process is by itself and takes the usual one.

    Raises:
        ConfigError: there are more processes on this machine than GPUs.
    """
    if alone():
        return None
    number = int(os.environ.get("LOCAL_RANK", rank()))
    if number >= gpus:
        raise ConfigError(
            f"process {number + 1} of this machine has no GPU, torch sees {gpus}: start fewer with "
            f"torchrun --nproc_per_node={gpus}, or set the device to cpu"
        )
    return number


def total(value: int) -> int:
    """The sum of what every process says."""
    return _agreed(value, dist.ReduceOp.SUM)


def largest(value: int) -> int:
    """The largest of what the processes say."""
    return _agreed(value, dist.ReduceOp.MAX)


def _agreed(value: int, operation: "dist.ReduceOp.RedOpType") -> int:
    if alone():
        return value
    told = torch.tensor([int(value)])
    dist.all_reduce(told, operation)
    return int(told)


def add_up(tensor: Tensor) -> Tensor:
    """The sum of every process's tensor, of the same shape, in its place; to the last bit the same in each of them."""
    if not alone():
        dist.all_reduce(tensor)
    return tensor


def from_first(value: Value) -> Value:
    """What the first process says, told to all; what the others say counts for nothing."""
    if alone():
        return value
    told = [value]
    dist.broadcast_object_list(told, src=0)
    return told[0]


def to_first(value: Value) -> list[Value]:
    """What every process says, in their order, told to the first; the others learn nothing."""
    if alone():
        return [value]
    told: list[Value] = [value] * count() if is_first() else []
    dist.gather_object(value, told if is_first() else None, dst=0)
    return told


def wait() -> None:
    """Wait until every process has come here: what the first wrote before is there for all after."""
    total(0)


@contextmanager
def first_before_others() -> Iterator[None]:
    """The first process does what is within while the others wait; then they do the same, and find it done."""
    if not is_first():
        wait()
    yield
    if is_first():
        wait()


@contextmanager
def taking_part() -> Iterator[None]:
    """What runs within prints on the first process alone, and ends with one line where another process has ended.

    Raises:
        LostProcessError: the connection to another process was lost.
    """
    if alone():
        yield
        return
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        out, err = (sys.stdout, sys.stderr) if is_first() else (nowhere, nowhere)
        logging.disable(logging.NOTSET if is_first() else logging.WARNING)
        try:
            with redirect_stdout(out), redirect_stderr(err):
                yield
        except RuntimeError as error:  # torch gives the failures of gloo no class of their own
            if not (isinstance(error, dist.DistError) or "gloo" in str(error)):
                raise
            raise LostProcessError(
                f"process {rank() + 1} of {count()}: another process has ended before its work was done, see what it "
                f"said; the same command goes on from what was saved last, with any number of processes"
            ) from None
        finally:
            logging.disable(logging.NOTSET)


def tells(error: BaseException) -> bool:
    """Whether this process is to print what it leaves for; to be asked just before.

    Where all meet the same, the launcher ends the others while they wait for the first to say so. That another process
    has ended the first two say, and at once: one of them is still there.
    """
    if isinstance(error, LostProcessError):
        return rank() < 2
    if not is_first():
        time.sleep(GRACE)
    return is_first() or isinstance(error, Exception)
