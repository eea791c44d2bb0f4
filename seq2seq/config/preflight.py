"""Check a command without running it: its settings, and the files and runs that it reads."""

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from seq2seq.config.hydra import compose
from seq2seq.config.ignored_settings import refuse_ignored, refuse_ignored_data
from seq2seq.config.recipes import DoctorConfig, EvaluateConfig, SplitFileConfig, TrainConfig
from seq2seq.config.schemas import RECIPES
from seq2seq.corpora.archives import split_path
from seq2seq.corpora.monolingual import read_target_corpora
from seq2seq.corpora.reading import check_files, corpora_notes, named_corpora, read_corpora, split_file
from seq2seq.errors import ConfigError, DataError, RunError
from seq2seq.settings import walk
from seq2seq.system.hub import HubModel, is_hub, is_model_folder

FILES = {
    *(f"data.{split}.{side}" for split in ("train", "validation", "test") for side in ("source", "target", "file")),
    *("data.file", "tokenizer.source_model", "tokenizer.target_model", "embeddings.source", "embeddings.target"),
    *("contexts.input", "input", "hypotheses", "prefixes", "glossary", "score: source", "score: target", "systems"),
}
"""Settings that name files to read; after the name of a recipe where others mean something else."""

RUNS = {"run", "runs", "ensemble", "language_model", "training.start"}
"""Settings that name run folders to read; the run of train is a folder to write."""

MODELS_OR_FILES = {"systems", "tokenizer.source_model", "tokenizer.target_model"}
"""Settings that name files or run folders."""

NEITHER = {
    *("data.source_language", "data.target_language", "data.source_column", "data.target_column", "data.source_tag"),
    *("data.encoding", "encoding", "source_language", "target_language", "source_column", "target_column"),
    *(
        f"data.{split}.{name}"
        for split in ("train", "validation", "test")
        for name in ("hub_split", "source_column", "target_column")
    ),
    *("data.hub.name", "data.hub.subset", "data.hub.revision", "data.cache", "tokenizer.tags", "training.device"),
    *("training.smaller", "train: run", "device", "precision", "output", "tag", "prefix", "phrases", "text", "host"),
    *("suggest: source", "microscope: target", "contexts.sentences", "interpolation.sentences", "entry", "comet"),
    *("names", "licence", "repository", "training.time", "training.time_limit", "auto.yours"),
}
"""Other settings that are text."""


def check_command(name: str, arguments: Sequence[str]) -> list[str]:
    """Check a command: the names and values of settings, which must fit together and have an effect, files and runs.

    Returns:
        How the files of ``train`` are read, such as their columns, and what ``experiment=auto`` would choose, one line
        each; empty for other commands.

    Raises:
        ConfigError: there is no such recipe; a setting is unknown or invalid, or would have no effect.
        DataError: a file is missing or damaged.
        RunError: a run folder is missing.
    """
    if name not in RECIPES:
        raise ConfigError(f"there is no recipe {name}: choose one of {', '.join(RECIPES)}")
    if swept := [argument for argument in arguments if argument in ("-m", "--multirun")]:
        raise ConfigError(
            f"{swept[0]} starts a sweep, and check takes one job of it: leave {swept[0]} out and name one value of "
            f"each setting, such as seed=1"
        )
    if options := [argument for argument in arguments if argument.startswith("-")]:
        raise ConfigError(f"{options[0]} is an option, and only settings can be checked: leave it out")
    config = compose(name, arguments)
    _check_settings(config)
    for setting, path in _named(name, config, FILES):
        if path == "-":
            continue
        if setting in MODELS_OR_FILES and is_hub(path):
            HubModel.parse(path)
            continue
        if not (split_path(Path(path).expanduser())[0].exists() or glob.glob(path)):
            raise DataError(f"{setting}={path}: no such file")
    for setting, path in _named(name, config, RUNS):
        if is_hub(path):
            HubModel.parse(path)  # checks its form; nothing is downloaded
        elif not is_model_folder(Path(path).expanduser()):
            raise RunError(f"{setting}={path} is not a run folder (config.yaml is missing): train it first")
    notes: list[str] = []
    if isinstance(config, TrainConfig) and config.data.hub.name is None:
        corpora = (read_corpora if config.translates else read_target_corpora)(config.data)
        check_files(config.data.test, corpora.test)
        notes = corpora_notes(corpora)
    if isinstance(config, DoctorConfig):
        named_corpora(config.data)
    if isinstance(config, SplitFileConfig):
        split_file(config.data)
    return notes + (_choices(config) if isinstance(config, TrainConfig) and config.auto.choose else [])


def _choices(config: TrainConfig) -> list[str]:
    """What ``experiment=auto`` would choose; a data set of the hub is not read for it."""
    from seq2seq.auto.choice import lines_about  # imports PyTorch

    if config.data.hub.name is not None:
        return ["experiment=auto chooses settings when training begins: a data set of the hub is not read here"]
    return lines_about(config)


def _check_settings(config: Any) -> None:
    """Check settings against each other, as far as that needs no run."""
    if isinstance(config, TrainConfig):
        config.check()
        if not config.auto.choose and not (Path(config.run).expanduser() / "config.yaml").exists():  # older runs resume
            refuse_ignored(config)
    elif isinstance(config, DoctorConfig):
        refuse_ignored_data(config)
    elif isinstance(config, EvaluateConfig):
        config.check(language_model=False)
    elif hasattr(config, "check") and config.check.__func__.__code__.co_argcount == 1:
        config.check()


def _named(recipe: str, config: Any, names: set[str]) -> Iterator[tuple[str, str]]:
    """Every path in the settings of these names, with the setting."""
    for setting, _, value in walk(config):
        if setting == "data.more":
            parts = [
                (f"data.more[{number}].{side}", getattr(more, side))
                for number, more in enumerate(value)
                for side in ("source", "target", "file")
            ]
            yield from ((place, path) for place, path in parts if path is not None and names is FILES)
        elif f"{recipe}: {setting}" in names or (setting in names and f"{recipe}: {setting}" not in NEITHER):
            for path in value if isinstance(value, list) else [value]:
                if path is not None:
                    yield setting, path
