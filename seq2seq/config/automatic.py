"""``experiment=auto``: whether settings are chosen by the corpus, and which of them the user has set.

Composing settings reads no text, so that ``--help`` and errors take no time. The choices are made when a run starts:
see `seq2seq.auto`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml

from seq2seq.errors import ConfigError, counted
from seq2seq.settings import flat, override_value, setting
from seq2seq.system.plain_yaml import load_plain

OVERRIDE = re.compile(r"\+{0,2}([\w.]+)(?:@[\w.]*)?=(.*)", re.DOTALL)
"""A setting or a choice of a group as an override."""

CLASSES = ("optimizer", "schedule")
"""Groups whose choices have settings of their own: with the choice, the whole section is the user's."""

FILE_OPTION = "file_"
"""Beginning of the name that an experiment of the user's has once its path is registered."""

LONGER_WARMUP = 10
"""A warm-up that does not fit into the updates takes one of so many of them."""


@dataclass(kw_only=True)
class AutoConfig:
    """Whether the training text chooses settings (``experiment=auto``)."""

    choose: bool = setting(False, "choose settings by the training text, as experiment=auto does")
    yours: list[str] = setting(
        factory=list, help="settings that are not chosen; the command line adds those that it names"
    )

    def leaves(self, name: str) -> bool:
        """Whether a setting is not chosen because the user has set it, or a section that contains it."""
        return any(name == own or name.startswith(f"{own.removesuffix('.')}.") for own in self.yours)


def settings_of(overrides: Iterable[str], conf: Traversable) -> Iterator[str]:
    """The settings that overrides set, by name or by a choice of a group.

    Args:
        overrides: as the command line has them.
        conf: the folder of the groups.
    """
    for override in overrides:
        match = OVERRIDE.fullmatch(override)
        if match is None:
            continue
        name, value = match.groups()
        if name in CLASSES or "." in name or not (conf / name).is_dir():
            yield name
        elif name not in ("experiment", "data"):
            yield from _of_choice(name, conf / name / f"{value}.yaml")


def _of_choice(group: str, file: Traversable) -> Iterator[str]:
    """The settings that a file of a group states; the whole group if the file is the user's own."""
    if not file.is_file():
        yield group
        return
    text = file.read_text(encoding="utf-8")
    stated = yaml.safe_load(text) or {}
    stated.pop("defaults", None)
    place = "" if "@package _global_" in text else group
    yield from (name for name in flat(stated, place) if name != place)


def with_command_line(config: Any, overrides: Iterable[str], conf: Traversable) -> tuple[Any, list[str]]:
    """Settings that depend on what the command line says and a preset does not.

    Args:
        config: the composed settings of recipes/train.py.
        overrides: of the command line.
        conf: the folder of the groups.

    Returns:
        The settings, and lines that report what has been changed.
    """
    overrides = list(overrides)
    own = list(dict.fromkeys(settings_of(overrides, conf)))
    _check_experiment(config, overrides, own, conf)
    if config.auto.choose:
        return replace(config, auto=replace(config.auto, yours=[*config.auto.yours, *own])), []
    updates, warmup = config.training.updates, config.schedule.warmup
    if "training.updates" not in own or {"schedule", "schedule.warmup"} & {*own}:
        return config, []
    before = _warmup_of(Path(config.run).expanduser() / "config.yaml")
    if before is not None and before <= updates:
        return replace(config, schedule=replace(config.schedule, warmup=before)), []
    if warmup <= updates:
        return config, []
    shorter = max(1, updates // LONGER_WARMUP)
    line = f"schedule.warmup={override_value(warmup)} does not fit into {counted(updates, 'update')}: using {shorter}"
    return replace(config, schedule=replace(config.schedule, warmup=shorter)), [line]


def _check_experiment(config: Any, overrides: Sequence[str], own: Sequence[str], conf: Traversable) -> None:
    """Check what a chosen experiment and the command line say together.

    Raises:
        ConfigError: another optimizer would keep the learning rate of the experiment's, or the experiment chooses by
            the text and its own settings, which would be the user's, are not known.
    """
    choices = {match[1]: match[2] for override in overrides if (match := OVERRIDE.fullmatch(override))}
    name = choices.get("experiment", "")
    file = conf / "experiment" / f"{name}.yaml"
    if file.is_file():
        stated = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        rate = (stated.get("optimizer") or {}).get("learning_rate")
        if rate is not None and "optimizer" in choices and "optimizer.learning_rate" not in own:
            raise ConfigError(
                f"experiment={name} has optimizer.learning_rate={rate} for its own optimizer: set "
                f"optimizer.learning_rate for optimizer={choices['optimizer']} too"
            )
    elif name and config.auto.choose and not name.startswith(FILE_OPTION):
        raise ConfigError(f"experiment={name} chooses settings by the text: name it by its path, experiment=PATH.yaml")


def _warmup_of(path: Path) -> int | None:
    """The warm-up of a run that is resumed, which may have been shortened; None for a new one."""
    try:
        warmup = load_plain(path.read_text(encoding="utf-8"))["schedule"]["warmup"]
    except (OSError, ValueError, LookupError, TypeError, yaml.YAMLError):  # damaged: the run's own check says so
        return None
    return warmup if type(warmup) is int else None
