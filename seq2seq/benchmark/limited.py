"""What a process under a limit of address space does: draw text, prepare it, or train on what has been prepared."""

import json
import os
import pickle
import sys
import time
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import torch

from seq2seq.benchmark.config import BenchmarkConfig
from seq2seq.benchmark.memory import resident
from seq2seq.benchmark.training import training_precision
from seq2seq.benchmark.update import Updater
from seq2seq.corpora.builtin import BuiltinCorpus
from seq2seq.corpora.files import TextFiles
from seq2seq.data.batch_sampler import BatchSampler, StreamPosition
from seq2seq.data.prefetch import prefetch
from seq2seq.data.preparation import encode_corpus
from seq2seq.data.stream import SubwordResampler, batch_stream
from seq2seq.data.table import Table
from seq2seq.model import Network
from seq2seq.system.atomic import atomic_write
from seq2seq.system.device import choose_device
from seq2seq.tokenizer.tokenizer import Tokenizers, load_tokenizers
from seq2seq.tokenizer.vocabulary import cached_tokenizers


class Task(NamedTuple):
    """What such a process is sent."""

    config: BenchmarkConfig
    pairs: int
    """Of the built-in corpus."""
    folder: Path
    """Where text, vocabulary and table go, or are."""

    @property
    def text(self) -> TextFiles:
        """The corpus that has been drawn."""
        return TextFiles(self.folder / "train.en", self.folder / "train.de")

    def table(self, tokenizers: Tokenizers) -> Table:
        """The encoded corpus, made or found."""
        data = self.config.data
        return encode_corpus(self.text, tokenizers, self.folder / "train", data.filters, data.workers)


def main() -> None:
    """Do the step of a task that the first argument names, and print its figures as JSON."""
    import resource  # which Windows lacks

    task: Task = pickle.load(sys.stdin.buffer)  # from the benchmark itself
    base = resident("VmSize")
    limit = base + int(task.config.preparation.gibibytes * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    found = STEPS[sys.argv[1]](task)
    found["address_space"] = resident("VmPeak") - base
    found["memory"] = resident("VmHWM")
    print(json.dumps(found))


def draw(task: Task) -> dict[str, float]:
    """Write the built-in corpus to two text files."""
    found: dict[str, float] = {}
    data = task.config.data
    with (
        Clock("drawing", found),
        atomic_write(task.folder / "train.en") as english,
        atomic_write(task.folder / "train.de") as german,
        english.open("w", encoding="utf-8") as sources,
        german.open("w", encoding="utf-8") as targets,
    ):
        for source, target in BuiltinCorpus(replace(data.builtin, train_size=task.pairs), "train", data.workers):
            sources.write(f"{source}\n")
            targets.write(f"{target}\n")
    return found


def prepare(task: Task) -> dict[str, float]:
    """Learn a vocabulary and encode the corpus."""
    found: dict[str, float] = {}
    with Clock("vocabulary", found):
        tokenizers = cached_tokenizers(task.config.tokenizer, task.text, [], task.folder / "vocabulary")
    with Clock("encoding", found):
        table = task.table(tokenizers)
    found["kept"] = len(table)
    found["bytes"] = sum(path.stat().st_size for path in (task.folder / "train").iterdir())
    return found


def train(task: Task) -> dict[str, float]:
    """Open the table, order an epoch, and train from its middle on."""
    found: dict[str, float] = {}
    config, device = task.config, choose_device(task.config.device)
    (vocabulary,) = (task.folder / "vocabulary").iterdir()
    with Clock("first_batch", found):
        tokenizers = load_tokenizers(vocabulary)
        table = task.table(tokenizers)
        order = BatchSampler(table.source_lengths, table.target_lengths, config.batch, config.seed)
        stream = batch_stream(table, order, SubwordResampler(tokenizers, config.tokenizer, config.seed))
        next(stream(StreamPosition(0, 0)))
    with Clock("epoch", found):
        batches = len(order.epoch(1))
    with Clock("resumed", found):
        next(stream(StreamPosition(1, batches // 2)))
    torch.manual_seed(config.seed)
    network = Network(config.model, tokenizers.source.size, tokenizers.target.size, tokenizers.joint)
    with Clock("training", found), closing(prefetch(stream(StreamPosition(1, batches // 2)))) as prepared:
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
    next(following)  # the epoch is ordered before the clock starts
    with Clock("batch", found):
        made = sum(1 for _ in islice(following, max(1, min(200, batches // 2 - 1))))
    found["batch_seconds"] /= made
    return found


STEPS = {"draw": draw, "prepare": prepare, "train": train}


class Clock:
    """Seconds and processor seconds of a block, those of processes that it has waited for too, under a name."""

    def __init__(self, name: str, found: dict[str, float]) -> None:
        self.name, self.found = name, found

    def __enter__(self) -> None:
        self._started, self._worked = time.perf_counter(), _worked()

    def __exit__(self, *error: object) -> None:
        self.found[f"{self.name}_seconds"] = time.perf_counter() - self._started
        self.found[f"{self.name}_cpu"] = _worked() - self._worked


def _worked() -> float:
    """Processor seconds of this process and of those that have ended."""
    return sum(os.times()[:4])
