"""Corpora larger than memory: preparation and training under a limit of address space, as the corpus grows.

Each size is prepared in one process and trained on in another, so that the memory of neither is the other's, and the
second finds what the first has made. The text is the built-in corpus, drawn as it is read.
"""

import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from seq2seq.benchmark.config import BenchmarkConfig
from seq2seq.benchmark.limited import Task
from seq2seq.errors import RunError

PROGRAM = "from seq2seq.benchmark.limited import main; main()"


@dataclass(frozen=True)
class PreparationRow:
    """What one size cost."""

    pairs: int
    vocabulary_seconds: float
    encoding_seconds: float
    """Drawing the text included."""
    microseconds: float
    """Processor time of drawing and encoding for each pair, of all processes."""
    disk_bytes: int
    first_batch_seconds: float
    """From a corpus that is prepared, opening it and ordering the epoch included."""
    epoch_seconds: float
    """Ordering one."""
    resumed_seconds: float
    """Until the first batch from the middle of an epoch."""
    batch_seconds: float
    """Reading and padding a batch."""
    preparing_bytes: int
    """Address space beyond imports, at most, of the process that prepares."""
    training_bytes: int
    """Of the one that trains."""
    preparing_memory: int
    """Resident at most, imports included."""
    training_memory: int


def measure_preparation(config: BenchmarkConfig) -> Iterator[PreparationRow]:
    """Every size, as it is measured; what is prepared goes to ``output`` and is taken away again.

    Raises:
        RunError: the limit was too low, or a process failed otherwise.
    """
    output = Path(config.output).expanduser()
    output.mkdir(parents=True, exist_ok=True)
    for pairs in config.preparation.pairs:
        with TemporaryDirectory(dir=output) as folder:
            task = Task(config, pairs, Path(folder))
            prepared, trained = (run_limited(step, task) for step in ("prepare", "train"))
        yield PreparationRow(
            pairs=pairs,
            vocabulary_seconds=prepared["vocabulary_seconds"],
            encoding_seconds=prepared["encoding_seconds"],
            microseconds=prepared["encoding_cpu"] / pairs * 1e6,
            disk_bytes=int(prepared["bytes"]),
            first_batch_seconds=trained["first_batch_seconds"],
            epoch_seconds=trained["epoch_seconds"],
            resumed_seconds=trained["resumed_seconds"],
            batch_seconds=trained["batches_seconds"],
            preparing_bytes=int(prepared["address_space"]),
            training_bytes=int(trained["address_space"]),
            preparing_memory=int(prepared["memory"]),
            training_memory=int(trained["memory"]),
        )


def run_limited(step: str, task: Task) -> dict[str, float]:
    """The figures of a step in a process of its own.

    Raises:
        RunError: it failed; with the last line it printed.
    """
    done = subprocess.run([sys.executable, "-c", PROGRAM, step], input=pickle.dumps(task), capture_output=True)
    if done.returncode:
        last = (done.stderr.decode(errors="replace").strip().splitlines() or ["it printed nothing"])[-1]
        raise RunError(
            f"{task.pairs:,} pairs could not be handled within {task.config.preparation.gibibytes:g} GiB ({step}: "
            f"{last}): raise preparation.gibibytes"
        )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
