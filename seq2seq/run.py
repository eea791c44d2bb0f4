"""The run folder: config.yaml, tokenizer*.model, model.safetensors, and what training leaves beside them.

The first three are a model: copy them and they translate elsewhere. Opening one runs no code from it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from seq2seq.errors import RunError
from seq2seq.model import ModelConfig, Network
from seq2seq.search import SearchConfig
from seq2seq.settings import validate, walk
from seq2seq.text.corpus import Corpus
from seq2seq.text.tokenizer import TokenizerConfig, Tokenizers, build_tokenizers, load_tokenizers, save_tokenizers
from seq2seq.weights import load_weights, set_weights

CONFIG = "config.yaml"
MODEL = "model.safetensors"

# Settings that may change when a run goes on: how long it trains and what happens after training.
CHANGEABLE = ("run", "training.updates", "training.patience", "training.device", "search.")

Section = TypeVar("Section")


@dataclass(frozen=True)
class LoadedRun:
    """A trained model and what is needed to use it."""

    folder: Path
    network: Network
    tokenizers: Tokenizers
    search: SearchConfig


def open_run(folder: Path, config: Any) -> None:
    """Make a run folder for these settings, or go on in one that was made for the same.

    Raises:
        RunError: the folder belongs to a run with other settings, or to something else.
    """
    path = folder / CONFIG
    if path.exists():
        _hold_same(read_config(folder), config, path)
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(f"{folder} is not empty and no run folder: choose another with run=PATH")
    folder.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(CONFIG + ".tmp")
    temporary.write_text(OmegaConf.to_yaml(OmegaConf.structured(config)), encoding="utf-8")
    temporary.replace(path)


def _hold_same(saved: dict[str, Any], config: Any, path: Path) -> None:
    for name, _, value in walk(config):
        if name.startswith(CHANGEABLE):
            continue
        found = OmegaConf.select(OmegaConf.create(saved), name)
        if found != value:
            raise RunError(
                f"{path.parent} holds a run with {name}={found}, this command says {name}={value}: "
                f"choose another folder with run=PATH, or delete this one"
            )


def read_config(folder: Path) -> dict[str, Any]:
    """The settings a run was made with, as plain values.

    Raises:
        RunError: there is no run in the folder, or its config.yaml is no YAML mapping.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise RunError(f"{folder} is no run folder ({CONFIG} is missing): name one with run=PATH, or train one first")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RunError(f"{path} is damaged ({' '.join(str(error).split())}): restore it or train anew") from None
    if not isinstance(values, dict):
        raise RunError(f"{path} is damaged (no settings in it): restore it or train anew")
    return values


def read_section(folder: Path, name: str, schema: type[Section]) -> Section:
    """One section of a run's settings, checked against its schema.

    Raises:
        RunError: the section is missing, has unknown fields or impossible values.
    """
    try:
        merged = OmegaConf.merge(OmegaConf.structured(schema), read_config(folder)[name])
        section = OmegaConf.to_object(merged)
        validate(section)
    except (KeyError, OmegaConfBaseException, ValueError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RunError(f"{folder / CONFIG}: section {name} is not usable ({reason}): restore it or train anew") from None
    assert isinstance(section, schema)
    return section


def prepare_tokenizers(folder: Path, config: TokenizerConfig, corpus: Corpus) -> Tokenizers:
    """The run's tokenizers: those already in its folder, else trained on ``corpus`` (or loaded) and kept there."""
    if not any(folder.glob("tokenizer*.model")):
        save_tokenizers(build_tokenizers(config, corpus), folder)
    return load_tokenizers(folder)


def load_run(folder: Path) -> LoadedRun:
    """The best model of a run.

    Raises:
        RunError: a file is missing, damaged or does not belong to the others.
        DataError: a tokenizer model is damaged.
    """
    model = read_section(folder, "model", ModelConfig)
    tokenizers = load_tokenizers(folder)
    network = Network(model, tokenizers.source.size, tokenizers.target.size, tokenizers.joint)
    set_weights(network, load_weights(folder / MODEL), folder / MODEL)
    return LoadedRun(folder, network.eval(), tokenizers, read_section(folder, "search", SearchConfig))
