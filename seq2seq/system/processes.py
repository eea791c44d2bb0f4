"""Several processes working on one run: their ranks, collective operations, and joining and leaving the group.

`torchrun` starts them, on one machine or on several. A program that was started by itself is a single process, and
all functions work without a group. The group's state is that of torch.distributed.

Collective operations use gloo between CPUs and never wait for a GPU. Only `all_reduce` works on the tensor's device.
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

CPU_TIMEOUT = timedelta(days=1)
"""Time to wait for the first process to prepare a corpus. A process that has ended is noticed immediately anyway."""

GPU_TIMEOUT = timedelta(minutes=10)
"""Time to wait for another GPU's part of a sum. NCCL does not notice that a process has ended."""

REPORT_DELAY = 1.0
"""Seconds in which the first process reports its error before another process reports the same one."""

Value = TypeVar("Value")


class LostProcessError(RunError):
    """Another process has ended, so a collective operation cannot complete."""


def join_group() -> None:
    """Join the processes that were launched together.

    Raises:
        RunError: the processes cannot connect.
    """
    with_gpus = torch.cuda.is_available() and dist.is_nccl_available()
    try:
        dist.init_process_group("cpu:gloo,cuda:nccl" if with_gpus else "gloo", timeout=CPU_TIMEOUT)
        if with_gpus:
            _nccl()._set_default_timeout(GPU_TIMEOUT)
        barrier()  # a process that exits early, for example because of its settings, has been connected to by all
    except (ValueError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RunError(f"the processes cannot connect ({reason}): start them with torchrun") from None


def _nccl() -> Any:
    """The group's backend for GPUs."""
    return dist.distributed_c10d._get_default_group()._get_backend(torch.device("cuda"))


@contextmanager
def closing_group() -> Iterator[None]:
    """Leave the group at the end of the context, if this process has joined one.

    After an error, running sums on GPUs are aborted: waiting for processes that have also failed would never end.
    """
    try:
        yield
    except BaseException:
        if not is_single_process() and "nccl" in dist.get_backend_config():
            _nccl().abort()
        raise
    if not is_single_process():
        dist.destroy_process_group()


def is_single_process() -> bool:
    """Whether this process has joined no group."""
    return not dist.is_initialized()


def rank() -> int:
    """The number of this process, from 0."""
    return 0 if is_single_process() else dist.get_rank()


def world_size() -> int:
    """The number of processes on all machines."""
    return 1 if is_single_process() else dist.get_world_size()


def is_first() -> bool:
    """Whether this process writes and prints: rank 0, or a single process."""
    return rank() == 0


def assigned_gpu(gpus: int) -> int | None:
    """The GPU of this machine that this process uses; None for a single process, which uses the default GPU.

    Args:
        gpus: number of GPUs of this machine.

    Raises:
        ConfigError: there are more processes on this machine than GPUs.
    """
    if is_single_process():
        return None
    number = int(os.environ.get("LOCAL_RANK", rank()))
    if number >= gpus:
        raise ConfigError(
            f"process {number + 1} of this machine has no GPU, torch sees {gpus}: start fewer with "
            f"torchrun --nproc_per_node={gpus}, or set the device to cpu"
        )
    return number


def sum_over_processes(value: int) -> int:
    """The sum of every process's value."""
    return _reduce(value, dist.ReduceOp.SUM)


def max_over_processes(value: int) -> int:
    """The largest of every process's value."""
    return _reduce(value, dist.ReduceOp.MAX)


def _reduce(value: int, operation: "dist.ReduceOp.RedOpType") -> int:
    if is_single_process():
        return value
    reduced = torch.tensor([int(value)])
    dist.all_reduce(reduced, operation)
    return int(reduced)


def all_reduce(tensor: Tensor) -> Tensor:
    """Replace every process's tensor by their sum, which has the same bits in each process, and return it."""
    if not is_single_process():
        dist.all_reduce(tensor)
    return tensor


def broadcast_object(value: Value) -> Value:
    """The first process's value; the other processes' values are ignored."""
    if is_single_process():
        return value
    values = [value]
    dist.broadcast_object_list(values, src=0)
    return values[0]


def gather_objects(value: Value) -> list[Value]:
    """Every process's value by rank, in the first process; an empty list in the others."""
    if is_single_process():
        return [value]
    values: list[Value] = [value] * world_size() if is_first() else []
    dist.gather_object(value, values if is_first() else None, dst=0)
    return values


def barrier() -> None:
    """Wait until every process has reached this call. Files that the first process wrote before are then visible."""
    sum_over_processes(0)


@contextmanager
def first_before_others() -> Iterator[None]:
    """Run the body in the first process while the others wait; then in the others, which find its result."""
    if not is_first():
        barrier()
    yield
    if is_first():
        barrier()


@contextmanager
def in_group() -> Iterator[None]:
    """Print in the first process only, and turn a lost connection into an error of one line.

    Raises:
        LostProcessError: the connection to another process was lost.
    """
    if is_single_process():
        yield
        return
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        out, err = (sys.stdout, sys.stderr) if is_first() else (nowhere, nowhere)
        logging.disable(logging.NOTSET if is_first() else logging.WARNING)
        try:
            with redirect_stdout(out), redirect_stderr(err):
                yield
        except RuntimeError as error:  # torch has no class of its own for errors of gloo
            if not (isinstance(error, dist.DistError) or "gloo" in str(error)):
                raise
            raise LostProcessError(
                f"process {rank() + 1} of {world_size()}: another process has ended too early, see its message; rerun "
                f"the same command to resume from the last checkpoint, with any number of processes"
            ) from None
        finally:
            logging.disable(logging.NOTSET)


def should_report(error: BaseException) -> bool:
    """Whether this process prints the error with which it ends. Call it just before printing.

    If all processes have the same error, the launcher ends the others while they wait for the first to report it. The
    loss of a process is reported by the first two ranks without delay, because one of them still exists.
    """
    if isinstance(error, LostProcessError):
        return rank() < 2
    if not is_first():
        time.sleep(REPORT_DELAY)
    return is_first() or isinstance(error, Exception)
