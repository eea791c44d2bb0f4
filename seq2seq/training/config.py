"""Settings of training: the loop, the loss and its alternatives, initial embeddings."""

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from seq2seq.errors import ConfigError
from seq2seq.model.choices import Tying
from seq2seq.model.config import ModelConfig
from seq2seq.settings import Settings, setting
from seq2seq.system.precision import Precision
from seq2seq.tokenizer.config import Algorithm, TokenizerConfig


class Criterion(StrEnum):
    """Selects the best model on the validation set; the loss breaks ties."""

    loss = "loss"
    bleu = "bleu"
    chrf = "chrf"


class Average(StrEnum):
    """The validations whose weights are averaged at the end of training."""

    none = "none"
    best = "best"
    last = "last"


class StartVocabulary(StrEnum):
    """The vocabulary of a run with a start: that of the start, or its own, trained on its text."""

    run = "run"
    own = "own"


@dataclass(kw_only=True)
class TrainingConfig(Settings):
    """Settings of the training loop."""

    updates: int = setting(3000, "number of weight updates", at_least=1)
    epochs: int | None = setting(
        None,
        "passes through the training pairs; training ends after them or after updates, whichever comes first",
        at_least=1,
    )
    time: str | None = setting(
        None,
        "time that training takes here, such as 90s, 30m or 1h30m: a short measurement turns it into a number of "
        "updates, which replaces updates; null: by updates",
    )
    time_limit: str | None = setting(
        None, "fewer updates if this machine needs more than this time for them, such as 1h; null: no limit"
    )
    accumulate: int = setting(1, "batches per update (gradient accumulation)", at_least=1)
    clip: float | None = setting(1.0, "maximum gradient norm; null: no clipping", above=0)
    validate_every: int = setting(500, "updates between validations; each validation also saves the run", at_least=1)
    criterion: Criterion = setting(
        Criterion.bleu, "selects the best model on the validation set: loss, bleu or chrf; the loss breaks ties"
    )
    patience: int | None = setting(
        None, "stop after this number of validations without improvement; null: never", at_least=1
    )
    average: Average = setting(Average.best, "average the weights of the best or last validations, or none")
    average_count: int = setting(4, "number of validations whose weights are averaged", at_least=1)
    ema: float | None = setting(
        None,
        "decay of an exponential moving average of the weights, which is validated and saved; null: none",
        above=0,
        below=1,
    )
    self_distillation: float = setting(
        0.0, "weight of the divergence from the prediction of the moving average (training.ema); 0: off", at_least=0
    )
    bidirectional: float = setting(
        0.0,
        "share of the updates, from the first on, that train on both directions; needs a joint vocabulary; 0: none",
        at_least=0,
        at_most=1,
    )
    curriculum: float = setting(
        0.0,
        "share of the updates, from the first on, in which training grows from the shortest pairs to all; 0: none",
        at_least=0,
        at_most=1,
    )
    curriculum_start: float = setting(
        0.01, "curriculum: share of the pairs that training begins with", above=0, below=1
    )
    start: str | None = setting(
        None, "run folder whose tokenizers and weights this run starts from; null: from scratch"
    )
    start_vocabulary: StartVocabulary = setting(
        StartVocabulary.run,
        "vocabulary with training.start: run (that run's) or own (of this text; tokens that both have keep their "
        "weights)",
    )
    save_minutes: float | None = setting(
        5.0,
        "minutes between saves, at the next record in metrics.jsonl; null: only at validations",
        at_least=0,
    )
    log_every: int = setting(50, "updates between records in metrics.jsonl", at_least=1)
    samples: int = setting(3, "sample translations shown at each validation; 0: none", at_least=0, at_most=100)
    precision: Precision = setting(
        Precision.auto, "precision of matrix products: auto, float32, tf32 (GPUs), bfloat16 or float16 (scaled loss)"
    )
    device: str = setting("auto", "auto, cpu or cuda")
    threads: int | None = setting(
        None, "CPU threads; null: OMP_NUM_THREADS, or one per core; resume with the same number", at_least=1
    )
    smaller: str | None = setting(
        None, "experiment=NAME of a smaller model, suggested if training takes over 15 minutes; null: none"
    )

    @property
    def bidirectional_updates(self) -> int:
        """Number of updates that train on both directions."""
        return round(self.bidirectional * self.updates)

    @property
    def curriculum_updates(self) -> int:
        """Number of updates until all pairs are trained on."""
        return round(self.curriculum * self.updates)

    @property
    def updates_before_patience(self) -> int:
        """Number of updates after which patience begins, also that of a plateau schedule.

        Both directions and the curriculum end there: until then, training is not on the text that is validated. A phase
        that lasts for all updates does not count.
        """
        phases = (self.bidirectional, self.bidirectional_updates), (self.curriculum, self.curriculum_updates)
        return max((updates for share, updates in phases if share < 1), default=0)

    def check(self) -> None:
        """Check that times are durations, and that a curriculum does not contradict the number of epochs.

        Raises:
            ConfigError: one is not, or it does.
        """
        if self.curriculum > 0 and self.epochs is not None:
            raise ConfigError(
                f"training.epochs={self.epochs} counts passes through all pairs, but epochs of training.curriculum="
                f"{self.curriculum:g} have some of them: set training.epochs=null or training.curriculum=0"
            )
        for name, text in (("time", self.time), ("time_limit", self.time_limit)):
            if text is not None:
                seconds_of(text, f"training.{name}")


LATE, LATE_SECONDS = 0.25, 60
"""Share of training.time by which training may be late before the clock stops it, and the fewest seconds of it."""


def seconds_allowed(training: TrainingConfig, update: int) -> float:
    """Seconds that this process may train from an update on, if training.time is set; else infinity.

    The remaining updates have their share of the time, and the time by which training may be late is added.
    """
    if training.time is None:
        return math.inf
    seconds = seconds_of(training.time)
    remaining = max(0, training.updates - update) / training.updates
    return seconds * remaining + max(LATE * seconds, LATE_SECONDS)


UNITS = {"h": 3600, "m": 60, "s": 1}
"""Seconds of each unit of a duration, in the order in which they are written."""


def seconds_of(duration: str, name: str = "duration") -> int:
    """The seconds of a duration such as ``90s``, ``30m``, ``2h`` or ``1h30m``.

    Args:
        duration: numbers with their units.
        name: the setting, for the message.

    Raises:
        ConfigError: it is not a duration, or is zero.
    """
    parts = re.fullmatch(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?", duration, re.ASCII)
    seconds = (
        sum(int(part or 0) * unit for part, unit in zip(parts.groups(), UNITS.values(), strict=True)) if parts else 0
    )
    if seconds == 0:
        raise ConfigError(f"{name} must be a time such as 90s, 30m, 2h or 1h30m, got {duration!r}")
    return seconds


@dataclass(kw_only=True)
class LossConfig:
    """Settings of the loss."""

    label_smoothing: float = setting(
        0.1,
        "share of the target probability that is spread over the vocabulary (Szegedy et al. 2016)",
        at_least=0,
        below=1,
    )
    consistency: float = setting(
        0.0, "weight of the divergence between two passes with different dropout (R-Drop); 0: off", at_least=0
    )
    simcut: float = setting(
        0.0, "weight of the divergence from a pass without some input tokens (SimCut), such as 3; 0: off", at_least=0
    )
    cutoff: float = setting(
        0.05, "simcut: probability that an input token is left out of the second pass", above=0, below=1
    )
    cutoff_span: int = setting(1, "simcut: consecutive tokens that are left out together", at_least=1, at_most=100)

    guided_attention: float = setting(
        0.0, "weight with which attention is drawn towards the links of IBM Model 1 at first; 0: off", at_least=0
    )
    guided_until: float = setting(
        0.5, "guided_attention: share of the updates in which its weight falls to 0", above=0, at_most=1
    )
    bag_of_words: float = setting(
        0.0,
        "weight with which the context vector alone predicts the words of the target; without attention; 0: off",
        at_least=0,
    )
    bag_until: float = setting(
        1.0, "bag_of_words: share of the updates in which its weight falls to 0", above=0, at_most=1
    )

    def check(self) -> None:
        """Check that at most one loss compares two passes.

        Raises:
            ConfigError: both do.
        """
        if self.consistency > 0 and self.simcut > 0:
            raise ConfigError(
                f"loss.consistency={self.consistency:g} and loss.simcut={self.simcut:g} both compare two passes, and "
                "an update has two: set one of them to 0"
            )


class RiskKind(StrEnum):
    """Estimator of the expectation: renormalized samples (Shen et al. 2016) or REINFORCE (Ranzato et al. 2016)."""

    minimum_risk = "minimum_risk"
    reinforce = "reinforce"


class RewardMetric(StrEnum):
    """The reward of a translation: sacreBLEU's sentence BLEU or chrF."""

    bleu = "bleu"
    chrf = "chrf"


@dataclass(kw_only=True)
class RiskConfig(Settings):
    """Settings of minimum risk training."""

    weight: float = setting(
        0.0, "weight of the risk of sampled translations in the objective; 0: off", at_least=0, at_most=1
    )
    kind: RiskKind = setting(
        RiskKind.minimum_risk, "estimator: minimum_risk (Shen et al. 2016) or reinforce (Ranzato et al. 2016)"
    )
    metric: RewardMetric = setting(RewardMetric.bleu, "sentence score that rewards a translation: bleu or chrf")
    samples: int = setting(8, "sampled translations per sentence", at_least=2)
    temperature: float = setting(1.0, "samples are drawn from p ** (1 / temperature)", at_least=1e-30, at_most=1e30)
    max_length_ratio: float = setting(
        1.5, "maximum length of a sample in tokens = ratio * source tokens + offset", at_least=0
    )
    max_length_offset: int = setting(10, "tokens allowed on top of max_length_ratio * source tokens", at_least=0)
    sharpness: float = setting(0.005, "minimum_risk: candidates are weighted by p ** sharpness, renormalized", above=0)
    reference: bool = setting(True, "minimum_risk: the reference is a candidate too (Shen et al. 2016)")

    def check(self) -> None:
        """Check that REINFORCE samples from the model's own distribution.

        Raises:
            ConfigError: the temperature changes the distribution.
        """
        if self.weight > 0 and self.kind == RiskKind.reinforce and self.temperature != 1:
            raise ConfigError(
                f"risk.temperature={self.temperature:g} changes the distribution that is sampled, which biases "
                f"risk.kind=reinforce: set risk.temperature=1 or risk.kind=minimum_risk"
            )


class SamplingSchedule(StrEnum):
    """How the share of predictions rises: 1 minus the three decays of Bengio et al. 2015, sec. 2.4."""

    linear = "linear"
    exponential = "exponential"
    inverse_sigmoid = "inverse_sigmoid"


class Prediction(StrEnum):
    """The prediction that the decoder reads: a sample of its distribution, or the most probable token."""

    sample = "sample"
    argmax = "argmax"


class Passes(StrEnum):
    """How predictions are made.

    sequential: position by position, each after the mixed inputs before it (Bengio et al. 2015). parallel: all at once,
    each after the target's tokens, in one additional pass (Mihaylova & Martins 2019, Duckworth et al. 2019).
    """

    sequential = "sequential"
    parallel = "parallel"


@dataclass(kw_only=True)
class ScheduledSamplingConfig(Settings):
    """Settings of scheduled sampling."""

    rate: float = setting(
        0.0, "final share of decoder inputs that are its own predictions; 0: off", at_least=0, at_most=1
    )
    schedule: SamplingSchedule = setting(
        SamplingSchedule.linear, "how the share rises: linear, exponential or inverse_sigmoid (Bengio et al. 2015)"
    )
    updates: int | None = setting(None, "updates until the final share is reached; null: training.updates", at_least=1)
    prediction: Prediction = setting(Prediction.sample, "prediction that the decoder reads: sample or argmax")
    passes: Passes = setting(
        Passes.sequential,
        "how predictions are made: sequential (each depends on those before) or parallel (one pass, cheaper)",
    )

    def check(self, updates: int | None = None) -> None:
        """Check that the schedule reaches its rate, within ``updates`` if that is given.

        Raises:
            ConfigError: it does not.
        """
        if self.rate > 0 and self.updates is not None and updates is not None and self.updates > updates:
            raise ConfigError(
                f"scheduled_sampling.updates={self.updates} is longer than the run, which never reaches "
                f"scheduled_sampling.rate={self.rate:g}: set scheduled_sampling.updates=null, or training.updates="
                f"{self.updates} or more (it is {updates})"
            )
        if self.rate == 1 and self.schedule is not SamplingSchedule.linear:
            raise ConfigError(
                f"scheduled_sampling.schedule={self.schedule} never reaches a rate of 1: set "
                f"scheduled_sampling.rate=0.99 or less, or scheduled_sampling.schedule=linear"
            )


@dataclass(kw_only=True)
class EmbeddingsConfig:
    """Files with initial embeddings; words that they lack are initialized randomly."""

    source: str | None = setting(
        None, "text file with vectors of source words (word2vec, GloVe, fastText; .gz accepted)"
    )
    target: str | None = setting(None, "the same for target words")
    freeze: bool = setting(
        False, "do not train embedding tables that are read from a file, here and in runs that start from this one"
    )
    unfreeze: bool = setting(False, "with training.start: train the embedding tables that its run has frozen")

    def files(self) -> dict[str, Path]:
        """The files, by side (source, target)."""
        names = {"source": self.source, "target": self.target}
        return {side: Path(name).expanduser() for side, name in names.items() if name is not None}

    def check(self, model: ModelConfig, tokenizer: TokenizerConfig) -> None:
        """Check that settings agree with each other and with the first line of each file.

        Raises:
            ConfigError: settings contradict each other, or the vectors have another width than the embeddings.
            DataError: a file cannot be read or has no vectors.
        """
        files = self.files()
        if self.freeze:
            self._check_freeze(model)
        if "source" in files and model.is_language_model:
            raise ConfigError("embeddings.source needs an encoder: use embeddings.target, or set model.encoder.layers")
        sides = {"source": tokenizer.source_side(), "target": tokenizer.target_side()}
        source, target = tokenizer.source_model, tokenizer.target_model
        joint = source or target if tokenizer.joint else None
        models = {"source": source or joint, "target": target or joint}
        for side, path in files.items():
            if models[side] is None and sides[side].algorithm is not Algorithm.word:
                raise not_words(side, f"{sides[side].algorithm} tokens")
            from seq2seq.corpora.word_vectors import vector_width  # imports NumPy

            width = vector_width(path)
            if width != model.embedding_size:
                raise ConfigError(
                    f"{path} has vectors of {width} values, model.embedding_size is {model.embedding_size}: set "
                    f"model.embedding_size={width}"
                )

    def _check_freeze(self, model: ModelConfig) -> None:
        if not self.files():
            raise ConfigError("embeddings.freeze=true needs a file: set embeddings.source or embeddings.target")
        if self.target is not None and model.tying is not Tying.none:
            raise ConfigError(
                f"embeddings.freeze=true with embeddings.target would freeze the output layer, which model.tying="
                f"{model.tying} shares with it: set model.tying=none or embeddings.freeze=false"
            )
        if self.source is not None and model.tying is Tying.all:
            raise ConfigError(
                "embeddings.freeze=true with embeddings.source would freeze the target's embeddings and the output "
                "layer, which model.tying=all shares with it: set model.tying=output or embeddings.freeze=false"
            )


def not_words(side: str, tokens: str) -> ConfigError:
    """The error that vectors of words do not fit a vocabulary of other tokens."""
    return ConfigError(
        f"embeddings.{side} needs a vocabulary of words, not {tokens}: set tokenizer=word, or leave it out"
    )
