"""Settings of the benchmark. The matched model that they describe by default is in conf/benchmark.yaml."""

from dataclasses import dataclass
from enum import StrEnum

from seq2seq.corpora.config import DataConfig
from seq2seq.data.batch_sampler import BatchConfig
from seq2seq.errors import ConfigError
from seq2seq.inference import InferencePrecision
from seq2seq.model import ModelConfig
from seq2seq.search import SearchConfig
from seq2seq.settings import Settings, setting
from seq2seq.system.device import Precision
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.training import LossConfig, OptimizerConfig


class Part(StrEnum):
    """What is measured; the machine itself is measured every time."""

    training = "training"
    precisions = "precisions"
    translation = "translation"
    scale = "scale"
    ceiling = "ceiling"
    preparation = "preparation"
    serving = "serving"
    threads = "threads"


class Size(StrEnum):
    """Models held against a bare loop of fused LSTMs: this config's, Luong et al. 2015's, Wu et al. 2016's."""

    matched = "matched"
    luong2015 = "luong2015"
    gnmt = "gnmt"


class Take(StrEnum):
    """Which of the figures that a command prints counts."""

    median = "median"
    last = "last"


@dataclass(kw_only=True)
class MeasureConfig:
    """How often and how much is measured."""

    warmup: int = setting(2, "repetitions before the clock counts", at_least=0)
    repetitions: int = setting(10, "repetitions whose median is reported", at_least=1)
    updates: int = setting(3, "training updates in a repetition", at_least=1)
    passes: int = setting(3, "passes over the sentences that are translated in batches", at_least=1)
    batched: int = setting(500, "sentences translated in batches", at_least=1)
    sentences: int = setting(100, "sentences translated one at a time", at_least=1)
    product: int | None = setting(
        None,
        "rows and columns of the matrices whose product measures the machine; null: 2048, on a GPU 8192",
        at_least=1,
    )
    copy: int | None = setting(
        None, "megabytes copied to measure memory bandwidth; null: 256, on a GPU 2048", at_least=1
    )


@dataclass(kw_only=True)
class ScaleConfig:
    """What is varied, one factor at a time from this config's model; ids are random."""

    vocabulary: list[int] = setting(help="training: target pieces known", factory=lambda: [8000, 32000])
    width: list[int] = setting(
        help="training: units of the decoder, and of the encoder's directions together",
        factory=lambda: [256, 512, 1024],
    )
    layers: list[int] = setting(help="training: layers of encoder and decoder", factory=lambda: [1, 2, 4, 8])
    tokens: list[int] = setting(help="training: target pieces of a batch", factory=lambda: [1024, 4096, 8192])
    beam: list[int] = setting(help="translation: hypotheses kept", factory=lambda: [1, 2, 4, 8, 16])
    batch: list[int] = setting(help="translation: sentences of a batch", factory=lambda: [1, 4, 16, 64, 256])
    length: list[int] = setting(help="translation: pieces of a sentence", factory=lambda: [10, 25, 50, 100, 200])
    pieces: int = setting(25, "pieces of a sentence where length is not varied", at_least=1)
    sentences: int = setting(16, "sentences of a batch where batch is not varied", at_least=1)
    warmup: int = setting(1, "repetitions before the clock counts", at_least=0)
    repetitions: int = setting(3, "repetitions whose median is reported", at_least=1)


@dataclass(kw_only=True)
class CeilingConfig(Settings):
    """Our update against a bare loop of fused LSTMs, output layer and cross entropy of the same sizes."""

    sizes: list[Size] = setting(help="models: matched, luong2015, gnmt", factory=lambda: list(Size))
    tokens: int = setting(4096, "target pieces of a batch", at_least=1)
    pieces: int = setting(25, "pieces of a sentence", at_least=1)


@dataclass(kw_only=True)
class PreparationConfig:
    """Preparing corpora of many sizes, and training on them, within little memory."""

    pairs: list[int] = setting(help="pairs of the built-in corpus", factory=lambda: [100_000, 1_000_000])
    gibibytes: float = setting(2.0, "address space that each process may take beyond its imports", above=0)
    updates: int = setting(10, "training updates under that limit", at_least=1)


@dataclass(kw_only=True)
class ServingConfig:
    """Clients that ask a server at the same time, each its next question with the answer to the last."""

    clients: int = setting(32, "connections at a time", at_least=1)
    questions: int = setting(20, "sentences that each of them asks for, one by one", at_least=1)


@dataclass(kw_only=True)
class AgainstConfig(Settings):
    """Another program, run in turn with this one."""

    command: str | None = setting(None, "another program's command, run by the shell in turn with ours")
    figure: str | None = setting(None, "regular expression with one group: its figure, in all that the command prints")
    own: str | None = setting(None, "our command; null: the training part of this benchmark, with the same settings")
    own_figure: str = setting(r"target pieces/s +([\d.,]+)", "regular expression of our figure")
    take: Take = setting(Take.median, "where the expression matches more than once: median or last")
    lower_is_better: bool = setting(False, "the figures are times; ratios are then theirs / ours")
    rounds: int = setting(3, "times that both are run, in turn", at_least=1)


@dataclass(kw_only=True)
class BenchmarkConfig(Settings):
    """Settings of recipes/benchmark.py."""

    run: str | None = setting(None, "run folder whose model is measured; null: the model below with random weights")
    output: str = setting("runs/benchmark", "folder for benchmark.json and benchmark.png")
    parts: list[Part] = setting(
        help="what is measured: training, precisions, translation, scale, ceiling, preparation, serving, threads",
        factory=lambda: [Part.training, Part.translation],
    )
    seed: int = setting(1, "seed of initial weights, order of batches and random sentences", at_least=0)
    device: str = setting("auto", "auto, cpu or cuda")
    precision: str = setting(
        "auto",
        "auto, float32, tf32, bfloat16, float16 or int8; translation has no float16 and training no int8: then auto",
    )
    shortlist: bool = setting(False, "translate with the run's vocabulary short-list")
    data: DataConfig = setting(factory=DataConfig)
    tokenizer: TokenizerConfig = setting(factory=TokenizerConfig)
    model: ModelConfig = setting(factory=ModelConfig)
    batch: BatchConfig = setting(factory=BatchConfig)
    loss: LossConfig = setting(factory=LossConfig)
    optimizer: OptimizerConfig = setting(factory=OptimizerConfig)
    clip: float | None = setting(5.0, "largest norm of the gradient; null: not clipped", above=0)
    search: SearchConfig = setting(factory=SearchConfig)
    measure: MeasureConfig = setting(factory=MeasureConfig)
    scale: ScaleConfig = setting(factory=ScaleConfig)
    ceiling: CeilingConfig = setting(factory=CeilingConfig)
    preparation: PreparationConfig = setting(factory=PreparationConfig)
    serving: ServingConfig = setting(factory=ServingConfig)
    against: AgainstConfig = setting(factory=AgainstConfig)

    @property
    def translation_precision(self) -> str:
        """The precision of translation: as ``precision`` says, or auto where that is of training alone (float16)."""
        return self.precision if self.precision in InferencePrecision.__members__ else InferencePrecision.auto

    def check(self) -> None:
        """Hold what one setting demands of another.

        Raises:
            ConfigError: names the settings that contradict each other.
        """
        self.model.check()
        known = list(dict.fromkeys([*map(str, InferencePrecision), *map(str, Precision)]))
        if self.precision not in known:
            raise ConfigError(f"precision must be one of {', '.join(known)}, got {self.precision}")
        self.search.check()
        if self.against.command is not None and self.against.figure is None:
            raise ConfigError(
                "against.command needs against.figure='REGEX': an expression with one group that finds its figure"
            )
        for name in ("vocabulary", "width", "layers", "tokens", "beam", "batch", "length"):
            values = getattr(self.scale, name)
            if any(value < 1 for value in values):
                raise ConfigError(f"scale.{name} must hold numbers of at least 1, got {min(values)}")
        if any(pairs < 1 for pairs in self.preparation.pairs):
            raise ConfigError(f"preparation.pairs must hold numbers of at least 1, got {min(self.preparation.pairs)}")
