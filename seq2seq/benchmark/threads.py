"""Training with one thread, two and so on, which wait in several ways: each in a process of its own."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2seq.benchmark.against import expression, own_command, printed, taken
from seq2seq.benchmark.config import Take
from seq2seq.system.threads import COUNTING, SHORT_WAIT, WAITING
from seq2seq.system.workers import available

FIGURE = r"target pieces/s +([\d.,]+)"
POLICIES = {"spin briefly": SHORT_WAIT, "sleep": {"OMP_WAIT_POLICY": "PASSIVE"}, "spin": {"OMP_WAIT_POLICY": "ACTIVE"}}
"""How threads wait, and the environment that makes them."""


@dataclass(frozen=True)
class ThreadsRow:
    """Training with so many threads."""

    threads: int
    policy: str
    pieces_per_second: float
    """Target pieces."""


def measure_threads(arguments: Sequence[str], output: Path) -> Iterator[ThreadsRow]:
    """Run the training part of this command again, ``arguments`` being sys.argv, for each number and policy.

    Raises:
        RunError: such a process failed.
    """
    command = own_command(arguments, output)
    for threads in numbers(available()):
        for policy in POLICIES if threads > 1 else list(POLICIES)[:1]:
            environment = {name: value for name, value in os.environ.items() if name not in (*WAITING, *COUNTING)}
            environment |= {"OMP_NUM_THREADS": str(threads), **POLICIES[policy]}
            figure = taken(printed(command, environment), expression(FIGURE, "figure"), Take.median, "figure")
            yield ThreadsRow(threads, policy, figure)


def numbers(processors: int) -> list[int]:
    """1, 2, 4, … and all of them."""
    return sorted({processors, *(2**power for power in range(processors.bit_length()))})
