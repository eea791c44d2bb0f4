"""Preparation of large corpora, and training on them, within a limit of address space.

For each size, one process generates text from the built-in grammar, a second prepares it and a third trains on it, so
that memory is measured separately. Generating is measured separately from preparing: the larger the corpus, the more
generated sentences are duplicates.
"""

import json
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch

from seq2seq.benchmark.config import BenchmarkConfig
from seq2seq.benchmark.measurement import resident
from seq2seq.benchmark.training import training_precision
from seq2seq.benchmark.update import Updater
from seq2seq.corpora.builtin import BuiltinCorpus
from seq2seq.corpora.files import TextFiles
from seq2seq.data.batch_sampler import BatchSampler, StreamPosition
from seq2seq.data.prefetch import prefetch
from seq2seq.data.preparation import encode_corpus
from seq2seq.data.stream import SubwordResampler, batch_stream
from seq2seq.data.table import Table
from seq2seq.errors import RunError
from seq2seq.run.network import make_network
from seq2seq.system.atomic import atomic_write
from seq2seq.system.device import choose_device
from seq2seq.system.workers import last_line, python
from seq2seq.tokenizer.tokenizer import Tokenizers, load_tokenizers
from seq2seq.tokenizer.vocabulary import cached_tokenizers

PROGRAM = "from seq2seq.benchmark.preparation import run_step; run_step()"


@dataclass(frozen=True)
class PreparationRow:
    """Cost of one corpus size."""

    pairs: int
    drawing_seconds: float
    drawing_microseconds: float
    """CPU time per pair, of all processes."""
    vocabulary_seconds: float
    encoding_seconds: float
    encoding_microseconds: float
    """CPU time per pair, of all processes."""
    disk_bytes: int
    first_batch_seconds: float
    """From a prepared corpus; includes opening it and ordering the first epoch."""
    epoch_seconds: float
    """Time to order an epoch."""
    resumed_seconds: float
    """Time to the first batch from the middle of an epoch."""
    batch_seconds: float
    """Time to read and pad a batch."""
    address_space: dict[str, int]
    """Peak address space in bytes beyond imports, by step."""
    memory: dict[str, int]
    """Peak resident memory in bytes including imports, by step."""


def measure_preparation(config: BenchmarkConfig) -> Iterator[PreparationRow]:
    """Measure each of ``preparation.pairs``. Prepared data goes to a temporary folder in ``output``.

    Raises:
        RunError: the system cannot limit address space, the limit is too low, or a process failed.
    """
    if find_spec("resource") is None:  # Windows
        raise RunError("this system cannot limit address space: remove preparation from parts")
    output = Path(config.output).expanduser()
    output.mkdir(parents=True, exist_ok=True)
    for pairs in config.preparation.pairs:
        with TemporaryDirectory(dir=output) as folder:
            task = Task(config, pairs, Path(folder))
            figures = {step: run_limited(step, task) for step in STEPS}
        drawn, prepared, trained = figures.values()
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
            address_space={step: int(found["address_space"]) for step, found in figures.items()},
            memory={step: int(found["memory"]) for step, found in figures.items()},
        )


class Task(NamedTuple):
    """Input of a step's process."""

    config: BenchmarkConfig
    pairs: int
    """Size of the built-in corpus."""
    folder: Path
    """Folder of the text, the vocabulary and the encoded corpus."""

    @property
    def text(self) -> TextFiles:
        """The generated corpus."""
        return TextFiles(self.folder / "train.en", self.folder / "train.de")

    def table(self, tokenizers: Tokenizers) -> Table:
        """The encoded corpus; it is encoded where the folder has none."""
        data = self.config.data
        return encode_corpus(self.text, tokenizers, self.folder / "train", data.filters, data.workers)


def run_limited(step: str, task: Task) -> dict[str, float]:
    """Run a step in a process of its own and return its figures.

    Raises:
        RunError: the process failed; the message has the last line that it printed.
    """
    done = subprocess.run(python(PROGRAM, step), input=pickle.dumps(task), capture_output=True)
    if done.returncode:
        raise RunError(
            f"{task.pairs:,} pairs do not fit in {task.config.preparation.gibibytes:g} GiB ({step}: "
            f"{last_line(done.stderr.decode(errors='replace'))}): raise preparation.gibibytes"
        )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def run_step() -> None:
    """Main function of a step's process: read a `Task` from stdin, run the step named in ``sys.argv``, print JSON."""
    import resource  # Windows has none

    task: Task = pickle.load(sys.stdin.buffer)  # from the benchmark itself
    base = resident("VmSize")
    limit = base + int(task.config.preparation.gibibytes * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    figures = STEPS[sys.argv[1]](task)
    figures["address_space"] = resident("VmPeak") - base
    figures["memory"] = resident("VmHWM")
    print(json.dumps(figures))


def draw(task: Task) -> dict[str, float]:
    """Write the built-in corpus to two text files."""
    figures: dict[str, float] = {}
    data = task.config.data
    with (
        timer("drawing", figures),
        atomic_write(task.folder / "train.en") as english,
        atomic_write(task.folder / "train.de") as german,
        english.open("w", encoding="utf-8") as sources,
        german.open("w", encoding="utf-8") as targets,
    ):
        for source, target in BuiltinCorpus(replace(data.builtin, train_size=task.pairs), "train", data.workers):
            sources.write(f"{source}\n")
            targets.write(f"{target}\n")
    return figures


def prepare(task: Task) -> dict[str, float]:
    """Learn a vocabulary and encode the corpus."""
    figures: dict[str, float] = {}
    with timer("vocabulary", figures):
        tokenizers = cached_tokenizers(task.config.tokenizer, task.text, [], task.folder / "vocabulary")
    with timer("encoding", figures):
        table = task.table(tokenizers)
    figures["kept"] = len(table)
    figures["bytes"] = sum(path.stat().st_size for path in (task.folder / "train").iterdir())
    return figures


def train(task: Task) -> dict[str, float]:
    """Open the encoded corpus, order an epoch, and train from its middle."""
    figures: dict[str, float] = {}
    config, device = task.config, choose_device(task.config.device)
    (vocabulary,) = (task.folder / "vocabulary").iterdir()
    with timer("first_batch", figures):
        tokenizers = load_tokenizers(vocabulary, config.tokenizer.normalization)
        table = task.table(tokenizers)
        order = BatchSampler(table.source_lengths, table.target_lengths, config.batch, config.seed)
        stream = batch_stream(table, order, SubwordResampler(tokenizers, config.tokenizer, config.seed))
        next(stream(StreamPosition(0, 0)))
    with timer("epoch", figures):
        batches = len(order.epoch(1))
    with timer("resumed", figures):
        next(stream(StreamPosition(1, batches // 2)))
    torch.manual_seed(config.seed)
    network = make_network(config.model, tokenizers)
    with timer("training", figures), closing(prefetch(stream(StreamPosition(1, batches // 2)))) as prepared:
        update = Updater(
            network,
            (batch.to(device) for batch, _ in prepared),
            config.optimizer,
            clip=config.clip,
            smoothing=config.loss.label_smoothing,
            precision=training_precision(config, choose_device(config.device)),
            device=device,
        )
        update.several(config.preparation.updates)
    following = stream(StreamPosition(1, batches // 2))
    next(following)  # orders the epoch before the timer starts
    with timer("batch", figures):
        read = sum(1 for _ in islice(following, max(1, min(200, batches // 2 - 1))))
    figures["batch_seconds"] /= read
    return figures


STEPS = {"draw": draw, "prepare": prepare, "train": train}


@contextmanager
def timer(name: str, figures: dict[str, float]) -> Iterator[None]:
    """Store the time of a block as ``NAME_seconds``, and its CPU time with that of ended children as ``NAME_cpu``."""
    start, start_cpu = time.perf_counter(), sum(os.times()[:4])
    yield
    figures[f"{name}_seconds"] = time.perf_counter() - start
    figures[f"{name}_cpu"] = sum(os.times()[:4]) - start_cpu
