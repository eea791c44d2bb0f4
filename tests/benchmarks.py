"""A benchmark for tests: small model, small corpus, few repetitions."""

import itertools
from pathlib import Path

import torch

from seq2seq.benchmark.config import BenchmarkConfig, MeasureConfig
from seq2seq.benchmark.machine import Machine
from seq2seq.benchmark.measurement import Spread
from seq2seq.benchmark.training import PartRow, Training
from seq2seq.benchmark.update import Updater
from seq2seq.corpora.config import BuiltinConfig, DataConfig
from seq2seq.data.batch import make_batch
from seq2seq.data.config import BatchConfig
from seq2seq.model import AttentionKind, DecoderConfig, EncoderConfig, ModelConfig, Network, Tying
from seq2seq.search import SearchConfig
from seq2seq.system.precision import Precision
from seq2seq.tokenizer.config import Algorithm, TokenizerConfig
from seq2seq.training import Adam

SLOW_MACHINE = Machine("cpu", "made up", 1, 1, "2", "3", {"float32": 1e9, "bfloat16": 2e9}, 1e9)
"""Limits with round numbers."""

SPREAD = Spread(7012.4, 6800.0, 7100.0)
TRAINING = Training(
    "w", "bfloat16", 12, 3500.0, SPREAD, Spread(0.5, 0.4, 0.6), 10**9, 1e11, 0.25, 0.1, [PartRow("loss", 0.5, 1.0, 0.1)]
)

SMALL_OVERRIDES = [
    "data.builtin.train_size=200",
    "tokenizer.size=400",
    "model.embedding_size=8",
    "model.encoder.size=6",
    "model.decoder.size=12",
    "measure.warmup=0",
    "measure.repetitions=1",
    "measure.updates=1",
    "measure.product=32",
    "measure.copy=1",
]
"""Overrides of recipes/benchmark.py for a quick measurement."""


def small_benchmark(output: Path) -> BenchmarkConfig:
    return BenchmarkConfig(
        output=str(output),
        device="cpu",
        precision="float32",
        data=DataConfig(builtin=BuiltinConfig(train_size=200, validation_size=5, test_size=10)),
        tokenizer=TokenizerConfig(algorithm=Algorithm.bpe, size=400),
        model=ModelConfig(
            embedding_size=8,
            encoder=EncoderConfig(size=6),
            decoder=DecoderConfig(size=12),
            attention=AttentionKind.general,
            tying=Tying.none,
        ),
        batch=BatchConfig(tokens=200),
        optimizer=Adam(),
        search=SearchConfig(beam_size=2),
        measure=MeasureConfig(
            warmup=1, repetitions=2, updates=2, passes=1, batched=10, sentences=3, product=32, copy=1
        ),
    )


TINY = ModelConfig(
    embedding_size=6,
    encoder=EncoderConfig(size=4),
    decoder=DecoderConfig(size=8),
    attention=AttentionKind.general,
    dropout=0.0,
)
BATCH = make_batch([[4, 5, 6], [7]], [[8, 9], [4, 5, 6]])


def tiny_updater(clip: float | None = 5.0) -> Updater:
    torch.manual_seed(1)
    network = Network(TINY, 12, 12, joint=True)
    return Updater(
        network,
        itertools.repeat(BATCH),
        Adam(learning_rate=0.01),
        clip=clip,
        smoothing=0.0,
        precision=Precision.float32,
        device=torch.device("cpu"),
    )
