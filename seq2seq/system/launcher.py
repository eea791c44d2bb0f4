"""Processes that a launcher such as torchrun started, without importing PyTorch where there are none."""

import contextlib
import os

VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Environment variables that a launcher sets."""


def is_launched() -> bool:
    """Whether a launcher started this process, possibly with others."""
    return all(name in os.environ for name in VARIABLES)


# The functions of processes.py that programs need before anything imports PyTorch


def is_first() -> bool:
    """Whether this process writes and prints: the only one, or the first of those that were launched together."""
    if not is_launched():
        return True
    from seq2seq.system.processes import is_first

    return is_first()


def in_group() -> contextlib.AbstractContextManager[None]:
    """Print in the first of the launched processes only, if there are several."""
    if not is_launched():
        return contextlib.nullcontext()
    from seq2seq.system.processes import in_group

    return in_group()


def closing_group() -> contextlib.AbstractContextManager[None]:
    """Leave the group of launched processes at the end, if there is one."""
    if not is_launched():
        return contextlib.nullcontext()
    from seq2seq.system.processes import closing_group

    return closing_group()
