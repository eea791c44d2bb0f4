"""Make the choices of ``experiment=auto`` once, write them to auto.yaml of the run folder, and read them from there."""

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from seq2seq.auto.rules import YOURS, Choice, choose
from seq2seq.auto.statistics import Statistics, read_statistics
from seq2seq.config.automatic import AutoConfig
from seq2seq.config.ignored_settings import refuse_ignored
from seq2seq.config.recipes import TrainConfig
from seq2seq.corpora.corpus import Pair
from seq2seq.corpora.reading import read_corpora
from seq2seq.errors import ConfigError, RunError, Seq2SeqError
from seq2seq.run.folder import CONFIG
from seq2seq.run.resume import AUTO
from seq2seq.settings import flat, override_value, plain_value, validate, walk
from seq2seq.system.atomic import atomic_write, make_folder
from seq2seq.system.plain_yaml import load_plain
from seq2seq.system.processes import first_before_others, is_first
from seq2seq.tokenizer.normalization import normalize

log = logging.getLogger("seq2seq")

HEAD = """\
# Settings that experiment=auto chose. Edit them before training begins, or train with them in another folder:
# experiment=PATH/auto.yaml data.file=FILE run=FOLDER. Settings of your command line are not repeated here.
# {text}
"""

UNEDITED = "# Without edits, settings are chosen again until training begins. Checksum of the lines above: "
"""The last line of auto.yaml begins so."""

BASE = {
    "defaults": [
        *({"override /data": "files"}, {"override /tokenizer": "bpe"}, {"override /model": "attention"}),
        {"override /optimizer": "adam_fast"},
    ],
    "model": {"embedding_range": 0.3},
}
"""What conf/experiment/auto.yaml says besides, so that auto.yaml is a complete experiment."""


@contextmanager
def automatic_settings(config: TrainConfig, folder: Path) -> Iterator[TrainConfig]:
    """Yield complete settings: with ``experiment=auto`` those of auto.yaml, which is made if it is missing.

    Until a run has begun, an auto.yaml without edits is made again: it may be that of another command or another text,
    stopped early. In several processes the first chooses, and the others read. A user error in the context removes a
    new auto.yaml if no run has begun.

    Args:
        config: the settings of the command.
        folder: the run folder, locked.

    Raises:
        ConfigError: a choice does not agree with the user's settings.
        DataError: the training text cannot be read.
        RunError: the folder has a run that was not chosen so, or auto.yaml is damaged.
    """
    if not config.auto.choose:
        yield config
        return
    path, made = folder / AUTO, False
    try:
        with first_before_others():
            made = not path.exists() or (is_first() and not (folder / CONFIG).exists() and _is_unedited(path))
            if made:
                _make(config, path)
            chosen = _with_file(config, path)
            log.log(logging.INFO if not made else logging.DEBUG, "experiment=auto: settings of %s", path)
        chosen.check()
        if not (folder / CONFIG).exists():
            refuse_ignored(chosen)
        yield chosen
    except Seq2SeqError:
        if made and not (folder / CONFIG).exists():
            path.unlink(missing_ok=True)
        raise


def lines_about(config: TrainConfig) -> list[str]:
    """What `automatic_settings` would choose and why, one line each, without a run.

    Raises:
        ConfigError, DataError: as `automatic_settings`.
    """
    text, choices = _choose(config)
    chosen = completed(config, {choice.name: choice.value for choice in choices})
    chosen.check()
    refuse_ignored(chosen)
    return _described(text, choices)


def _make(config: TrainConfig, path: Path) -> None:
    """Choose settings, report them and write auto.yaml."""
    if (path.parent / CONFIG).exists():
        raise RunError(
            f"{path.parent} holds a run without {AUTO}: choose another folder with run=PATH, or repeat the settings "
            f"of that run with experiment={path.parent / CONFIG}"
        )
    text, choices = _choose(config)
    for line in _described(text, choices):
        log.info("%s", line)
    content = HEAD.format(text=text.in_words()) + as_yaml(choices)
    make_folder(path.parent)
    with atomic_write(path) as temporary:
        temporary.write_text(f"{content}{UNEDITED}{_checksum(content)}\n", encoding="utf-8")


def _is_unedited(path: Path) -> bool:
    """Whether auto.yaml is as `_make` wrote it."""
    try:
        content, _, checksum = path.read_text(encoding="utf-8").partition(UNEDITED)
    except (OSError, ValueError):  # reported where its settings are read
        return False
    return checksum == f"{_checksum(content)}\n"


def _checksum(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _choose(config: TrainConfig) -> tuple[Statistics, list[Choice]]:
    form = config.tokenizer.normalization
    train, validation, _ = read_corpora(config.data)
    for corpus in (train, validation):  # refuses text that can be read only once
        _ = corpus.fingerprint
    text = read_statistics(Pair(normalize(pair.source, form), normalize(pair.target, form)) for pair in train)
    return text, choose(text, {name: plain_value(value) for name, _, value in walk(config)}, config.auto.leaves)


def _described(text: Statistics, choices: Sequence[Choice]) -> list[str]:
    """A line for the text and one for each choice."""
    width = max(len(f"{choice.name}={override_value(choice.value)}") for choice in choices)
    settings = ((f"{choice.name}={override_value(choice.value)}", choice.reason) for choice in choices)
    return [f"experiment=auto: {text.in_words()}", *(f"  {setting:<{width}}  {why}" for setting, why in settings)]


def as_yaml(choices: Sequence[Choice]) -> str:
    """Choices as an experiment, each with its reason as a comment; the user's own settings are left out."""
    lines: list[str] = [yaml.safe_dump({"defaults": BASE["defaults"]}, sort_keys=False).rstrip()]
    own = [choice for choice in choices if choice.reason != YOURS]
    own += [Choice(name, value, "as in every run of experiment=auto") for name, value in flat(_settings(BASE)).items()]
    tree: dict[str, Any] = {}
    for choice in own:
        *sections, name = choice.name.split(".")
        place = tree
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = choice
    return "\n".join([*lines, *_lines(tree)]) + "\n"


def _lines(tree: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Nested choices as lines of YAML."""
    for name, value in tree.items():
        if isinstance(value, Choice):
            yield f"{indent}{name}: {override_value(value.value)}  # {value.reason}"
        else:
            yield f"{indent}{name}:"
            yield from _lines(value, f"{indent}  ")


def _settings(file: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in file.items() if name != "defaults"}


def decided_settings(folder: Path) -> list[str]:
    """The settings in auto.yaml of a run folder, by dotted path; none without the file."""
    try:
        file = load_plain((folder / AUTO).read_text(encoding="utf-8"))
        return list(flat(_settings(file)))
    except (OSError, ValueError, AttributeError, yaml.YAMLError):
        return []


def _with_file(config: TrainConfig, path: Path) -> TrainConfig:
    """The settings of the command, completed by those of auto.yaml that the user has not set on the command line."""
    try:
        file = load_plain(path.read_text(encoding="utf-8"))
        if not isinstance(file, dict):
            raise ValueError("it is not a mapping of settings")
        settings = flat(_settings(file))
        if any(map(config.auto.leaves, ("training.updates", "training.time"))):
            settings.pop("training.time_limit", None)  # a limit to the user's own number of updates, or own time
        chosen = completed(config, {name: value for name, value in settings.items() if not config.auto.leaves(name)})
    except (OSError, ValueError, yaml.YAMLError, OmegaConfBaseException, ConfigError) as error:
        reason = str(error).split("\n")[0]
        raise RunError(
            f"{path} cannot be used ({reason}): fix it, or delete it to have settings chosen again"
        ) from None
    if file.get("defaults") != BASE["defaults"]:
        raise RunError(f"{path} has other defaults, which experiment=auto does not read: use experiment={path} instead")
    return chosen


def completed(config: TrainConfig, settings: Mapping[str, Any]) -> TrainConfig:
    """The settings with these values by dotted path, of which nothing is left to choose.

    Raises:
        ConfigError, OmegaConfBaseException: a name is unknown or a value is invalid.
    """
    node = OmegaConf.structured(config)
    for name, value in settings.items():
        OmegaConf.update(node, name, value)
    chosen = OmegaConf.to_object(node)
    assert isinstance(chosen, TrainConfig)
    chosen = replace(chosen, auto=AutoConfig())
    validate(chosen)
    return chosen
