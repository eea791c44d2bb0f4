"""Settings as dataclass fields: default, one line of help and the allowed range in one place.

Hydra shows the default, ``--help`` the line of help, and `validate` holds the range::

    dropout: float = setting(0.2, "share of units silenced in training", at_least=0, below=1)
"""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, field, fields, is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

from seq2seq.errors import ConfigError


def setting(
    default: Any = MISSING,
    help: str = "",
    *,
    factory: Callable[[], Any] | Any = MISSING,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
) -> Any:
    """A dataclass field with its help and bounds; ``factory`` in place of ``default`` for nested settings."""
    bounds = {"at_least": at_least, "above": above, "at_most": at_most, "below": below}
    metadata = {"help": help, "bounds": {name: bound for name, bound in bounds.items() if bound is not None}}
    if factory is not MISSING:
        return field(default_factory=factory, metadata=metadata)
    return field(default=default, metadata=metadata)


class Settings:
    """Base of a dataclass of settings with enums: a word becomes the member that it names.

    So ``SearchConfig(method="sampling")`` is ``SearchConfig(method=Method.sampling)``. `validate` refuses a word that
    names none.
    """

    def __post_init__(self) -> None:
        for item in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            setattr(self, item.name, _member(item.type, getattr(self, item.name)))


def _member(kind: Any, value: Any) -> Any:
    """The member of the enum ``kind`` that a word names, and of a list of words theirs; any other value as it is."""
    if isinstance(kind, UnionType):
        [kind] = (one for one in get_args(kind) if one is not NoneType)
    if get_origin(kind) is list and isinstance(value, list):
        [inner] = get_args(kind)
        return [_member(inner, part) for part in value]
    if isinstance(kind, type) and issubclass(kind, Enum) and type(value) is str and value in {*kind}:
        return kind(value)
    return value


def described_range(bounds: dict[str, float]) -> str:
    """The bounds in words: ``in [0, 1)``, ``at least 1``, ``above 0``; empty where there are none."""
    low, high = bounds.get("at_least", bounds.get("above")), bounds.get("at_most", bounds.get("below"))
    if low is not None and high is not None:
        return f"in {'[' if 'at_least' in bounds else '('}{low:g}, {high:g}{']' if 'at_most' in bounds else ')'}"
    words = {"at_least": "at least", "above": "above", "at_most": "at most", "below": "below"}
    return "".join(f"{words[name]} {bound:g}" for name, bound in bounds.items())


def walk(config: Any, path: str = "") -> Iterator[tuple[str, Field[Any], Any]]:
    """Every leaf setting of a tree of dataclasses as (dotted path, field, value)."""
    for item in fields(config):
        value = getattr(config, item.name)
        name = f"{path}.{item.name}" if path else item.name
        if is_dataclass(value):
            yield from walk(value, name)
        else:
            yield name, item, value


def validate(config: Any, place: str = "") -> None:
    """Check every number of a tree of dataclasses, lists of them included, against the range its `setting` states.

    Besides, a whole number must fit 64 bits, and a text be one line of Unicode without control
    characters: file names are nothing else, either, and a terminal would obey them.
    And every value must be of its setting's kind: nobody else looks at what an interpolation brings, or ``~x +x=…``.

    Raises:
        ConfigError: names the first setting outside its range, the range and the value.
    """
    _hold_kind(type(config), config, place)
    for path, item, value in walk(config, place):
        if isinstance(value, list):
            for number, part in enumerate(value):
                if is_dataclass(part):
                    validate(part, f"{path}[{number}]")
                else:
                    _hold_plain(f"{path}[{number}]", part)
            continue
        bounds = item.metadata.get("bounds", {})
        _hold_plain(path, value)
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{path} must be {described_range(bounds) or 'a finite number'}, got {value:g}")
        if not bounds or value is None:
            continue
        inside = (
            value >= bounds.get("at_least", -math.inf)
            and value > bounds.get("above", -math.inf)
            and value <= bounds.get("at_most", math.inf)
            and value < bounds.get("below", math.inf)
        )
        if not inside:
            raise ConfigError(f"{path} must be {described_range(bounds)}, got {value:g}")


KINDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def _hold_kind(kind: Any, value: Any, path: str) -> None:
    """Refuse a value of another kind than the setting's."""
    if isinstance(kind, UnionType):  # with None
        if value is None:
            return
        [kind] = (one for one in get_args(kind) if one is not NoneType)
    if get_origin(kind) is list:
        if not isinstance(value, list):
            raise ConfigError(f"{path} must be a list, got {value!r}: write it as {path}=[…]")
        [inner] = get_args(kind)
        for number, part in enumerate(value):
            _hold_kind(inner, part, f"{path}[{number}]")
    elif isinstance(kind, type) and is_dataclass(kind):
        if not isinstance(value, kind):
            raise ConfigError(f"{path} must be a group of settings, got {value!r}: set one of them by {path}.NAME=…")
        for item in fields(value):
            _hold_kind(item.type, getattr(value, item.name), f"{path}.{item.name}".removeprefix("."))
    elif isinstance(kind, type) and issubclass(kind, Enum):
        if not isinstance(value, kind):
            raise ConfigError(f"{path} must be one of {', '.join(map(str, kind))}, got {value}")
    elif isinstance(kind, type) and not (isinstance(value, kind) or (kind is float and isinstance(value, int))):
        raise ConfigError(f"{path} must be {KINDS.get(kind, kind.__name__)}, got {value!r}")


def _hold_plain(path: str, value: object) -> None:
    """Refuse what files and tensors have no place for."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ConfigError(f"{path} must be a number of at most 64 bits, got one of {value.bit_length():,}")
    if isinstance(value, str) and re.search("[\0-\x08\n-\x1f\x7f-\x9f\ud800-\udfff]", value):  # a tab may be meant
        raise ConfigError(f"{path} must be one line of text in UTF-8, got {value!r}")
