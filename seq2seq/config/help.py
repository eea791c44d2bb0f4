"""The text of ``--help``: what a recipe does, examples, and its settings with the values of this command."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from textwrap import shorten, wrap
from typing import Any, NamedTuple

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from seq2seq.config.schemas import CHOICES
from seq2seq.errors import ConfigError, program
from seq2seq.report.help import typed
from seq2seq.settings import described_range, walk

WIDTH = 120
SHORT = 26
"""Number of settings up to which ``--help`` shows all of a recipe."""

MOST_USED = (
    *("data.file", "data.split", "data.train.file", "data.source_language", "data.target_language"),
    *("tokenizer.size", "model.encoder.layers", "model.encoder.size", "model.decoder.size"),
    *("model.dropout", "batch.tokens"),
    *("optimizer.learning_rate", "training.updates", "training.time", "training.device", "search.beam_size"),
)
"""Settings within sections that ``--help`` shows of a recipe with more."""


HELP = re.compile(r"(?:--help|-h)(?:=(.*))?", re.DOTALL)


def split_help(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """The topic of ``--help=TOPIC``, empty for ``--help``, None without either; and the other arguments."""
    topics = [match[1] or "" for match in map(HELP.fullmatch, arguments) if match]
    if not topics:
        return None, list(arguments)
    return topics[-1], [each for each in arguments if not HELP.fullmatch(each) and each not in ("-m", "--multirun")]


def print_help(name: str, document: str, config: Any, topic: str) -> None:
    """Print the help of the recipe that Hydra runs: see `help_text`."""
    groups = _groups()
    sections = {group: groups[group] for group in CHOICES if group in groups and topic in ("all", group)}
    alternatives = {group: _alternatives(name, group, choices) for group, choices in sections.items()}
    print(help_text(name, document, config, groups, alternatives, topic))


class Group(NamedTuple):
    """A config group: ``GROUP=CHOICE``."""

    chosen: str | None
    choices: list[str]


def _groups() -> dict[str, Group]:
    """The config groups of the command that runs, with all their choices."""
    loader = GlobalHydra.instance().config_loader()
    chosen = {
        name: choice for name, choice in HydraConfig.get().runtime.choices.items() if not name.startswith("hydra/")
    }
    return {name: Group(choice, loader.get_group_options(name)) for name, choice in sorted(chosen.items())}


def _alternatives(name: str, group: str, choices: Group) -> dict[str, Any]:
    """The settings of each other choice of a group, as composed in this command."""
    own = [
        each
        for each in HydraConfig.get().overrides.task
        if not each.lstrip("+~").startswith((f"{group}=", f"{group}."))
    ]
    others = (choice for choice in choices.choices if choice != choices.chosen)
    return {choice: OmegaConf.to_object(hydra.compose(name, [*own, f"{group}={choice}"])[group]) for choice in others}


def help_text(
    name: str,
    document: str,
    config: Any,
    groups: Mapping[str, Group],
    alternatives: Mapping[str, Mapping[str, Any]],
    topic: str = "",
) -> str:
    """The text of ``--help``, or of ``--help=TOPIC``.

    Args:
        name: the recipe.
        document: its docstring: a paragraph, then one command per line.
        config: its settings as composed.
        groups: its config groups.
        alternatives: for groups whose choices have settings of their own, those settings for each choice.
        topic: ``all``, a section such as ``model`` or ``model.encoder``, a setting, or a group; empty: an overview.

    Raises:
        ConfigError: there is no such topic.
    """
    if not topic:
        return "\n".join(_overview(name, document, config, groups))
    settings = [setting for setting in walk(config) if topic == "all" or _within(setting[0], topic)]
    lines = list(_described(settings))
    for group, sections in alternatives.items():
        for choice, section in sections.items():
            lines += ["", f"with {group}={choice}:", *_described(walk(section, group))]
    listed = {group: choices for group, choices in groups.items() if topic in ("all", group)}
    if not lines and not listed:
        raise ConfigError(
            f"--help={topic} is neither a section nor a setting: choose one of all, {', '.join(_sections(config))}"
        )
    head = [f"Settings of {program(name)} (NAME=VALUE), their values in this command, meaning and range:"]
    return "\n".join([*head * bool(lines), *lines, *[""] * bool(lines and listed), *_choices(listed)])


def _overview(name: str, document: str, config: Any, groups: Mapping[str, Group]) -> Iterator[str]:
    """What the recipe does, three examples, and its settings: all, or the most used if there are many."""
    purpose, _, commands = document.strip().partition("\n\n")
    yield from wrap(purpose, WIDTH)
    yield ""
    yield "Examples:"
    examples = [line.strip() for line in commands.splitlines() if f"recipes/{name}.py" in line]
    for example in examples[:3]:
        yield f"  {example.replace(f'python recipes/{name}.py', _started(name))}"
    settings = list(walk(config))
    short = len(settings) <= SHORT
    long_forms = {f"search.{item.name}" for item in fields(config)}  # of settings that have a short one
    shown = [item for item in settings if short or "." not in item[0] or item[0] in {*MOST_USED} - long_forms]
    yield ""
    yield f"{'Settings' if short else 'Most used settings'} (NAME=VALUE) and their values in this command:"
    for path, item, value in shown:
        yield _row(f"{path}={typed(value)}", item.metadata.get("help", ""), 30)
    if not short:
        yield ""
        yield "Sections, each printed by --help=SECTION:"
        for section in _sections(config):
            yield _row(section, _meaning_of_section(getattr(config, section)), 19)
    if groups:
        yield ""
        yield from _choices(groups)
    yield ""
    yield "--help=all prints every setting with its range; --cfg job prints the settings of this command as YAML."


def _started(name: str) -> str:
    """How a user starts a recipe: ``python recipes/doctor.py``, or ``seq2seq-doctor`` if console scripts are in use."""
    started = program(name)
    return f"python {started}" if started.endswith(".py") else started


def _sections(config: Any) -> list[str]:
    return [item.name for item in fields(config) if is_dataclass(getattr(config, item.name))]


def _meaning_of_section(settings: Any) -> str:
    """The first paragraph of a section's docstring."""
    text = (type(settings).__doc__ or "").split("\n\n")[0].removesuffix(".").replace("``", "")
    text = re.sub(r"^(The )?[Ss]ettings of ", "", text)
    return text[:1].upper() + text[1:]


def _row(name: str, meaning: str, columns: int) -> str:
    """A line of a table; of a meaning that does not fit, its first part."""
    width = WIDTH - 4 - max(columns, len(name))
    short = meaning if len(meaning) <= width else meaning.split(";")[0]
    return f"  {name:<{columns}}  {shorten(short, width, placeholder=' …')}"


def _described(settings: Iterable[tuple[str, Any, Any]]) -> Iterator[str]:
    """A setting and its value, then its meaning and range in further lines."""
    for path, item, value in settings:
        yield f"  {path} = {typed(value)}"
        yield from wrap(meaning(item), WIDTH, initial_indent="      ", subsequent_indent="      ")


def _choices(groups: Mapping[str, Group]) -> Iterator[str]:
    """The choices of each group; the present one is marked."""
    if groups:
        yield "Choices (GROUP=CHOICE; * marks the choices of this command):"
    for name, group in groups.items():
        marked = [f"{choice}*" if choice == group.chosen else choice for choice in group.choices]
        yield from wrap(", ".join(marked), WIDTH, initial_indent=f"  {name:<12}", subsequent_indent=" " * 14)


def _within(path: str, topic: str) -> bool:
    return path == topic or path.startswith(f"{topic}.")


def meaning(item: Any) -> str:
    """Help and range of a setting."""
    bounds = described_range(item.metadata.get("bounds", {}))
    return f"{item.metadata.get('help', '')}{f' ({bounds})' if bounds else ''}"
