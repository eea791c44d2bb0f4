"""Training speed by number of threads and by how idle threads wait; each measurement has its own process.

python -m tests.tools.threads data.train.source=train.en data.train.target=train.de
"""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2seq.benchmark.config import BenchmarkConfig
from seq2seq.benchmark.machine import Machine
from seq2seq.report.aligned import aligned
from seq2seq.settings import Settings
from seq2seq.system.threads import COUNT_VARIABLES, SHORT_WAIT, WAIT_VARIABLES
from seq2seq.system.workers import available_cores
from tests.tools.against import OWN_FIGURE, Take, figure_in, output_of, own_command, regular_expression
from tests.tools.settings import run_tool

POLICIES = {"spin briefly": SHORT_WAIT, "sleep": {"OMP_WAIT_POLICY": "PASSIVE"}, "spin": {"OMP_WAIT_POLICY": "ACTIVE"}}
"""Ways in which idle threads wait, with the environment that sets them."""

VARIABLES = (*WAIT_VARIABLES, *COUNT_VARIABLES)


@dataclass(kw_only=True)
class ThreadsConfig(Settings):
    """The tool has no settings of its own."""


@dataclass(frozen=True)
class ThreadsRow:
    """Training with one number of threads."""

    threads: int
    policy: str
    tokens_per_second: float
    """Target tokens."""


def measure_threads(command: str) -> Iterator[ThreadsRow]:
    """Run a command that prints training speed with each number of threads and each policy.

    Raises:
        RunError: a process failed.
    """
    pattern = regular_expression(OWN_FIGURE, "figure")
    for threads in thread_counts(available_cores()):
        for policy in POLICIES if threads > 1 else list(POLICIES)[:1]:
            environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
            environment |= {"OMP_NUM_THREADS": str(threads), **POLICIES[policy]}
            yield ThreadsRow(
                threads, policy, figure_in(output_of(command, environment), pattern, Take.median, "figure")
            )


def thread_counts(processors: int) -> list[int]:
    """1, 2, 4, … and the number of processors."""
    return sorted({processors, *(2**power for power in range(processors.bit_length()))})


def threads_table(measured: Sequence[ThreadsRow]) -> str:
    """One line per number of threads and policy."""
    rows = [("threads", "while waiting", "target tokens/s")]
    rows += [(str(row.threads), row.policy, f"{row.tokens_per_second:,.0f}") for row in measured]
    return f"training by threads\n{aligned(rows, texts=(1,))}"


def measure(own: ThreadsConfig, config: BenchmarkConfig, machine: Machine) -> tuple[list[ThreadsRow], str]:
    """Figures and table of all numbers of threads."""
    rows = list(measure_threads(own_command(sys.argv[1:], Path(config.output).expanduser())))
    return rows, threads_table(rows)


def main() -> None:
    """Run the tool."""
    run_tool("threads", ThreadsConfig, measure, __doc__ or "")


if __name__ == "__main__":
    main()
