"""Commands for users: settings as overrides, words quoted for a shell, the next command."""

import os
import shlex
import sys
from collections.abc import Iterable
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import Any

from seq2seq.settings import HYDRA_QUOTED, hydra_quoted, override_value, walk


def overrides(config: Any, path: str) -> list[str]:
    """The shell words that set a section: ``PATH.NAME=VALUE`` for each value that is not the default."""
    defaults = {name: value for name, _, value in walk(type(config)(), path)}
    changed = ((name, value) for name, _, value in walk(config, path) if value != defaults[name])
    return [quoted(f"{name}={typed(value)}") for name, value in changed]


def typed(value: Any) -> str:
    """A value as a user types it after ``NAME=``, where a recipe takes most texts as they are."""
    if isinstance(value, str) and not isinstance(value, Enum):
        return hydra_quoted(value) if value == "null" or "${" in value or HYDRA_QUOTED.fullmatch(value) else value
    return override_value(value)


def quoted(word: str) -> str:
    """A word quoted for a shell; unprintable characters are escaped for bash and zsh."""
    if word.isprintable():
        return shlex.quote(word)
    plain = word.replace("\\", r"\\").replace("'", r"\'")
    return "$'" + "".join(char if char.isprintable() else rf"\U{ord(char):08x}" for char in plain) + "'"


def assignment(name: str, value: Any) -> str:
    """A setting that is text as a shell word: ``NAME=VALUE``, quoted for Hydra and the shell where they need it."""
    return quoted(f"{name}={typed(str(value))}")


def example_text(texts: Iterable[str]) -> str:
    """The shortest of the first twenty texts that are not blank; empty if there is none."""
    return min(islice(filter(str.strip, texts), 20), key=len, default="")


def command(name: str) -> str:
    """The command that starts another recipe, in a clone or from an installed wheel."""
    program = Path(sys.argv[0])
    if program.suffix != ".py":
        return f"seq2seq-{name}"
    return f"{os.path.relpath(sys.executable)} {program.with_name(f'{name}.py')}"
