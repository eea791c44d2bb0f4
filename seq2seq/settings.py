"""Settings as dataclass fields: default, help and range in one place.

Hydra shows the default, ``--help`` the help, and `validate` checks the range::

    dropout: float = setting(0.2, "dropout probability", at_least=0, below=1)
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, field, fields, is_dataclass, replace
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
    """A dataclass field with help and bounds; nested settings have ``factory`` instead of ``default``."""
    bounds = {"at_least": at_least, "above": above, "at_most": at_most, "below": below}
    metadata = {"help": help, "bounds": {name: bound for name, bound in bounds.items() if bound is not None}}
    if factory is not MISSING:
        return field(default_factory=factory, metadata=metadata)
    return field(default=default, metadata=metadata)


class Settings:
    """Base class of settings with enums: strings become enum members.

    ``SearchConfig(method="sampling")`` equals ``SearchConfig(method=Method.sampling)``. `validate` refuses strings that
    name no member.
    """

    def __post_init__(self) -> None:
        for item in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            setattr(self, item.name, _member(item.type, getattr(self, item.name)))


def _member(kind: Any, value: Any) -> Any:
    """The enum member that a string names, also in lists; any other value unchanged."""
    if isinstance(kind, UnionType):
        [kind] = (option for option in get_args(kind) if option is not NoneType)
    if get_origin(kind) is list and isinstance(value, list):
        [inner] = get_args(kind)
        return [_member(inner, part) for part in value]
    if isinstance(kind, type) and issubclass(kind, Enum) and type(value) is str and value in {*kind}:
        return kind(value)
    return value


def with_members(config: Any) -> Any:
    """A copy of a tree of settings in which strings that were assigned later are enum members too."""
    values = {item.name: getattr(config, item.name) for item in fields(config)}
    return replace(config, **{name: with_members(value) for name, value in values.items() if is_dataclass(value)})


def described_range(bounds: dict[str, float]) -> str:
    """The bounds in words: ``in [0, 1)``, ``at least 1``, ``above 0``; empty where there are none."""
    low, high = bounds.get("at_least", bounds.get("above")), bounds.get("at_most", bounds.get("below"))
    if low is not None and high is not None:
        return f"in {'[' if 'at_least' in bounds else '('}{low:g}, {high:g}{']' if 'at_most' in bounds else ')'}"
    words = {"at_least": "at least", "above": "above", "at_most": "at most", "below": "below"}
    return "".join(f"{words[name]} {bound:g}" for name, bound in bounds.items())


HYDRA_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
"""A text in single quotes, as Hydra's grammar has it."""


def hydra_quoted(text: str, interpolation: re.Pattern[str] | None = None) -> str:
    """A text in single quotes that Hydra and OmegaConf read as exactly this text.

    Args:
        text: any text.
        interpolation: the beginnings of interpolations, such as ``${seed}``, that keep their meaning; None: none.
    """

    def escaped(match: re.Match[str]) -> str:
        kept = interpolation and interpolation.match(text, match.end(1))
        return match[0] if kept else rf"{match[1] * 2}\${{"

    text = re.sub(r"(\\*)\$\{", escaped, text)
    return "'" + re.sub(r"(\\*)('|\Z)", lambda match: 2 * match[1] + match[2].replace("'", r"\'"), text) + "'"


def override_value(value: Any) -> str:
    """A value as a user types it in an override."""
    if value is None:
        return "null"
    if isinstance(value, list):
        return f"[{','.join(map(override_value, value))}]"
    if is_dataclass(value) and not isinstance(value, type):
        default = type(value)()
        changed = {item.name: getattr(value, item.name) for item in fields(value)}
        changed = {name: part for name, part in changed.items() if part != getattr(default, name)}
        return f"{{{', '.join(f'{name}: {override_value(part)}' for name, part in changed.items())}}}"
    if isinstance(value, str) and not isinstance(value, Enum):
        plain = re.fullmatch(r"[\w./+*@-]+", value, re.ASCII) and not re.fullmatch(r"null|true|false|[\d.+-]+", value)
        return value if plain or value == "-" else hydra_quoted(value)
    return value.value if isinstance(value, Enum) else str(value).lower() if isinstance(value, bool) else str(value)


def walk(config: Any, path: str = "") -> Iterator[tuple[str, Field[Any], Any]]:
    """Every leaf setting of a tree of dataclasses as (dotted path, field, value)."""
    for item in fields(config):
        value = getattr(config, item.name)
        name = f"{path}.{item.name}" if path else item.name
        if is_dataclass(value):
            yield from walk(value, name)
        else:
            yield name, item, value


def plain_value(value: Any) -> Any:
    """A value as YAML and JSON have it: sections and entries of lists as mappings, members of enumerations as text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain_value(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, list | tuple):
        return [plain_value(part) for part in value]
    if isinstance(value, dict):
        return {name: plain_value(part) for name, part in value.items()}
    return value.name if isinstance(value, Enum) else value


def flat(settings: Any, path: str = "") -> dict[str, Any]:
    """Every leaf of nested mappings by dotted path, as `walk` names settings."""
    if not isinstance(settings, dict):
        return {path: settings}
    parts = [flat(value, f"{path}.{name}" if path else str(name)) for name, value in settings.items()]
    return {name: value for part in parts for name, value in part.items()}


def differing(runs: Sequence[Mapping[str, Any]], ignored: Sequence[str] = ()) -> dict[str, list[Any]]:
    """The settings that differ between runs, each with the value of every run.

    A setting that one of the runs lacks is left out: older versions did not have it.

    Args:
        runs: for each run its settings by dotted path.
        ignored: settings, and sections with all that is in them, that are left out; ``""`` is the whole.
    """

    def is_ignored(name: str) -> bool:
        return any(part in ("", name) or name.startswith(f"{part.removesuffix('.')}.") for part in ignored)

    shared = [name for name in (runs[0] if runs else ()) if all(name in run for run in runs)]
    values = {name: [run[name] for run in runs] for name in shared if not is_ignored(name)}
    return {name: row for name, row in values.items() if any(value != row[0] for value in row)}


def validate(config: Any, place: str = "") -> None:
    """Check the type and range of every value in a tree of dataclasses and lists of them.

    Integers must fit 64 bits. Strings must be one line of Unicode without control characters, which are not valid in
    file names and can control a terminal. Types are checked because Hydra does not check interpolations or ``~x +x=…``.

    Args:
        config: a dataclass of settings.
        place: its dotted path, for messages.

    Raises:
        ConfigError: names the first invalid setting, its range or type, and the value.
    """
    _check_type(type(config), config, place)
    for path, item, value in walk(config, place):
        if isinstance(value, list):
            for number, part in enumerate(value):
                if is_dataclass(part):
                    validate(part, f"{path}[{number}]")
                else:
                    _check_representable(f"{path}[{number}]", part)
            continue
        bounds = item.metadata.get("bounds", {})
        _check_representable(path, value)
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


def _check_type(kind: Any, value: Any, path: str) -> None:
    """Refuse a value whose type is not that of the setting."""
    if isinstance(kind, UnionType):  # with None
        if value is None:
            return
        [kind] = (option for option in get_args(kind) if option is not NoneType)
    if get_origin(kind) is list:
        if not isinstance(value, list):
            raise ConfigError(f"{path} must be a list, got {value!r}: write it as {path}=[…]")
        [inner] = get_args(kind)
        for number, part in enumerate(value):
            _check_type(inner, part, f"{path}[{number}]")
    elif isinstance(kind, type) and is_dataclass(kind):
        if not isinstance(value, kind):
            raise ConfigError(f"{path} must be a group of settings, got {value!r}: set one of them by {path}.NAME=…")
        for item in fields(value):
            _check_type(item.type, getattr(value, item.name), f"{path}.{item.name}".removeprefix("."))
    elif isinstance(kind, type) and issubclass(kind, Enum):
        if not isinstance(value, kind):
            raise ConfigError(f"{path} must be one of {', '.join(map(str, kind))}, got {value}")
    elif isinstance(kind, type) and not _is_of(kind, value):
        raise ConfigError(f"{path} must be {KINDS.get(kind, kind.__name__)}, got {value!r}")


def _is_of(kind: type, value: Any) -> bool:
    """Whether a value has this type; true and false are no numbers, although Python counts bool as int."""
    if isinstance(value, bool) and kind in (int, float):
        return False
    return isinstance(value, kind) or (kind is float and isinstance(value, int))


def _check_representable(path: str, value: object) -> None:
    """Refuse values that files or tensors cannot represent."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ConfigError(f"{path} must be a number of at most 64 bits, got one of {value.bit_length():,}")
    if isinstance(value, str) and re.search("[\0-\x08\n-\x1f\x7f-\x9f\ud800-\udfff]", value):  # tabs are allowed
        raise ConfigError(f"{path} must be one line of text in UTF-8, got {value!r}")
