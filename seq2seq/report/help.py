"""Telling a user what to type: the help of a recipe, settings as overrides, the next command."""

import os
import re
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from seq2seq.settings import described_range, walk


def help_node(name: str, schema: type, choices: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """What ``--help`` prints: every setting with its default, range and meaning, then the composed config.

    Args:
        name: of the recipe.
        schema: the dataclass of its settings.
        choices: the names of the classes that each section which is a choice may have.
    """
    lines = [f"  {path} = {described(value)}\n      {text(item)}" for path, item, value in walk(schema())]
    chosen = [f"  {group}: {', '.join(options)}" for group, options in choices.items()]
    template = "\n".join(
        [
            "${hydra.help.header}",
            "",
            "Settings (set one with NAME=VALUE):",
            *lines,
            *(["", "Choices with settings of their own (choose with GROUP=CHOICE):", *chosen] if chosen else []),
            "",
            "Config groups found (GROUP=CHOICE):",
            "$APP_CONFIG_GROUPS",
            "As this command composes it:",
            "$CONFIG",
        ]
    )
    return {"app_name": name, "header": f"recipes/{name}.py", "footer": "", "template": template}


def text(item: Any) -> str:
    """Meaning and range of a setting."""
    bounds = described_range(item.metadata.get("bounds", {}))
    return f"{item.metadata.get('help', '')}{f' ({bounds})' if bounds else ''}"


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
    return [_quoted(f"{name}={described(value)}") for name, value in changed]


def _quoted(word: str) -> str:
    """The word for a shell; what cannot be printed is escaped, which bash and zsh undo."""
    if word.isprintable():
        return shlex.quote(word)
    plain = word.replace("\\", r"\\").replace("'", r"\'")
    return "$'" + "".join(one if one.isprintable() else rf"\U{ord(one):08x}" for one in plain) + "'"


def command(name: str) -> str:
    """How to start another recipe from where this one was started: a clone, or an installed wheel."""
    program = Path(sys.argv[0])
    if program.suffix != ".py":
        return f"seq2seq-{name}"
    return f"{os.path.relpath(sys.executable)} {program.with_name(f'{name}.py')}"
