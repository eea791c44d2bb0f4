"""Hydra: the schemas it composes, the ``main`` of recipes, errors in one line.

No other file of the library imports Hydra; recipes pass plain dataclasses on.
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
from collections.abc import Callable, Iterator, Sequence
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
from tqdm import tqdm
from yaml import YAMLError

from seq2seq import __version__
from seq2seq.analysis.config import MicroscopeConfig
from seq2seq.benchmark.config import BenchmarkConfig
from seq2seq.comparison.config import CompareConfig
from seq2seq.config.command_line import foreign_name, quote_text, refuse_dashes
from seq2seq.config.recipes import (
    AverageConfig,
    BacktranslateConfig,
    DistillConfig,
    DoctorConfig,
    EvaluateConfig,
    QuantizeConfig,
    TrainConfig,
)
from seq2seq.config.renamed import rename_overrides
from seq2seq.errors import HARMLESS, ConfigError, Seq2SeqError, escaped, program, shown
from seq2seq.figures.config import LaboratoryConfig
from seq2seq.report.help import help_node
from seq2seq.serving.config import ServeConfig
from seq2seq.settings import validate, walk
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
"""The user's value; `recipe` changes the variable while Hydra runs."""

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

MULTI_PROCESS = ("train", "evaluate", "translate")
"""Recipes that torchrun may start in several processes."""

log = logging.getLogger("seq2seq")


@functools.cache
def register() -> None:
    """Register the schema of every recipe, every choice that is a dataclass, and the help texts with Hydra."""
    store = ConfigStore.instance()
    for name, schema in RECIPES.items():
        store.store(name=f"{name}_schema", node=schema)
        node = help_node(name, schema, CHOICES if name == "train" else {})
        store.store(group="hydra/help", name=f"{name}_help", node=node)
    for group, options in CHOICES.items():
        for name, schema in options.items():
            store.store(group=group, name=name, node=schema)


def recipe(function: Callable[[Settings], Result]) -> Callable[[], None]:
    """Turn ``main(config: SomeConfig)`` into a program: Hydra composes the config, and errors become one line.

    The schema names the config file: TrainConfig is conf/train.yaml. In a sweep (``-m``) each job of train has its own
    run folder: ``RUN/0``, ``RUN/1``, …. Under torchrun only the first process prints.
    """
    schema = function.__annotations__["config"]
    name = next(name for name, registered in RECIPES.items() if registered is schema)
    register()

    @hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name=name)
    def composed(config: DictConfig) -> Result:
        job = HydraConfig.get()
        sweeps = job.mode is RunMode.MULTIRUN  # the sweeper handles errors of its jobs
        errors = contextlib.nullcontext() if sweeps else one_line_errors(schema())
        with full_errors(SHOW_TRACEBACKS), errors, in_group():
            settings = OmegaConf.to_object(config)
            validate(settings)
            if sweeps and name == "train":
                settings.run = str(Path(settings.run) / str(job.job.num))  # type: ignore[union-attr]
            return function(settings)  # type: ignore[arg-type]

    @functools.wraps(function)
    def main() -> None:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # a notebook has another class
                stream.reconfigure(errors="backslashreplace")  # a file on Windows has a small character set
        # With HYDRA_FULL_ERROR=1 Hydra raises errors instead of printing them.
        with closing_group(), safe_terminal(), printed_log(), one_line_errors(schema()), full_errors(True):
            if is_launched():
                if name not in MULTI_PROCESS:
                    raise ConfigError(f"{program(name)} runs in one process: start it with python, not with torchrun")
                join_group()
            if sys.argv[1:] == ["--version"]:
                print(f"seq2seq {__version__}")
                return
            refuse_dashes(sys.argv[1:], schema())
            arguments, notes = rename_overrides(sys.argv[1:], {path for path, _, _ in walk(schema())})
            sys.argv = [sys.argv[0], *quote_text(arguments, schema())]
            for note in notes:
                print(note, file=sys.stderr)
            try:
                with unformatted_help_allowed():
                    composed()
            except Exception as error:
                if raised_within(function, error) or isinstance(error, (*USER_ERRORS, OSError)):
                    raise
                raise not_composable(error) from error

    return main


def compose_train(experiment: str | None = None, overrides: Sequence[str] = ()) -> TrainConfig:
    """The settings of recipes/train.py with these command-line arguments.

    Args:
        experiment: a file of conf/experiment without ``.yaml``.
        overrides: such as ``model=attention`` or ``training.updates=500``.

    Raises:
        ConfigError: an argument is malformed, or a setting is unknown or invalid.
    """
    register()
    known = {path for path, _, _ in walk(TrainConfig())}
    arguments, notes = rename_overrides([*([f"experiment={experiment}"] if experiment else []), *overrides], known)
    for note in notes:
        log.warning(note)
    try:
        with hydra.initialize_config_dir(str(conf_folder()), version_base="1.3"):
            settings = OmegaConf.to_object(hydra.compose("train", overrides=quote_text(arguments, TrainConfig())))
    except (HydraException, OmegaConfBaseException, YAMLError) as error:
        raise ConfigError(one_line(error, TrainConfig())) from None
    except Exception as error:
        raise not_composable(error) from error
    assert isinstance(settings, TrainConfig)
    validate(settings)
    return settings


def conf_folder() -> Traversable:
    """The folder of YAML files: in the installed package, or next to the library in a clone that is not installed."""
    try:
        return importlib.resources.files("seq2seq.conf")
    except ModuleNotFoundError:
        return Path(__file__).parents[2] / "conf"


class LogPrinter(logging.Handler):
    """Prints log records as plain text: INFO on stdout, WARNING and above as one line on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record above a progress bar, if there is one."""
        text = record.getMessage()
        if record.levelno < logging.WARNING:
            tqdm.write(text, file=sys.stdout)
        else:  # the text may come from a file
            tqdm.write(shown(text), file=sys.stderr)


@contextlib.contextmanager
def printed_log() -> Iterator[None]:
    """Print what the library logs; a library that is imported prints nothing."""
    handler, level = LogPrinter(), log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


class Terminal:
    """Standard output that is a terminal: escapes all control characters. Files and pipes receive text unchanged."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write text; line ends stay."""
        self.stream.write(escaped(text, HARMLESS))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        """Any other attribute is that of the stream."""
        return getattr(self.stream, name)


@contextlib.contextmanager
def safe_terminal() -> Iterator[None]:
    """Redirect standard output through `Terminal` if it is a terminal."""
    with contextlib.redirect_stdout(Terminal(sys.stdout)) if sys.stdout.isatty() else contextlib.nullcontext():
        yield


CHECK = "_check_help"
"""The method of argparse that formats each help text as a test, since Python 3.14."""


@contextlib.contextmanager
def unformatted_help_allowed() -> Iterator[None]:
    """Skip argparse's test of help texts for objects that are not strings: Hydra 1.3 passes one."""
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
def full_errors(enabled: bool) -> Iterator[None]:
    """Set or unset HYDRA_FULL_ERROR for this process and its children; restore it afterwards."""
    before = os.environ.pop(FULL_ERROR, None)
    if enabled:
        os.environ[FULL_ERROR] = "1"
    try:
        yield
    finally:
        os.environ.pop(FULL_ERROR, None)
        if before is not None:
            os.environ[FULL_ERROR] = before


USER_ERRORS = Seq2SeqError, HydraException, OmegaConfBaseException, YAMLError, Interrupted
"""Exceptions that `one_line_errors` always turns into one line."""


def raised_within(function: Callable[..., Any], error: Exception) -> bool:
    """Whether an exception was raised inside a function, not before its call."""
    return any(frame.f_code is function.__code__ for frame, _ in traceback.walk_tb(error.__traceback__))


def not_composable(error: Exception) -> ConfigError:
    """One line for arguments that Hydra cannot parse; it raises many kinds of exceptions for them."""
    reason = str(error).split("\n")[0] or type(error).__name__
    advice = "write NAME=VALUE for a setting, GROUP=NAME for a choice"
    return ConfigError(f"the arguments are not valid ({reason}): {advice}")


@contextlib.contextmanager
def one_line_errors(config: Any) -> Iterator[None]:
    """Exit with one line on stderr instead of a traceback; HYDRA_FULL_ERROR=1 shows tracebacks."""
    try:
        yield
    except BrokenPipeError:  # the reader of our output has closed it
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
            print(f"error: out of memory ({shown(str(error))}): {advice}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:  # a full disk, also behind standard output
        if SHOW_TRACEBACKS or error.errno not in FULL:
            raise
        print(f"error: {unwritable(Path(error.filename or 'the output'), error)}", file=sys.stderr)
        sys.exit(1)


def one_line(error: BaseException, config: Any) -> str:
    """The error in one line; for an unknown setting, with the most similar known one."""
    if isinstance(error, Seq2SeqError):
        return str(error)
    if isinstance(error, OverrideParseException):
        return (
            f"{error.override} cannot be read as NAME=VALUE: {error.message.splitlines()[0]}; "
            f"quote values with punctuation or non-ASCII characters: \"NAME='VALUE'\""
        )
    cause: BaseException = error
    while cause.__cause__ is not None and not isinstance(cause, OmegaConfBaseException):
        cause = cause.__cause__
    if "Key 'experiment' not in" in str(cause):
        return "the experiment file sets unknown settings: write '# @package _global_' as its first line"
    missing = re.search(r"Could not find 'model/(?:transformer|lstm|gru|rnn)\w*'", str(error))
    if missing:
        return f"{missing[0]}: models here are recurrent; choose model=context, attention or language_model"
    key = getattr(cause, "full_key", None)
    override = re.search(r"override '?([\w.]+)", str(error))
    if key and override and not key.startswith(override[1].split(".")[0]):
        key = f"{override[1]}[].{key}"  # within a list OmegaConf gives the path from the entry
    if key and ("not in struct" in str(cause) or "not in '" in str(cause)):
        return unknown_setting(key, config)
    first, *rest = [line.strip() for line in str(cause).splitlines() if line.strip()]
    if key:
        return f"{key}: {first}"
    return " ".join([first, *(line for line in rest if not line.startswith(("Set the environment", "full_key")))])


def unknown_setting(key: str, config: Any) -> str:
    """One line for an unknown setting, with the settings of the same section."""
    meant = foreign_name(key, config)
    if meant:
        return f"there is no setting {key}: set {meant}"
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
