"""The settings of each recipe, their Hydra schemas, and the door between Hydra and the library.

The only library file that imports Hydra: recipes hand plain dataclasses on.
"""

import contextlib
import difflib
import functools
import importlib.resources
import logging
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from seq2seq.benchmark.config import BenchmarkConfig
from seq2seq.data.order import BatchConfig
from seq2seq.embeddings import EmbeddingsConfig
from seq2seq.errors import ConfigError, Seq2SeqError
from seq2seq.model import InferencePrecision, ModelConfig, Tying
from seq2seq.search import LANGUAGE_MODEL_WEIGHT, SearchConfig
from seq2seq.settings import described_range, setting, validate, walk
from seq2seq.shortlist import ShortlistConfig
from seq2seq.text.corpus import DataConfig, Split, source_tags
from seq2seq.text.vocabulary import TokenizerConfig, check_tag
from seq2seq.train import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    AdamW,
    Constant,
    Cosine,
    Exponential,
    Halving,
    InverseSquareRoot,
    LossConfig,
    OptimizerConfig,
    Plateau,
    RiskConfig,
    ScheduleConfig,
    ScheduledSamplingConfig,
    TrainingConfig,
)
from seq2seq.train.interrupt import Interrupted
from seq2seq.train.progress import Criterion

SHOW_TRACEBACKS = os.environ.get("HYDRA_FULL_ERROR") == "1"
"""What the user asked for; `recipe` sets the variable for its own purpose."""

Settings = TypeVar("Settings")
Result = TypeVar("Result")


@dataclass(kw_only=True)
class TrainConfig:
    """Settings of recipes/train.py; a run folder keeps them as config.yaml."""

    run: str = setting("runs/demo", "run folder: everything the run makes; the same command goes on in it")
    seed: int = setting(1, "seed of initial weights, order of batches and dropout", at_least=0)
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
        self.scheduled_sampling.check()
        if self.model.encoder.layers == 0:
            self._check_language_model()
        if self.model.tying is Tying.all and not self.tokenizer.joint:
            raise ConfigError("model.tying=all shares one vocabulary: set tokenizer.joint=true or model.tying=output")

    def _check_language_model(self) -> None:
        """A language model (model.encoder.layers=0) translates nothing that could be scored."""
        if self.data.more:
            raise ConfigError(
                "data.more mixes sentence pairs, and a language model (model.encoder.layers=0) reads data.train alone: "
                "join the texts in one file"
            )
        if self.training.criterion is Criterion.bleu:
            raise ConfigError(
                "training.criterion=bleu scores translations, and a language model (model.encoder.layers=0) makes "
                "none: set training.criterion=loss"
            )
        if self.risk.weight > 0:
            raise ConfigError(
                "risk.weight rewards translations, and a language model (model.encoder.layers=0) makes none: set "
                "risk.weight=0"
            )


@dataclass(kw_only=True)
class EvaluateConfig:
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
    beam_size: int = setting(5, "beam search with so many hypotheses beside greedy search; 1: greedy alone", at_least=1)
    lowercase: bool = setting(False, "ignore case in BLEU and chrF")
    bootstrap: int = setting(1000, "resamples behind the confidence intervals", at_least=1)
    device: str = setting("auto", "auto, cpu or cuda")
    precision: InferencePrecision = setting(InferencePrecision.auto, "float32, bfloat16, int8, or auto: as the run's")
    shortlist: bool = setting(False, "score only pieces that can translate the source, going by the training data")


@dataclass(kw_only=True)
class TranslateConfig:
    """Settings of recipes/translate.py."""

    run: str = setting("runs/demo", "run folder with the model")
    ensemble: list[str] = setting(
        help="further run folders of the same target vocabulary: all choose each piece together", factory=list
    )
    language_model: str | None = setting(
        None, "run folder of a language model of the same target vocabulary that has a say (shallow fusion)"
    )
    language_model_weight: float = setting(LANGUAGE_MODEL_WEIGHT, "what its log-probabilities count", at_least=0)
    input: str = setting("-", "text file, one sentence a line; .gz accepted; - is standard input")
    output: str = setting("-", "where translations go, one line for each line in; - is standard output")
    tag: str | None = setting(None, "first word of each line, for a model that was trained with tags, such as <2de>")
    beam_size: int | None = setting(
        None, "hypotheses kept; 1 is greedy; null: as the run's search.beam_size", at_least=1
    )
    n_best: int = setting(1, "translations per sentence", at_least=1)
    json: bool = setting(False, "write JSON lines with scores and all n-best translations")
    device: str = setting("auto", "auto, cpu or cuda")
    precision: InferencePrecision = setting(InferencePrecision.auto, "float32, bfloat16, int8, or auto: as the run's")
    shortlist: bool = setting(False, "score only pieces that can translate the source, going by the training data")


@dataclass(kw_only=True)
class SuggestConfig:
    """Settings of recipes/suggest.py."""

    run: str = setting("runs/lm", "run folder of a language model")
    prefix: str | None = setting(None, "beginning of a sentence; white space at its end asks for a new word")
    input: str = setting("-", "without prefix: text file, a beginning a line; .gz accepted; - is standard input")
    count: int = setting(5, "words for each", at_least=1)
    json: bool = setting(False, "write JSON lines")
    device: str = setting("auto", "auto, cpu or cuda")


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
        help="further run folders, of the same architecture and first weights; none: the run's kept checkpoints",
        factory=list,
    )
    output: str | None = setting(None, "the new model folder; null: the run's name with -average behind it")


@dataclass(kw_only=True)
class DistillConfig:
    """Settings of recipes/distill.py."""

    run: str = setting("runs/demo", "run folder of the teacher")
    ensemble: list[str] = setting(
        help="further run folders of the same target vocabulary: all teach together", factory=list
    )
    split: Split = setting(Split.train, "train, validation, test: of the run's corpus, or of data where that is named")
    data: DataConfig = setting(factory=DataConfig)
    output: str | None = setting(None, "the new folder; null: the run's name with -distilled behind it")
    beam_size: int = setting(5, "hypotheses of the teacher's beam search", at_least=1)
    n_best: int = setting(1, "different translations written of each sentence, at most beam_size", at_least=1)
    closest: bool = setting(False, "of the whole beam write what is most similar to the reference, by sentence BLEU")
    device: str = setting("auto", "auto, cpu or cuda")
    precision: InferencePrecision = setting(InferencePrecision.auto, "float32, bfloat16, int8, or auto: as the run's")


@dataclass(kw_only=True)
class BacktranslateConfig:
    """Settings of recipes/backtranslate.py."""

    run: str = setting("runs/demo", "run folder of a model from the target language to the source language")
    input: str = setting("-", "text of the target language, one sentence a line; .gz accepted; - is standard input")
    output: str | None = setting(None, "the new folder; null: the run's name with -synthetic behind it")
    beam_size: int = setting(1, "hypotheses kept; 1 is greedy", at_least=1)
    tag: str | None = setting(None, "first word of each sentence for the model of run, where it was trained with tags")
    device: str = setting("auto", "auto, cpu or cuda")
    precision: InferencePrecision = setting(InferencePrecision.auto, "float32, bfloat16, int8, or auto: as the run's")


CHOICES: dict[str, dict[str, type]] = {
    "optimizer": {"adadelta": Adadelta, "adagrad": Adagrad, "adam": Adam, "adamw": AdamW, "sgd": SGD},
    "schedule": {
        "constant": Constant,
        "cosine": Cosine,
        "exponential": Exponential,
        "halving": Halving,
        "inverse_square_root": InverseSquareRoot,
        "plateau": Plateau,
    },
}
RECIPES: dict[str, type] = {
    "train": TrainConfig,
    "evaluate": EvaluateConfig,
    "translate": TranslateConfig,
    "suggest": SuggestConfig,
    "quantize": QuantizeConfig,
    "average": AverageConfig,
    "distill": DistillConfig,
    "backtranslate": BacktranslateConfig,
    "benchmark": BenchmarkConfig,
}


def register() -> None:
    """Tell Hydra the schema of every recipe, every choice that is a dataclass, and the help texts."""
    store = ConfigStore.instance()
    for name, schema in RECIPES.items():
        store.store(name=f"{name}_schema", node=schema)
        store.store(group="hydra/help", name=f"{name}_help", node=help_node(name, schema))
    for group, choices in CHOICES.items():
        for name, schema in choices.items():
            store.store(group=group, name=name, node=schema)


def help_node(name: str, schema: type) -> dict[str, str]:
    """What ``--help`` prints: every setting with its default, range and meaning, then the composed config."""
    lines = [f"  {path} = {described(value)}\n      {text(item)}" for path, item, value in walk(schema())]
    choices = [f"  {group}: {', '.join(options)}" for group, options in CHOICES.items()] if name == "train" else []
    template = "\n".join(
        [
            "${hydra.help.header}",
            "",
            "Settings (set one with NAME=VALUE):",
            *lines,
            *(["", "Choices with settings of their own (choose with GROUP=CHOICE):", *choices] if choices else []),
            "",
            "Config groups found (GROUP=CHOICE):",
            "$APP_CONFIG_GROUPS",
            "As this command composes it:",
            "$CONFIG",
        ]
    )
    return {"app_name": name, "header": f"recipes/{name}.py", "footer": "", "template": template}


def described(value: Any) -> str:
    """A default as a user would type it."""
    if value is None:
        return "null"
    if isinstance(value, list):
        return f"[{','.join(map(described, value))}]"
    if is_dataclass(value) and not isinstance(value, type):
        usual = type(value)()
        told = {item.name: getattr(value, item.name) for item in fields(value)}
        told = {name: part for name, part in told.items() if part != getattr(usual, name)}
        return f"{{{', '.join(f'{name}: {described(part)}' for name, part in told.items())}}}"
    if isinstance(value, str) and not isinstance(value, Enum):
        plain = re.fullmatch(r"[\w./+*@-]+", value, re.ASCII) and not re.fullmatch(r"null|true|false|[\d.+-]+", value)
        escaped = value.replace('"', r"\"")
        return value if plain or value == "-" else f'"{escaped}"'
    return value.value if isinstance(value, Enum) else str(value).lower() if isinstance(value, bool) else str(value)


def overrides(config: Any, path: str) -> list[str]:
    """What a user would type in a shell to get this section: ``PATH.NAME=VALUE`` where it is not the default."""
    usual = {name: value for name, _, value in walk(type(config)(), path)}
    changed = ((name, value) for name, _, value in walk(config, path) if value != usual[name])
    return [shlex.quote(f"{name}={described(value)}") for name, value in changed]


def text(item: Any) -> str:
    """Meaning and range of a setting."""
    bounds = described_range(item.metadata.get("bounds", {}))
    return f"{item.metadata.get('help', '')}{f' ({bounds})' if bounds else ''}"


def recipe(function: Callable[[Settings], Result]) -> Callable[[], None]:
    """Turn ``main(config: SomeConfig)`` into a program: Hydra composes, every error is one line and exit code 1.

    The config's name is the schema's: TrainConfig is conf/train.yaml. In a sweep (``-m``) each job gets its own run
    folder, ``RUN/0``, ``RUN/1``, ….
    """
    schema = function.__annotations__["config"]
    name = next(name for name, registered in RECIPES.items() if registered is schema)
    register()
    conf = str(importlib.resources.files("seq2seq.conf"))

    @hydra.main(version_base="1.3", config_path=conf, config_name=name)
    def composed(config: DictConfig) -> Result:
        with one_line_errors(schema()):
            settings = OmegaConf.to_object(config)
            validate(settings)
            job = HydraConfig.get()
            if job.mode is RunMode.MULTIRUN and name == "train":
                settings.run = str(Path(settings.run) / str(job.job.num))  # type: ignore[union-attr]
            return function(settings)  # type: ignore[arg-type]

    @functools.wraps(function)
    def main() -> None:
        logging.basicConfig(format="%(message)s", level=logging.WARNING)
        os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises its errors to us instead of printing pages
        with one_line_errors(schema()):
            composed()

    return main


def command(name: str) -> str:
    """How to start another recipe from where this one was started: a clone, or an installed wheel."""
    program = Path(sys.argv[0])
    if program.suffix != ".py":
        return f"seq2seq-{name}"
    return f"{os.path.relpath(sys.executable)} {program.with_name(f'{name}.py')}"


@contextlib.contextmanager
def one_line_errors(config: Any) -> Iterator[None]:
    """Leave the program with one line on stderr instead of a traceback; HYDRA_FULL_ERROR=1 shows both."""
    try:
        yield
    except BrokenPipeError:  # whoever read our output has enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Interrupted as interrupted:
        print(interrupted, file=sys.stderr)
        sys.exit(interrupted.exit_code)
    except (Seq2SeqError, HydraException, OmegaConfBaseException, YAMLError) as error:
        if SHOW_TRACEBACKS:
            raise
        print(f"error: {one_line(error, config)}", file=sys.stderr)
        sys.exit(1)


def one_line(error: BaseException, config: Any) -> str:
    """The error in one line; for a setting that does not exist, the nearest ones that do."""
    if isinstance(error, Seq2SeqError):
        return str(error)
    if isinstance(error, OverrideParseException):
        return (
            f"{error.override} cannot be read as NAME=VALUE: {error.message.splitlines()[0]}; "
            f"a value with marks in it needs quotes of its own: \"NAME='VALUE'\""
        )
    cause: BaseException = error
    while cause.__cause__ is not None and not isinstance(cause, OmegaConfBaseException):
        cause = cause.__cause__
    key = getattr(cause, "full_key", None)
    override = re.search(r"override '?([\w.]+)", str(error))
    if key and override and not key.startswith(override[1].split(".")[0]):
        key = f"{override[1]}[].{key}"  # within a list OmegaConf counts from the entry
    if key and ("not in struct" in str(cause) or "not in '" in str(cause)):
        return unknown_setting(key, config)
    first, *rest = [line.strip() for line in str(cause).splitlines() if line.strip()]
    if key:
        return f"{key}: {first}"
    return " ".join([first, *(line for line in rest if not line.startswith(("Set the environment", "full_key")))])


def unknown_setting(key: str, config: Any) -> str:
    """Name the settings that stand where ``key`` was looked for."""
    *parents, last = key.split(".")
    place = config
    for parent in parents:
        if parent.endswith("[]"):
            place = get_args(get_type_hints(type(place))[parent.removesuffix("[]")])[0]()
        else:
            place = getattr(place, parent, None)
    names = [item.name for item in fields(place)] if is_dataclass(place) else []
    near = difflib.get_close_matches(last, names, n=1)
    prefix = ".".join([*parents, ""])
    hint = f"; did you mean {prefix}{near[0]}?" if near else ""
    return f"there is no setting {key}{hint} ({'.'.join(parents) or 'top level'} has: {', '.join(names)})"
