"""Errors of a recipe in one line."""

import contextlib
import difflib
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

from hydra.errors import HydraException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from seq2seq.config.command_line import foreign_name
from seq2seq.errors import ConfigError, Seq2SeqError, shown
from seq2seq.system.descriptors import BINARY
from seq2seq.system.launcher import is_launched
from seq2seq.training.interrupt import Interrupted

FULL_ERROR = "HYDRA_FULL_ERROR"

STOPPED = 128 + signal.SIGINT
"""Exit code after Ctrl-C."""

SHOW_TRACEBACKS = os.environ.get(FULL_ERROR) == "1"
"""The user's value; `recipe` changes the variable while Hydra runs."""


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


NO_CHOICE = r"Could not find '(\w+)/([^']*)'\s+Available options in '\w+':((?:\s+\S+)+?)\s*Config"
"""Hydra's message for an unknown choice: group, choice, known choices."""

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


def should_report(error: BaseException) -> bool:
    """Whether this process prints the error with which it ends: see `seq2seq.system.processes.should_report`."""
    if not is_launched():
        return True
    from seq2seq.system import processes  # imports PyTorch

    return processes.should_report(error)


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
    except KeyboardInterrupt:
        if SHOW_TRACEBACKS:
            raise
        print("stopped", file=sys.stderr)
        sys.exit(STOPPED)
    except Exception as error:
        line = None if SHOW_TRACEBACKS else error_line(error, config)
        if line is None:
            raise
        if should_report(error):
            print(f"error: {shown(line)}", file=sys.stderr)
        sys.exit(1)


def error_line(error: Exception, config: Any) -> str | None:
    """One line for an error of the user or the machine: wrong settings, no memory, a full disk; None for any other."""
    if isinstance(error, USER_ERRORS):
        return one_line(error, config)
    if isinstance(error, RuntimeError) and "home directory" in str(error):  # of Path.expanduser
        return "a path begins with ~ and a name that no user has: write the path in full"
    if isinstance(error, MemoryError | RuntimeError):
        from seq2seq.system.out_of_memory import is_out_of_memory  # imports PyTorch

        return memory_line(error) if is_out_of_memory(error) else None
    if isinstance(error, OSError):
        from seq2seq.system.atomic import FULL, unwritable  # imports safetensors

        place = Path(error.filename or "the output")  # also standard output
        return str(unwritable(place, error)) if error.errno in FULL else None
    return None


MEMORY = {
    "seq2seq.metrics": ("scoring", "split very long lines into sentences"),
    "seq2seq.comparison": ("comparing", "compare fewer systems, or lower bootstrap"),
    "seq2seq.doctor": ("checking the corpus", "check fewer pairs at a time"),
    "seq2seq.auto": ("reading the corpus", "give fewer pairs"),
    "seq2seq.data.ibm_model1": ("aligning words", "lower shortlist.pairs, or set loss.guided_attention=0"),
    "seq2seq.data.encoding": ("encoding text", "split very long lines into sentences"),
    "seq2seq.tokenizer.vocabulary": ("training the vocabulary", "lower tokenizer.training_sentences or tokenizer.size"),
    "seq2seq.corpora.near_copies": ("finding near copies", "give fewer pairs"),
    "seq2seq.corpora": ("reading text", "split very long lines into sentences"),
    "seq2seq.translation": ("translating", "lower beam_size, or use fewer or smaller models"),
}
"""What takes memory in a module or package, and what to do."""


def memory_line(error: BaseException) -> str:
    """One line about memory that ran out: for what, by the innermost module of `MEMORY` that was at work."""
    modules = [str(frame.f_globals.get("__name__")) for frame, _ in traceback.walk_tb(error.__traceback__)]
    at_work = (
        MEMORY[place] for module in reversed(modules) for place in MEMORY if f"{module}.".startswith(f"{place}.")
    )
    what, advice = next(at_work, ("", "lower batch.tokens or the sizes of the model, or beam_size where it translates"))
    return f"out of memory{f' for {what}' if what else ''} ({shown(str(error))}): {advice}"


def one_line(error: BaseException, config: Any) -> str:
    """The error in one line; for an unknown setting, with the most similar known one."""
    if isinstance(error, Seq2SeqError):
        return str(error)
    if isinstance(error, OverrideParseException):
        if "=" not in error.override:
            names = {item.name for item in fields(config)}
            name = next((name for name in ("run", "input", "systems") if name in names), "NAME")
            name = "experiment" if error.override.endswith(".yaml") else name
            return (
                f"{error.override} is not NAME=VALUE: did you mean {name}={error.override}? "
                'Put a setting with spaces in quotes: "NAME=a b"'
            )
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
    choice = re.search(NO_CHOICE, str(error))
    if choice:
        known = choice[3].split()
        near = difflib.get_close_matches(choice[2], known, n=1)
        return f"there is no {choice[1]}={choice[2]}; {f'did you mean {near[0]}? ' if near else ''}({', '.join(known)})"
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
