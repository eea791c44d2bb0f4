"""Settings of recipes/benchmark.py. The model that it measures by default is in conf/benchmark.yaml."""

from dataclasses import dataclass
from enum import StrEnum

from seq2seq.corpora.config import DataConfig
from seq2seq.data.config import BatchConfig
from seq2seq.errors import ConfigError
from seq2seq.inference.config import InferencePrecision
from seq2seq.model import ModelConfig
from seq2seq.search import SearchConfig
from seq2seq.settings import Settings, setting
from seq2seq.system.precision import Precision
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.training import LossConfig, OptimizerConfig


class Part(StrEnum):
    """A part of the benchmark. The machine itself is always measured."""

    training = "training"
    precisions = "precisions"
    translation = "translation"
    preparation = "preparation"
    serving = "serving"


@dataclass(kw_only=True)
class MeasureConfig:
    """Number of repetitions and amount of work."""

    warmup: int = setting(2, "repetitions before measurement starts", at_least=0)
    repetitions: int = setting(10, "measured repetitions; the median is reported", at_least=1)
    updates: int = setting(3, "training updates per repetition", at_least=1)
    passes: int = setting(3, "passes over the sentences translated in batches", at_least=1)
    batched: int = setting(500, "sentences translated in batches", at_least=1)
    sentences: int = setting(100, "sentences translated one at a time", at_least=1)
    product: int | None = setting(
        None, "rows and columns of the matrix product that measures the machine; null: 2048, on a GPU 8192", at_least=1
    )
    copy: int | None = setting(
        None, "megabytes copied to measure memory bandwidth; null: 256, on a GPU 2048", at_least=1
    )


@dataclass(kw_only=True)
class PreparationConfig:
    """Corpora of several sizes, prepared and trained on within a memory limit."""

    pairs: list[int] = setting(help="pairs of the built-in corpus", factory=lambda: [100_000, 1_000_000])
    gibibytes: float = setting(2.0, "address space of each process in GiB, beyond its imports", above=0)
    updates: int = setting(10, "training updates within that limit", at_least=1)


@dataclass(kw_only=True)
class ServingConfig:
    """Concurrent clients of a server; each sends its next request when it has the answer to the last."""

    clients: int = setting(32, "concurrent connections", at_least=1)
    requests: int = setting(20, "sentences that each client requests, one at a time", at_least=1)


@dataclass(kw_only=True)
class BenchmarkConfig(Settings):
    """Settings of recipes/benchmark.py."""

    run: str | None = setting(None, "run folder to measure; null: the model below with random weights")
    output: str = setting("runs/benchmark", "output folder for benchmark.json")
    parts: list[Part] = setting(
        help="what to measure: training, precisions, translation, preparation, serving",
        factory=lambda: [Part.training, Part.translation],
    )
    seed: int = setting(1, "seed of initial weights, batch order and random sentences", at_least=0)
    device: str = setting("auto", "auto, cpu or cuda")
    precision: str = setting(
        "auto",
        "auto, float32, tf32, bfloat16, float16 or int8; float16 cannot translate and int8 cannot train: then auto",
    )
    shortlist: bool = setting(False, "translate with the run's lexical shortlist")
    data: DataConfig = setting(factory=DataConfig)
    tokenizer: TokenizerConfig = setting(factory=TokenizerConfig)
    model: ModelConfig = setting(factory=ModelConfig)
    batch: BatchConfig = setting(factory=BatchConfig)
    loss: LossConfig = setting(factory=LossConfig)
    optimizer: OptimizerConfig = setting(factory=OptimizerConfig)
    clip: float | None = setting(5.0, "maximum gradient norm; null: no clipping", above=0)
    search: SearchConfig = setting(factory=SearchConfig)
    measure: MeasureConfig = setting(factory=MeasureConfig)
    preparation: PreparationConfig = setting(factory=PreparationConfig)
    serving: ServingConfig = setting(factory=ServingConfig)

    @property
    def translation_precision(self) -> str:
        """The configured precision, or ``auto`` where the configured one (float16) cannot translate."""
        return self.precision if self.precision in InferencePrecision.__members__ else InferencePrecision.auto

    def check(self) -> None:
        """Check settings that depend on each other.

        Raises:
            ConfigError: settings contradict each other; the message names them.
        """
        self.model.check()
        known = list(dict.fromkeys([*map(str, InferencePrecision), *map(str, Precision)]))
        if self.precision not in known:
            raise ConfigError(f"precision must be one of {', '.join(known)}, got {self.precision}")
        self.search.check()
        if any(pairs < 1 for pairs in self.preparation.pairs):
            raise ConfigError(f"preparation.pairs must hold numbers of at least 1, got {min(self.preparation.pairs)}")
