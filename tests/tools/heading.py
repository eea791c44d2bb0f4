"""The head of a table that a tool writes: the command and the machine, without which its figures say little."""

import os
import shlex
import sys

import torch

from seq2seq.benchmark.config import MeasureConfig
from seq2seq.benchmark.machine import measure_machine

RESTRICTIONS = (
    *("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS"),
    "CT2_FORCE_CPU_ISA",
)
"""Environment variables that change the speed."""


def heading(tool: str) -> str:
    """The command of this process, then the processor, PyTorch's kernels, threads, and variables that restrict them.

    Args:
        tool: the name of the tool below ``tests.tools``.
    """
    found = measure_machine(torch.device("cpu"), MeasureConfig(warmup=1, repetitions=3))
    variables = " ".join(f"{name}={os.environ[name]}" for name in RESTRICTIONS if name in os.environ)
    threads = f"{found.cores} cores, {found.threads} threads"
    machine = f"{found.name}, {threads}, PyTorch {found.torch}: {found.kernels}. {variables}".strip()
    return f"python -m tests.tools.{tool} {shlex.join(sys.argv[1:])}\n\n{machine}"
