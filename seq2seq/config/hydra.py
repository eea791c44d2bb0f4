"""The door between Hydra and the library: the schemas it composes, a recipe's main, errors in one line.

The only library file that imports Hydra: recipes hand plain dataclasses on.
"""

import argparse
import contextlib
import difflib
import functools
import importlib.resources
import io
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TextIO, TypeVar, get_args, get_type_hints

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from seq2seq.analysis.config import MicroscopeConfig
from seq2seq.benchmark.config import BenchmarkConfig
from seq2seq.comparison.config import CompareConfig
from seq2seq.config.recipes import (
    AverageConfig,
    BacktranslateConfig,
    DistillConfig,
    DoctorConfig,
    EvaluateConfig,
    QuantizeConfig,
    TrainConfig,
)
from seq2seq.errors import HARMLESS, ConfigError, Seq2SeqError, escaped, shown
from seq2seq.figures.config import LaboratoryConfig
from seq2seq.report.usage import help_node
from seq2seq.serving.config import ServeConfig
from seq2seq.settings import validate
from seq2seq.system.atomic import FULL, unwritable
from seq2seq.system.descriptors import BINARY
from seq2seq.system.out_of_memory import is_out_of_memory
from seq2seq.system.processes import closing_group, in_group, is_launched, join_group, should_report
from seq2seq.training import (
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
    Muon,
    Plateau,
)
from seq2seq.training.interrupt import Interrupted
from seq2seq.translation.config import DocumentConfig, ScoreConfig, SuggestConfig, TranslateConfig

FULL_ERROR = "HYDRA_FULL_ERROR"

SHOW_TRACEBACKS = os.environ.get(FULL_ERROR) == "1"
"""What the user asked for; `recipe` sets the variable for its own purpose, while Hydra is at work."""

Settings = TypeVar("Settings")
Result = TypeVar("Result")


CHOICES: dict[str, dict[str, type]] = {
    "optimizer": {"adadelta": Adadelta, "adagrad": Adagrad, "adam": Adam, "adamw": AdamW, "muon": Muon, "sgd": SGD},
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
    "document": DocumentConfig,
    "score": ScoreConfig,
    "suggest": SuggestConfig,
    "quantize": QuantizeConfig,
    "average": AverageConfig,
    "distill": DistillConfig,
    "backtranslate": BacktranslateConfig,
    "doctor": DoctorConfig,
    "benchmark": BenchmarkConfig,
    "laboratory": LaboratoryConfig,
    "microscope": MicroscopeConfig,
    "compare": CompareConfig,
    "serve": ServeConfig,
}

TOGETHER = ("train", "evaluate", "translate")
"""Recipes that several processes may work at."""


@functools.cache
def register() -> None:
    """Tell Hydra once the schema of every recipe, every choice that is a dataclass, and the help texts."""
    store = ConfigStore.instance()
    for name, schema in RECIPES.items():
        store.store(name=f"{name}_schema", node=schema)
        node = help_node(name, schema, CHOICES if name == "train" else {})
        store.store(group="hydra/help", name=f"{name}_help", node=node)
    for group, options in CHOICES.items():
        for name, schema in options.items():
            store.store(group=group, name=name, node=schema)


def recipe(function: Callable[[Settings], Result]) -> Callable[[], None]:
    """Turn ``main(config: SomeConfig)`` into a program: Hydra composes, every error is one line and exit code 1.

    The config's name is the schema's: TrainConfig is conf/train.yaml. In a sweep (``-m``) each job gets its own run
    folder, ``RUN/0``, ``RUN/1``, …. Processes that torchrun started work together, and the first alone prints.
    """
    schema = function.__annotations__["config"]
    name = next(name for name, registered in RECIPES.items() if registered is schema)
    register()
    conf = str(conf_folder())

    @hydra.main(version_base="1.3", config_path=conf, config_name=name)
    def composed(config: DictConfig) -> Result:
        job = HydraConfig.get()
        sweeps = job.mode is RunMode.MULTIRUN  # then an error is for the sweeper to see, which may count it and go on
        told = contextlib.nullcontext() if sweeps else one_line_errors(schema())
        with full_errors(SHOW_TRACEBACKS), told, in_group():
            settings = OmegaConf.to_object(config)
            validate(settings)
            if sweeps and name == "train":
                settings.run = str(Path(settings.run) / str(job.job.num))  # type: ignore[union-attr]
            return function(settings)  # type: ignore[arg-type]

    @functools.wraps(function)
    def main() -> None:
        logging.basicConfig(format="%(message)s", level=logging.WARNING)
        logging.getLogger("seq2seq").addFilter(in_one_line)
        if isinstance(sys.stdout, io.TextIOWrapper):  # which a notebook's is not
            sys.stdout.reconfigure(errors="backslashreplace")  # a file on Windows has an encoding with few letters
        # With full errors Hydra raises them to us instead of printing pages.
        with closing_group(), safe_terminal(), one_line_errors(schema()), full_errors(True):
            if is_launched():
                if name not in TOGETHER:
                    raise ConfigError(f"recipes/{name}.py is for one process: start it with python, not with torchrun")
                join_group()
            try:
                with texts_alone_checked():
                    composed()
            except Exception as error:
                if begun(function, error) or isinstance(error, (*USERS_ERRORS, OSError)):
                    raise
                raise uncomposable(error) from error

    return main


def conf_folder() -> Traversable:
    """The folder of the YAML files: the installed package's, or beside the library in a clone that is not installed."""
    try:
        return importlib.resources.files("seq2seq.conf")
    except ModuleNotFoundError:
        return Path(__file__).parents[2] / "conf"


def in_one_line(record: logging.LogRecord) -> bool:
    """A filter that shows messages as errors are shown: there may be text of files in them."""
    record.msg, record.args = shown(record.getMessage()), ()
    return True


class Terminal:
    """Standard output that is a terminal: what it would obey is escaped, whatever prints it.

    Files and pipes receive text as it is.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write text, its lines as they are."""
        self.stream.write(escaped(text, HARMLESS))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        """All else is the stream's."""
        return getattr(self.stream, name)


@contextlib.contextmanager
def safe_terminal() -> Iterator[None]:
    """What is printed meanwhile goes through `Terminal`, if standard output is one."""
    with contextlib.redirect_stdout(Terminal(sys.stdout)) if sys.stdout.isatty() else contextlib.nullcontext():
        yield


CHECK = "_check_help"
"""What argparse does with the help of each argument that is added to a parser, since Python 3.14."""


@contextlib.contextmanager
def texts_alone_checked() -> Iterator[None]:
    """Keep argparse from trying help that is no text: Hydra 1.3 has an object there, which Python 3.14 refuses."""
    owner = next((kind for kind in argparse.ArgumentParser.__mro__ if CHECK in vars(kind)), None)
    if owner is None:
        yield
        return
    check = getattr(owner, CHECK)

    def check_text(parser: argparse.ArgumentParser, action: argparse.Action) -> None:
        if isinstance(action.help, str):
            check(parser, action)

    setattr(owner, CHECK, check_text)
    try:
        yield
    finally:
        setattr(owner, CHECK, check)


@contextlib.contextmanager
def full_errors(wanted: bool) -> Iterator[None]:
    """Hydra's variable set or not, for this program and those that it starts; afterwards as it was."""
    before = os.environ.pop(FULL_ERROR, None)
    if wanted:
        os.environ[FULL_ERROR] = "1"
    try:
        yield
    finally:
        os.environ.pop(FULL_ERROR, None)
        if before is not None:
            os.environ[FULL_ERROR] = before


USERS_ERRORS = Seq2SeqError, HydraException, OmegaConfBaseException, YAMLError, Interrupted
"""What `one_line_errors` puts in one line, whoever raises it."""


def begun(function: Callable[..., Any], error: Exception) -> bool:
    """Whether an error comes from within a function, and not from what was to call it."""
    return any(frame.f_code is function.__code__ for frame, _ in traceback.walk_tb(error.__traceback__))


def uncomposable(error: Exception) -> ConfigError:
    """The one line where Hydra stumbles over what was typed, for which it raises nearly anything."""
    reason = str(error).split("\n")[0] or type(error).__name__
    advice = "write NAME=VALUE for a setting, GROUP=NAME for a choice"
    return ConfigError(f"no config can be made of this ({reason}): {advice}")


@contextlib.contextmanager
def one_line_errors(config: Any) -> Iterator[None]:
    """Leave the program with one line on stderr instead of a traceback; HYDRA_FULL_ERROR=1 shows both."""
    try:
        yield
    except BrokenPipeError:  # whoever read our output has enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY | BINARY), sys.stdout.fileno())
        sys.exit(1)
    except Interrupted as interrupted:
        if should_report(interrupted):
            print(interrupted, file=sys.stderr)
        sys.exit(interrupted.exit_code)
    except (Seq2SeqError, HydraException, OmegaConfBaseException, YAMLError) as error:
        if SHOW_TRACEBACKS:
            raise
        if should_report(error):
            print(f"error: {shown(one_line(error, config))}", file=sys.stderr)
        sys.exit(1)
    except (MemoryError, RuntimeError) as error:
        if SHOW_TRACEBACKS or not is_out_of_memory(error):
            raise
        if should_report(error):
            advice = "lower batch.tokens or the sizes of the model, or beam_size where it translates"
            print(f"error: there is no memory left ({shown(str(error))}): {advice}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:  # what is written elsewhere than in a file of ours, such as standard output
        if SHOW_TRACEBACKS or error.errno not in FULL:
            raise
        print(f"error: {unwritable(Path(error.filename or 'the output'), error)}", file=sys.stderr)
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
