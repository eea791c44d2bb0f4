"""Corpora larger than memory: preparation and training under a limit of address space, as the corpus grows.

Each size is drawn from the built-in grammar in one process, prepared in another and trained on in a third, so that the
memory of none is another's, and each finds what the one before has made. Drawing is no part of preparing other text:
the larger the corpus, the more sentences are drawn that have been before.
"""

import json
import pickle
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from seq2seq.benchmark.config import BenchmarkConfig
from seq2seq.benchmark.limited import STEPS, Task
from seq2seq.errors import RunError
from seq2seq.system.workers import python

PROGRAM = "from seq2seq.benchmark.limited import main; main()"


@dataclass(frozen=True)
class PreparationRow:
    """What one size cost."""

    pairs: int
    drawing_seconds: float
    drawing_microseconds: float
    """Processor time for each pair, of all processes."""
    vocabulary_seconds: float
    encoding_seconds: float
    encoding_microseconds: float
    """Processor time for each pair, of all processes."""
    disk_bytes: int
    first_batch_seconds: float
    """From a corpus that is prepared, opening it and ordering the epoch included."""
    epoch_seconds: float
    """Ordering one."""
    resumed_seconds: float
    """Until the first batch from the middle of an epoch."""
    batch_seconds: float
    """Reading and padding a batch."""
    address_space: dict[str, int]
    """Bytes beyond imports, at most, of each step's process."""
    memory: dict[str, int]
    """Bytes resident at most, imports included."""


def measure_preparation(config: BenchmarkConfig) -> Iterator[PreparationRow]:
    """Every size, as it is measured; what is prepared goes to ``output`` and is taken away again.

    Raises:
        RunError: the system has no such limits, the limit was too low, or a process failed otherwise.
    """
    if find_spec("resource") is None:  # Windows
        raise RunError("this system limits no address space: leave preparation out of parts")
    output = Path(config.output).expanduser()
    output.mkdir(parents=True, exist_ok=True)
    for pairs in config.preparation.pairs:
        with TemporaryDirectory(dir=output) as folder:
            task = Task(config, pairs, Path(folder))
            found = {step: run_limited(step, task) for step in STEPS}
        drawn, prepared, trained = found.values()
        yield PreparationRow(
            pairs=pairs,
            drawing_seconds=drawn["drawing_seconds"],
            drawing_microseconds=drawn["drawing_cpu"] / pairs * 1e6,
            vocabulary_seconds=prepared["vocabulary_seconds"],
            encoding_seconds=prepared["encoding_seconds"],
            encoding_microseconds=prepared["encoding_cpu"] / pairs * 1e6,
            disk_bytes=int(prepared["bytes"]),
            first_batch_seconds=trained["first_batch_seconds"],
            epoch_seconds=trained["epoch_seconds"],
            resumed_seconds=trained["resumed_seconds"],
            batch_seconds=trained["batch_seconds"],
            address_space={step: int(figures["address_space"]) for step, figures in found.items()},
            memory={step: int(figures["memory"]) for step, figures in found.items()},
        )


def run_limited(step: str, task: Task) -> dict[str, float]:
    """The figures of a step in a process of its own.

    Raises:
        RunError: it failed; with the last line it printed.
    """
    done = subprocess.run(python(PROGRAM, step), input=pickle.dumps(task), capture_output=True)
    if done.returncode:
        last = (done.stderr.decode(errors="replace").strip().splitlines() or ["it printed nothing"])[-1]
        raise RunError(
            f"{task.pairs:,} pairs could not be handled within {task.config.preparation.gibibytes:g} GiB ({step}: "
            f"{last}): raise preparation.gibibytes"
        )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
