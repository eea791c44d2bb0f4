"""The measured model and text: those of a run, or the configured corpus and a model with random weights."""

import contextlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from seq2seq.benchmark.config import BenchmarkConfig
from seq2seq.corpora.config import DataConfig, Split
from seq2seq.corpora.corpus import Corpus, Pair, PairList
from seq2seq.corpora.reading import names_corpus, read_split, text_for_run
from seq2seq.data.batch import Batch, make_batch
from seq2seq.data.batch_sampler import BatchSampler, StreamPosition
from seq2seq.data.config import BatchConfig
from seq2seq.data.preparation import encode_corpus
from seq2seq.data.table import Table
from seq2seq.model import ModelConfig, Network
from seq2seq.model.weights import save_weights
from seq2seq.portable.normalization import is_blank
from seq2seq.run.files import run_text
from seq2seq.run.folder import MODEL, RunFolder
from seq2seq.run.network import make_network
from seq2seq.run.resume import open_run
from seq2seq.system.hub import local_folder
from seq2seq.tokenizer.tokenizer import EOS, Tokenizers, save_tokenizers
from seq2seq.tokenizer.vocabulary import build_tokenizers
from seq2seq.training import LossConfig

EXCLUDED = -1e4
"""Bias of EOS with which no search chooses it."""


@dataclass(frozen=True)
class Workload:
    """A model, its training data, and the sentences to translate."""

    name: str
    folder: Path | None
    """The run folder; None with random weights."""
    model: ModelConfig
    network: Network
    tokenizers: Tokenizers
    table: Table
    order: BatchSampler
    smoothing: float
    translated: str
    """Name of the corpus of the sentences."""
    sentences: list[str]
    """Source sentences to translate."""

    def batches(self, device: torch.device) -> Iterator[Batch]:
        """Training batches on the device, without end."""
        for rows, _ in self.order.stream(StreamPosition(0, 0)):
            yield make_batch(*self.table.rows(rows)).to(device)


def prepare(config: BenchmarkConfig) -> Workload:
    """Load or build the model, and encode the corpus into ``output``/data.

    Raises:
        ConfigError, DataError, RunError: the run or the corpus cannot be used.
    """
    folder = None if config.run is None else local_folder(config.run)
    data, batch, smoothing = config.data, config.batch, config.loss.label_smoothing
    if folder is not None:
        run = RunFolder.open(folder)
        loaded = run.load()
        data, batch = run_text(run, DataConfig(), Split.train), run.section("batch", BatchConfig)
        smoothing = run.section("loss", LossConfig).label_smoothing
        network, tokenizers = loaded.network, loaded.tokenizers
    corpus = read_split(data, Split.train)
    assert corpus is not None, "only a test split may be missing"
    if folder is None:
        tokenizers = build_tokenizers(config.tokenizer, with_made_up_words(corpus, config.tokenizer.size))
        torch.manual_seed(config.seed)
        network = make_network(config.model, tokenizers)
    table = encode_corpus(corpus, tokenizers, Path(config.output).expanduser() / "data/train", data.filters)
    test = translated_corpus(config.data, data) or corpus
    return Workload(
        name=f"{folder or 'random weights'}, {corpus.name}",
        folder=folder,
        model=network.config,
        network=network,
        tokenizers=tokenizers,
        table=table,
        order=BatchSampler(table.source_lengths, table.target_lengths, batch, config.seed),
        smoothing=smoothing,
        translated=test.name,
        sentences=sentences(test, max(config.measure.batched, config.measure.sentences)),
    )


def with_made_up_words(corpus: Corpus, size: int) -> Corpus:
    """The corpus from which to learn a vocabulary of ``size``.

    The built-in corpus has too few words for a large vocabulary, so ``size`` random words are added. They make the
    output layer as large as configured; the corpus itself is tokenized as before.
    """
    if not isinstance(corpus, PairList):
        return corpus
    generator = random.Random(size)
    words = ["".join(generator.choices("abcdefghijklmnopqrstuvwxyz", k=8)) for _ in range(size)]
    return PairList(f"{corpus.name} and {size:,} made-up words", [*corpus, *(Pair(word, word) for word in words)])


def translated_corpus(configured: DataConfig, data: DataConfig) -> Corpus | None:
    """The configured test set, else that of the run (``data``), else its validation set; None without any."""
    test = read_split(text_for_run(configured, data, Split.test), Split.test)
    if test is None and names_corpus(data, Split.validation):
        return read_split(data, Split.validation)
    return test


def sentences(corpus: Corpus, count: int) -> list[str]:
    """The first ``count`` non-blank source sentences."""
    return list(islice((pair.source for pair in corpus if not is_blank(pair.source)), count))


def weights_without_eos(network: Network) -> dict[str, torch.Tensor]:
    """The network's weights, with EOS excluded: each translation has its maximum length."""
    weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    weights["output.bias"][EOS] = EXCLUDED
    return weights


@contextlib.contextmanager
def model_folder(workload: Workload, config: BenchmarkConfig) -> Iterator[Path]:
    """The model's folder: the run folder, or a temporary one whose model excludes EOS.

    With random weights a translation may end anywhere. Without EOS it has exactly as many tokens as its source with
    EOS, so its arithmetic can be counted.
    """
    if workload.folder is not None:
        yield workload.folder
        return
    with TemporaryDirectory() as name:
        folder = Path(name) / "model"
        same_length = replace(config.search, max_length_ratio=1, max_length_offset=0)
        open_run(folder, replace(config, search=same_length))
        save_tokenizers(workload.tokenizers, folder)
        network = make_network(workload.model, workload.tokenizers)
        network.load_state_dict(weights_without_eos(workload.network))
        save_weights(network, folder / MODEL)
        yield folder
