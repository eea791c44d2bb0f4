"""The settings of each recipe: what the rooms define, put together, and what one demands of another."""

from dataclasses import dataclass

from seq2seq.corpora.config import DataConfig, Split
from seq2seq.corpora.corpus import source_tags
from seq2seq.corpora.monolingual import target_tokenizer, without_source
from seq2seq.data.batch_sampler import BatchConfig
from seq2seq.doctor.findings import Reason
from seq2seq.errors import ConfigError
from seq2seq.inference import InferencePrecision
from seq2seq.inference.shortlist import ShortlistConfig
from seq2seq.model import ModelConfig, Tying
from seq2seq.search import LANGUAGE_MODEL_WEIGHT, SearchChanges, SearchConfig
from seq2seq.settings import Settings, setting, walk
from seq2seq.tokenizer.config import TokenizerConfig, check_tag
from seq2seq.training import (
    LossConfig,
    OptimizerConfig,
    RiskConfig,
    ScheduleConfig,
    ScheduledSamplingConfig,
    TrainingConfig,
)
from seq2seq.training.pretrained_embeddings import EmbeddingsConfig
from seq2seq.training.progress import Criterion


@dataclass(kw_only=True)
class TrainConfig:
    """Settings of recipes/train.py; a run folder keeps them as config.yaml."""

    run: str = setting("runs/demo", "run folder: everything the run makes; the same command goes on in it")
    seed: int = setting(1, "seed of initial weights, order of batches and dropout", at_least=0, at_most=2e9)
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

    @property
    def translates(self) -> bool:
        """Whether the run is a translator; without an encoder it is a language model."""
        return self.model.encoder.layers > 0

    def text(self) -> tuple[DataConfig, TokenizerConfig]:
        """Where text is found and how it is cut: for a language model, the target side alone."""
        if self.translates:
            return self.data, self.tokenizer
        return without_source(self.data), target_tokenizer(self.tokenizer)

    def check(self) -> None:
        """Hold what one setting demands of another, before a corpus is read or a folder made.

        Raises:
            ConfigError: names the settings that contradict each other.
        """
        self.model.check()
        self.search.check()
        for tag in source_tags(self.data):
            check_tag(tag)
        self.tokenizer.check()
        self.embeddings.check(self.model, self.tokenizer)
        if self.training.start is not None and self.embeddings.files():
            raise ConfigError("training.start brings embeddings: leave embeddings.source and embeddings.target out")
        self.scheduled_sampling.check(self.training.updates)
        self.schedule.check(self.training.updates)
        if not self.translates:
            self._check_language_model()
        if self.model.tying is Tying.all and not self.tokenizer.joint:
            raise ConfigError("model.tying=all shares one vocabulary: set tokenizer.joint=true or model.tying=output")
        self.risk.check()

    def _check_language_model(self) -> None:
        """A language model (model.encoder.layers=0) translates nothing that could be scored."""
        if self.training.criterion is not Criterion.loss:
            raise ConfigError(
                f"training.criterion={self.training.criterion} scores translations, and a language model "
                "(model.encoder.layers=0) makes none: set training.criterion=loss"
            )
        if self.risk.weight > 0:
            raise ConfigError(
                "risk.weight rewards translations, and a language model (model.encoder.layers=0) makes none: set "
                "risk.weight=0"
            )
        if self.tokenizer.sampling > 0 and not self.tokenizer.sample_target:
            raise ConfigError(
                "tokenizer.sample_target=false leaves a language model (model.encoder.layers=0) no text to sample: set "
                "tokenizer.sample_target=true or tokenizer.sampling=0"
            )


@dataclass(kw_only=True)
class EvaluateConfig(Settings):
    """Settings of recipes/evaluate.py."""

    run: str | None = setting(None, "run folder with the model")
    ensemble: list[str] = setting(
        help="further run folders of the same target vocabulary: all choose each piece together", factory=list
    )
    language_model: str | None = setting(
        None, "run folder of a language model of the same target vocabulary that has a say (shallow fusion)"
    )
    language_model_weight: float = setting(LANGUAGE_MODEL_WEIGHT, "what its log-probabilities count", at_least=0)
    split: Split = setting(Split.test, "train, validation or test: of the run's corpus, or of data where that is named")
    data: DataConfig = setting(factory=DataConfig)
    hypotheses: str | None = setting(None, "score this file, one translation a line, instead of translating")
    beam_size: int | None = setting(
        None, "hypotheses kept, beside greedy search; 1: greedy alone; null: as the run's search.beam_size", at_least=1
    )
    search: SearchChanges = setting(factory=SearchChanges)
    lowercase: bool = setting(False, "ignore case in BLEU and chrF")
    bootstrap: int = setting(1000, "resamples behind the confidence intervals", at_least=1)
    device: str = setting("auto", "auto, cpu or cuda")
    precision: InferencePrecision = setting(
        InferencePrecision.auto, "float32, tf32 (of GPUs), bfloat16, int8, or auto: as the run's"
    )
    shortlist: bool = setting(False, "score only pieces that can translate the source, going by the training data")

    def searching(self, search: SearchConfig) -> SearchConfig:
        """The run's search settings with what the command changes.

        Raises:
            ConfigError: the two names of a setting contradict each other.
        """
        return self.search.with_short_names(self.beam_size).applied(search)

    def check(self, predicts: bool) -> None:
        """Hold that what belongs to translating is named only where something is translated, and once a sentence.

        Args:
            predicts: the run is a language model, which is scored on text as it is.

        Raises:
            ConfigError: a setting would do nothing.
        """
        if (self.search.n_best or 1) > 1:
            raise ConfigError("one translation of each sentence is scored: leave search.n_best out")
        named = [name for name in ("ensemble", "language_model", "beam_size", "shortlist") if getattr(self, name)]
        named += [f"search.{name}" for name, *_ in walk(self.search) if getattr(self.search, name) is not None]
        if self.hypotheses is not None:
            named += ["device"] * (self.device != "auto") + ["precision"] * (self.precision != InferencePrecision.auto)
            if named:
                raise ConfigError(f"hypotheses={self.hypotheses} is translated already: leave {named[0]} out")
        if named and predicts:
            raise ConfigError(
                f"run={self.run} is a language model and translates nothing: leave {named[0]} out, or name a "
                f"translator with run=PATH"
            )


@dataclass(kw_only=True)
class QuantizeConfig:
    """Settings of recipes/quantize.py."""

    run: str = setting("runs/demo", "run folder with the model")
    output: str | None = setting(None, "the new model folder; null: the run's name with -int8 behind it")


@dataclass(kw_only=True)
class AverageConfig:
    """Settings of recipes/average.py."""

    run: str = setting("runs/demo", "run folder with the model")
    runs: list[str] = setting(
        help="further run folders, of the same architecture and first weights; none: the run's chosen checkpoints",
        factory=list,
    )
    output: str | None = setting(None, "the new model folder; null: the run's name with -average behind it")


@dataclass(kw_only=True)
class DistillConfig(Settings):
    """Settings of recipes/distill.py."""

    run: str = setting("runs/demo", "run folder of the teacher")
    ensemble: list[str] = setting(
        help="further run folders of the same target vocabulary: all teach together", factory=list
    )
    split: Split = setting(Split.train, "train, validation, test: of the run's corpus, or of data where that is named")
    data: DataConfig = setting(factory=DataConfig)
    output: str | None = setting(None, "the new folder; null: the run's name with -distilled behind it")
    beam_size: int | None = setting(
        None, "hypotheses of the teacher's search; null: as the run's search.beam_size", at_least=1
    )
    search: SearchChanges = setting(factory=SearchChanges)
    n_best: int = setting(1, "different translations written of each sentence, at most beam_size", at_least=1)
    closest: bool = setting(False, "of the whole beam write what is most similar to the reference, by sentence BLEU")
    device: str = setting("auto", "auto, cpu or cuda")
    precision: InferencePrecision = setting(
        InferencePrecision.auto, "float32, tf32 (of GPUs), bfloat16, int8, or auto: as the run's"
    )

    def searching(self, search: SearchConfig) -> SearchConfig:
        """The run's search settings with what the command changes; ``n_best`` is how many translations are written.

        Raises:
            ConfigError: the two names of a setting contradict each other, or n_best has the wrong one.
        """
        if self.search.n_best not in (None, self.n_best):
            raise ConfigError(
                f"search.n_best={self.search.n_best} does nothing here: say n_best={self.search.n_best}, how many "
                f"translations of each sentence are written"
            )
        return self.search.with_short_names(self.beam_size).applied(search)


@dataclass(kw_only=True)
class BacktranslateConfig(Settings):
    """Settings of recipes/backtranslate.py."""

    run: str = setting("runs/demo", "run folder of a model from the target language to the source language")
    input: str = setting("-", "text of the target language, one sentence a line; .gz accepted; - is standard input")
    output: str | None = setting(None, "the new folder; null: the run's name with -synthetic behind it")
    beam_size: int | None = setting(None, "hypotheses kept; null: 1, greedy search", at_least=1)
    n_best: int | None = setting(None, "at most so many different sources for each sentence; null: 1", at_least=1)
    search: SearchChanges = setting(factory=SearchChanges)
    tag: str | None = setting(None, "first word of each sentence; null: the data.source_tag of run; '': none")
    device: str = setting("auto", "auto, cpu or cuda")
    precision: InferencePrecision = setting(
        InferencePrecision.auto, "float32, tf32 (of GPUs), bfloat16, int8, or auto: as the run's"
    )


@dataclass(kw_only=True)
class DoctorConfig(Settings):
    """Settings of recipes/doctor.py."""

    data: DataConfig = setting(factory=DataConfig)
    fix: bool = setting(False, "write cleaned copies beside the training files, such as train.clean.en for train.en")
    keep: list[Reason] = setting(help="findings that fix leaves as they are, such as [duplicate,ratio]", factory=list)
    max_length: int = setting(1000, "more characters in a sentence than this are too many", at_least=1)
    max_ratio: float = setting(3.0, "how many times the corpus's usual ratio of lengths a pair may have", above=1)
    examples: int = setting(3, "pairs shown for each finding", at_least=0)
    json: bool = setting(False, "print all of it as JSON, every line number included")
