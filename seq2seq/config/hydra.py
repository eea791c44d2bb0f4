"""Compose the settings of a recipe with Hydra; the decorator of recipes."""

import argparse
import contextlib
import functools
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, flag_override
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from seq2seq import __version__
from seq2seq.config.automatic import with_command_line
from seq2seq.config.command_line import quote_text, refuse_dashes
from seq2seq.config.error_lines import (
    SHOW_TRACEBACKS,
    USER_ERRORS,
    full_errors,
    not_composable,
    one_line,
    one_line_errors,
    raised_within,
)
from seq2seq.config.help import print_help, split_help
from seq2seq.config.own_text import check_text_is_named, with_settings_for_own_text
from seq2seq.config.printing import escape_what_streams_lack, printed_log, safe_terminal
from seq2seq.config.recipes import TrainConfig
from seq2seq.config.renamed import rename_overrides
from seq2seq.config.schemas import MULTI_PROCESS, RECIPES, conf_folder, register, register_experiments
from seq2seq.config.sweep import sweeping
from seq2seq.config.sweep_job import sweep_job
from seq2seq.errors import ConfigError, Seq2SeqError, program
from seq2seq.settings import validate, walk
from seq2seq.system.launcher import closing_group, in_group, is_launched

Settings = TypeVar("Settings")
Result = TypeVar("Result")

log = logging.getLogger("seq2seq")


def recipe(function: Callable[[Settings], Result]) -> Callable[[], None]:
    """Turn ``main(config: SomeConfig)`` into a program: Hydra composes the config, and errors become one line.

    The schema names the config file: TrainConfig is conf/train.yaml. In a sweep (``-m``) of train each job has a run
    folder of its own (`sweeping`). Under torchrun only the first process prints.
    """
    schema = function.__annotations__["config"]
    name = next(name for name, registered in RECIPES.items() if registered is schema)
    register(name)

    @functools.wraps(function)
    def main() -> None:
        escape_what_streams_lack()
        # With HYDRA_FULL_ERROR=1 Hydra raises errors instead of printing them.
        with closing_group(), safe_terminal(), printed_log(), one_line_errors(schema()), full_errors(True):
            if is_launched():
                _join_group(name)
            typed = sys.argv[1:]
            if typed == ["--version"]:
                print(f"seq2seq {__version__}")
                return
            topic, arguments = split_help(typed)
            arguments, notes, first_lines = prepare_arguments(name, arguments)
            for note in notes:
                print(note, file=sys.stderr)
            try:
                sweep = sweeping(arguments, typed) if name == "train" else contextlib.nullcontext(arguments)
                with unformatted_help_allowed(), sweep as sys.argv[1:]:
                    _run(function, name, topic, first_lines)
            except Exception as error:
                if raised_within(function, error) or isinstance(error, (*USER_ERRORS, OSError)):
                    raise
                raise not_composable(error) from error
            finally:
                sys.argv[1:] = typed

    return main


def _run(function: Callable[[Settings], Result], name: str, topic: str | None, first_lines: list[str]) -> None:
    """Run a recipe with the settings that Hydra composes by ``sys.argv``, or print its help.

    Args:
        function: of the recipe.
        name: of the recipe.
        topic: of the help; None: run the recipe.
        first_lines: of the run; those of a sweep are logged once.
    """

    def start(settings: Any) -> Result:
        hydra = HydraConfig.get()
        _check_choices(hydra.runtime.choices, settings)
        settings = _with_command_line(settings, hydra.overrides.task, first_lines)
        while first_lines:
            log.info("%s", first_lines.pop(0))
        return function(settings)

    @hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name=name)
    def composed(config: DictConfig) -> Result | None:
        sweeps = HydraConfig.get().mode is RunMode.MULTIRUN  # the sweeper handles errors of its jobs
        errors = contextlib.nullcontext() if sweeps else one_line_errors(RECIPES[name]())
        with full_errors(SHOW_TRACEBACKS), errors, in_group():
            if sweeps and name == "train":
                return sweep_job(config, start)  # type: ignore[arg-type, return-value]
            settings = OmegaConf.to_object(config)
            if topic is not None:
                print_help(name, sys.modules[function.__module__].__doc__ or "", settings, topic)
                return None
            validate(settings)
            return start(settings)

    composed()


def _join_group(name: str) -> None:
    """Join the processes that were launched together, if the recipe can run in several."""
    from seq2seq.system.processes import join_group  # imports PyTorch

    if name not in MULTI_PROCESS:
        raise ConfigError(f"{program(name)} runs in one process: start it with python, not with torchrun")
    join_group()


def names_setting(setting: str) -> bool:
    """Whether the command line of the recipe that runs names a setting, which may have its default value there."""
    words = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    return any(word.lstrip("+").startswith(f"{setting}=") for word in words)


def compose_train(
    experiment: str | None = None, overrides: Sequence[str] = (), names_text: bool = False
) -> TrainConfig:
    """The settings of recipes/train.py with these command-line arguments.

    Args:
        experiment: a file of conf/experiment without ``.yaml``, or the path of another file with it.
        overrides: such as ``model=attention`` or ``training.updates=500``.
        names_text: whether there is text that the arguments do not name, such as pairs from Python.

    Raises:
        ConfigError: an argument is malformed, or a setting is unknown or invalid.
    """
    chosen = [f"experiment={experiment}"] if experiment else []
    settings = compose("train", [*chosen, *overrides], names_text)
    assert isinstance(settings, TrainConfig)
    return settings


def compose(name: str, arguments: Sequence[str], names_text: bool = False) -> Any:
    """The settings of a recipe with these command-line arguments; lines about the arguments are logged.

    Args:
        name: the recipe.
        arguments: settings and choices; options such as ``--cfg`` are not supported.
        names_text: for train, whether there is text that the arguments do not name.

    Raises:
        ConfigError: an argument is malformed, or a setting is unknown or invalid.
    """
    register(name)
    schema = RECIPES[name]()
    try:
        prepared, notes, first_lines = prepare_arguments(name, arguments, names_text)
        for note in notes:
            log.warning(note)
        with hydra.initialize_config_dir(str(conf_folder()), version_base="1.3"):
            composed = hydra.compose(name, overrides=prepared, return_hydra_config=True)
        choices, typed = composed.hydra.runtime.choices, [*composed.hydra.overrides.task]
        with flag_override(composed, ["readonly", "struct"], False):
            del composed["hydra"]
        settings = OmegaConf.to_object(composed)
    except (HydraException, OmegaConfBaseException, YAMLError) as error:
        raise ConfigError(one_line(error, schema)) from None
    except Seq2SeqError:
        raise
    except Exception as error:
        raise not_composable(error) from error
    validate(settings)
    if not names_text:
        _check_choices(choices, settings)
    settings = _with_command_line(settings, typed, first_lines)
    for line in first_lines:
        log.info("%s", line)
    return settings


def prepare_arguments(
    name: str, arguments: Sequence[str], names_text: bool = False
) -> tuple[list[str], list[str], list[str]]:
    """The arguments of a recipe as Hydra parses them, a line for each that is renamed, and the first lines of the run.

    Args:
        name: the recipe.
        arguments: as the user gives them.
        names_text: for train, whether there is text that the arguments do not name.

    Raises:
        ConfigError: a setting is written as an option, or an experiment file cannot be read.
    """
    schema = RECIPES[name]()
    refuse_dashes(arguments, schema)
    current, notes = rename_overrides(arguments, {path for path, _, _ in walk(schema)})
    first_lines: list[str] = []
    if name == "train":
        current, first_lines = with_settings_for_own_text(current, names_text)
        current = [register_experiments(argument) for argument in current]
    return quote_text(current, schema), notes, first_lines


def _check_choices(choices: Any, settings: Any) -> None:
    """Check settings against the choices of groups that led to them.

    Raises:
        ConfigError: ``data=files`` names no text.
    """
    if isinstance(settings, TrainConfig) and choices.get("data") == "files":
        check_text_is_named(settings.data)


def _with_command_line(settings: Any, overrides: Sequence[str], lines: list[str]) -> Any:
    """Settings of train as `with_command_line` changes them, others as they are; ``lines`` receives what it reports."""
    if not isinstance(settings, TrainConfig):
        return settings
    changed, report = with_command_line(settings, overrides, conf_folder())
    lines += report
    return changed


def arguments_without_debug() -> list[str] | None:
    """The arguments of a ``training=debug`` run without this preset and the folder; None for another run."""
    if not HydraConfig.initialized() or HydraConfig.get().runtime.choices.get("training") != "debug":
        return None
    return [word for word in HydraConfig.get().overrides.task if not word.startswith(("training=", "run="))]


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
