"""The settings of each recipe, composed of the settings of packages, and checks across them."""

from dataclasses import dataclass
from enum import StrEnum

from seq2seq.config.automatic import AutoConfig
from seq2seq.corpora.config import DataConfig, Split, source_tags, without_source
from seq2seq.data.config import BatchConfig
from seq2seq.doctor.reasons import Reason
from seq2seq.errors import ConfigError
from seq2seq.inference.config import InferencePrecision, ShortlistConfig
from seq2seq.model import AttentionKind, ModelConfig, Tying
from seq2seq.search import SearchConfig, SearchOverrides
from seq2seq.settings import Settings, setting, walk
from seq2seq.system.hub import check_repository, is_hub
from seq2seq.tokenizer.config import TokenizerConfig, check_tag
from seq2seq.training import (
    LossConfig,
    OptimizerConfig,
    RiskConfig,
    ScheduleConfig,
    ScheduledSamplingConfig,
    TrainingConfig,
)
from seq2seq.training.config import Criterion, EmbeddingsConfig
from seq2seq.training.loggers import LoggerConfig
from seq2seq.translation.config import ENCODING, EnsembleConfig, OverridesConfig, RunConfig, TranslatorConfig

SPLIT = "train, validation or test split of data, or of the run's data if data is not set"


@dataclass(kw_only=True)
class TrainConfig:
    """Settings of recipes/train.py; the run folder keeps them as config.yaml."""

    run: str = setting("runs/demo", "output folder; rerun the same command to resume")
    seed: int = setting(1, "seed of initial weights, batch order and dropout", at_least=0, at_most=2e9)
    licence: str | None = setting(None, "licence of the trained model, such as CC-BY-4.0; its weights name it")
    data: DataConfig = setting(factory=DataConfig)
    tokenizer: TokenizerConfig = setting(factory=TokenizerConfig)
    embeddings: EmbeddingsConfig = setting(factory=EmbeddingsConfig)
    model: ModelConfig = setting(factory=ModelConfig)
    batch: BatchConfig = setting(factory=BatchConfig)
    loss: LossConfig = setting(factory=LossConfig)
    scheduled_sampling: ScheduledSamplingConfig = setting(factory=ScheduledSamplingConfig)
    risk: RiskConfig = setting(factory=RiskConfig)
    optimizer: OptimizerConfig = setting(factory=OptimizerConfig)
    schedule: ScheduleConfig = setting(factory=ScheduleConfig)
    training: TrainingConfig = setting(factory=TrainingConfig)
    search: SearchConfig = setting(factory=SearchConfig)
    shortlist: ShortlistConfig = setting(factory=ShortlistConfig)
    logger: LoggerConfig = setting(factory=LoggerConfig)
    auto: AutoConfig = setting(factory=AutoConfig)

    @property
    def translates(self) -> bool:
        """Whether the model is a translator; without an encoder it is a language model."""
        return not self.model.is_language_model

    def text(self) -> tuple[DataConfig, TokenizerConfig]:
        """Settings of the text and its tokenizers; a language model uses only the target side."""
        if self.translates:
            return self.data, self.tokenizer
        return without_source(self.data), self.tokenizer.monolingual()

    def check(self) -> None:
        """Check settings against each other, before any text is read or folder created.

        With ``experiment=auto``, what depends on its choices is checked again once they are made.

        Raises:
            ConfigError: settings contradict each other.
        """
        if is_hub(self.run):
            raise ConfigError(
                f"run={self.run} is a model of the hub, which cannot be written: set run=PATH; to start from it, add "
                f"training.start={self.run}"
            )
        self.model.check()
        self.search.check()
        for tag in source_tags(self.data):
            check_tag(tag)
        self.tokenizer.check()
        self.embeddings.check(self.model, self.tokenizer)
        if self.training.start is not None and self.embeddings.files():
            raise ConfigError("training.start loads embeddings: leave embeddings.source and embeddings.target out")
        self.training.check()
        if self.auto.choose and self.training.start is not None:
            raise ConfigError(
                f"experiment=auto chooses a network, and training.start={self.training.start} has one: use "
                f"experiment={self.training.start}/auto.yaml, or the experiment and settings of that run"
            )
        if not self.auto.choose:
            self.check_length(self.training.updates)
        if not self.translates:
            self._check_language_model()
        if self.model.tying is Tying.all and not self.tokenizer.joint:
            raise ConfigError("model.tying=all shares one vocabulary: set tokenizer.joint=true or model.tying=output")
        if self.training.bidirectional > 0:
            self._check_bidirectional()
        if self.loss.bag_of_words > 0:
            self._check_bag_of_words()
        if self.training.self_distillation > 0:
            self._check_self_distillation()
        self.loss.check()
        self.risk.check()
        self.logger.check()

    def check_length(self, updates: int) -> None:
        """Check the schedules for a run of this many updates.

        Raises:
            ConfigError: a schedule is longer than the run.
        """
        self.scheduled_sampling.check(updates)
        self.schedule.check(updates)

    def _check_bidirectional(self) -> None:
        """Refuse training in both directions of a model that has one."""
        if not self.translates:
            raise ConfigError(
                "training.bidirectional needs two sides, but a language model (model.encoder.layers=0) has one: set "
                "training.bidirectional=0"
            )
        if not self.tokenizer.joint:
            raise ConfigError(
                "training.bidirectional reads and writes both languages with one vocabulary: set tokenizer.joint=true "
                "or training.bidirectional=0"
            )

    def _check_bag_of_words(self) -> None:
        """Refuse to predict words from a context vector that the model lacks, or that attention complements."""
        if not self.translates:
            raise ConfigError(
                "loss.bag_of_words predicts words from a context vector, which a language model "
                "(model.encoder.layers=0) does not have: set loss.bag_of_words=0"
            )
        if self.model.attention is not AttentionKind.none:
            raise ConfigError(
                f"loss.bag_of_words predicts words from the context vector alone, and model.attention="
                f"{self.model.attention} reads all states of the encoder: set model.attention=none or "
                f"loss.bag_of_words=0"
            )

    def _check_self_distillation(self) -> None:
        """Refuse to compare the moving average with passes over other inputs than the target's own tokens."""
        others = {"scheduled_sampling.rate": self.scheduled_sampling.rate, "risk.weight": self.risk.weight}
        for name, value in others.items():
            if value > 0:
                raise ConfigError(
                    f"training.self_distillation={self.training.self_distillation:g} compares predictions of the "
                    f"target's own tokens, and with {name}={value:g} passes read others: set one of them to 0"
                )

    def _check_language_model(self) -> None:
        """Refuse settings that score translations, which a language model does not make."""
        if self.auto.choose:
            raise ConfigError("experiment=auto chooses settings of translators: leave it out for a language model")
        if self.training.criterion is not Criterion.loss:
            raise ConfigError(
                f"training.criterion={self.training.criterion} scores translations, but a language model "
                "(model.encoder.layers=0) makes none: set training.criterion=loss"
            )
        if self.risk.weight > 0:
            raise ConfigError(
                "risk.weight rewards translations, but a language model (model.encoder.layers=0) makes none: set "
                "risk.weight=0"
            )
        if self.tokenizer.sampling > 0 and not self.tokenizer.sample_target:
            raise ConfigError(
                "tokenizer.sample_target=false leaves a language model (model.encoder.layers=0) no text to sample: set "
                "tokenizer.sample_target=true or tokenizer.sampling=0"
            )


@dataclass(kw_only=True)
class EvaluateConfig(OverridesConfig, TranslatorConfig):
    """Settings of recipes/evaluate.py."""

    run: str | None = setting(None, "run folder of the model")  # type: ignore[assignment]
    split: Split = setting(Split.test, SPLIT)
    data: DataConfig = setting(factory=DataConfig)
    hypotheses: str | None = setting(None, "score this file, one translation per line; nothing is translated")
    beam_size: int | None = setting(
        None, "hypotheses kept; 1: only greedy search is scored; null: use the run's search.beam_size", at_least=1
    )
    lowercase: bool = setting(False, "ignore case in BLEU and chrF")
    bootstrap: int = setting(1000, "bootstrap resamples for confidence intervals", at_least=1)

    def check(self, language_model: bool) -> None:
        """Refuse settings of translation if nothing is translated.

        Args:
            language_model: whether the run is a language model.

        Raises:
            ConfigError: a setting would do nothing.
        """
        if (self.search.n_best or 1) > 1:
            raise ConfigError("evaluation scores one translation per sentence: leave search.n_best out")
        used = [name for name in ("ensemble", "language_model", "beam_size", "shortlist") if getattr(self, name)]
        used += [f"search.{name}" for name, *_ in walk(self.search) if getattr(self.search, name) is not None]
        if self.hypotheses is not None:
            used += ["device"] * (self.device != "auto") + ["precision"] * (self.precision != InferencePrecision.auto)
            if used:
                raise ConfigError(f"hypotheses={self.hypotheses} is already translated: leave {used[0]} out")
        if language_model:
            used += ["lowercase"] * self.lowercase + ["bootstrap"] * (self.bootstrap != EvaluateConfig().bootstrap)
        if used and language_model:
            raise ConfigError(
                f"run={self.run} is a language model and does not translate: leave {used[0]} out, or set run=PATH to a "
                f"translator"
            )


@dataclass(kw_only=True)
class QuantizeConfig:
    """Settings of recipes/quantize.py."""

    run: str = setting("runs/demo", "run folder of the model")
    output: str | None = setting(None, "new model folder; null: RUN-int8")


class ExportPrecision(StrEnum):
    """The form of the weights in an exported folder."""

    float32 = "float32"
    int8 = "int8"


@dataclass(kw_only=True)
class ExportConfig(OverridesConfig):
    """Settings of recipes/export.py."""

    run: str = setting("runs/demo", "run folder of the model")
    output: str | None = setting(None, "new folder; null: RUN-portable")
    precision: ExportPrecision | None = setting(None, "float32, or int8: a quarter of the size; null: the run's")
    check: bool = setting(False, "only translate the sentences of output/check.json on this machine and compare")


@dataclass(kw_only=True)
class AverageConfig:
    """Settings of recipes/average.py."""

    run: str = setting("runs/demo", "run folder of the model")
    runs: list[str] = setting(
        help="further run folders with the same architecture and initial weights; empty: average checkpoints of run",
        factory=list,
    )
    output: str | None = setting(None, "new model folder; null: RUN-average")


@dataclass(kw_only=True)
class PushConfig:
    """Settings of recipes/push.py."""

    run: str = setting("runs/demo", "run folder, or exported folder, of the model")
    repository: str | None = setting(None, "where on the hub: USER/NAME; created if it is missing")
    private: bool = setting(False, "the repository must be private: a new one becomes so, a public one is refused")
    dry_run: bool = setting(False, "list the files and send nothing")

    def check(self) -> str:
        """Return the name of the repository.

        Raises:
            ConfigError: it is missing or not valid.
        """
        if self.repository is None:
            raise ConfigError("where to send the model is not set: set repository=USER/NAME")
        check_repository(self.repository)
        return self.repository


@dataclass(kw_only=True)
class DistillConfig(OverridesConfig, EnsembleConfig):
    """Settings of recipes/distill.py."""

    split: Split = setting(Split.train, SPLIT)
    data: DataConfig = setting(factory=DataConfig)
    output: str | None = setting(None, "new folder; null: RUN-distilled")
    n_best: int = setting(1, "distinct translations of each sentence to write, at most beam_size", at_least=1)
    closest: bool = setting(False, "write the hypothesis most similar to the reference (sentence BLEU)")

    def search_config(self, search: SearchConfig) -> SearchConfig:
        """Return the run's search settings with the command's overrides.

        Raises:
            ConfigError: the short and the long form of a setting contradict each other, or search.n_best is set.
        """
        if self.search.n_best not in (None, self.n_best):
            raise ConfigError(
                f"search.n_best={self.search.n_best} does nothing here: set n_best={self.search.n_best}, the number of "
                f"translations written for each sentence"
            )
        return super().search_config(search)


@dataclass(kw_only=True)
class BacktranslateConfig(RunConfig):
    """Settings of recipes/backtranslate.py."""

    run: str = setting("runs/demo", "run folder of a model that translates from the target to the source language")
    input: str = setting("-", "target-language text, one sentence per line, compressed or not; - is standard input")
    encoding: str | None = setting(None, ENCODING)
    output: str | None = setting(None, "new folder; null: RUN-synthetic")
    beam_size: int | None = setting(None, "hypotheses kept; null: 1, greedy search", at_least=1)
    n_best: int | None = setting(None, "maximum number of distinct sources per sentence; null: 1", at_least=1)
    search: SearchOverrides = setting(factory=SearchOverrides)
    tag: str | None = setting(None, "first word of each sentence; null: data.source_tag of the run; '': none")


@dataclass(kw_only=True)
class SplitFileConfig:
    """Settings of recipes/split.py."""

    data: DataConfig = setting(factory=DataConfig)
    output: str | None = setting(None, "new folder; null: the file's name without its ending, and -split")


@dataclass(kw_only=True)
class DoctorConfig(Settings):
    """Settings of recipes/doctor.py."""

    data: DataConfig = setting(factory=DataConfig)
    fix: bool = setting(False, "write cleaned copies next to the training files, such as train.clean.en for train.en")
    keep: list[Reason] = setting(help="findings that fix ignores, such as [duplicate,ratio]", factory=list)
    max_length: int = setting(1000, "maximum characters in a sentence", at_least=1)
    max_ratio: float = setting(3.0, "maximum length ratio of a pair, relative to that of the corpus", above=1)
    examples: int = setting(3, "example pairs per finding", at_least=0)
    json: bool = setting(False, "print the full report as JSON, with every line number")
