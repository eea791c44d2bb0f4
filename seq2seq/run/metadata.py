"""Metadata of weights: which tokenizers and settings they were trained with, languages, licence, version.

A tokenizer of the same size from another run would fit the weights, and the output would be garbage. So would a model
with another cell of the same size. Readers of weights compare, and refuse what does not belong together.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seq2seq import __version__
from seq2seq.errors import RunError
from seq2seq.model import ModelConfig
from seq2seq.settings import override_value, walk
from seq2seq.tokenizer.tokenizer import Tokenizers, tokenizer_files

SETTINGS = "settings"
"""The entry with the settings that change what the weights compute, as a JSON object by dotted path."""

TOKENIZER = "tokenizer."
"""Prefix of the entries with the SHA-256 of tokenizer files, in hexadecimal; the key is the name of the file."""

TRAINING_ONLY = {
    "dropout",
    "dropout_shared_over_time",
    "recurrent_dropout",
    "word_dropout",
    "initialization",
    "initial_range",
    "embedding_range",
    "forget_bias",
}
"""Model settings that matter in training only: models that differ in nothing else compute the same function."""

MEANINGFUL: dict[str, Any] = {"data.source_tag": None, "tokenizer.placeholders": [], "tokenizer.normalization": "nfc"}
"""Settings outside the model section that change what the source means to the model, and their defaults."""

FIXED_BEFORE = {"tokenizer.normalization": "nfc"}
"""Settings that older versions did not have, and the only value that their models can have."""

ABOUT = {
    "source_language": "data.source_language",
    "target_language": "data.target_language",
    "licence": "licence",
}
"""Entries for the reader, which nothing compares, and their settings."""


def architecture(model: ModelConfig) -> dict[str, Any]:
    """The settings of the function that a network computes, by dotted path below ``model``."""
    return {name: value for name, _, value in walk(model) if name not in TRAINING_ONLY}


def tokenizer_hashes(tokenizers: Tokenizers) -> dict[str, str]:
    """The SHA-256 of each tokenizer file, as ``sha256sum`` prints it, by the name of the file."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in tokenizer_files(tokenizers).items()}


def model_metadata(model: ModelConfig, settings: Mapping[str, Any], tokenizers: Tokenizers) -> dict[str, str]:
    """The metadata of the weights of a model.

    Args:
        model: settings of the network.
        settings: all settings of the run by dotted path; a missing one is left out.
        tokenizers: those of the run.
    """
    meaning = {f"model.{name}": value for name, value in architecture(model).items()}
    for name, default in MEANINGFUL.items():
        value = settings.get(name, default)
        meaning[name] = sorted(map(str, value)) if isinstance(value, list) else value
    about = {name: settings.get(path) for name, path in ABOUT.items() if model.encoder.layers or "source" not in name}
    return {
        "seq2seq": __version__,
        **{name: value for name, value in about.items() if isinstance(value, str)},
        SETTINGS: json.dumps(meaning, sort_keys=True),
        **tokenizer_hashes(tokenizers),
    }


def check_metadata(written: Mapping[str, str], expected: Mapping[str, str], file: Path, folder: Path) -> None:
    """Check that a file belongs to the tokenizers and the settings of its run folder.

    What the file does not name, as one of an older version, is not compared.

    Args:
        written: the metadata of the file.
        expected: that of the run folder.
        file: the file, for the message.
        folder: the run folder, for the message.

    Raises:
        RunError: a tokenizer or a setting is another one.
    """
    advice = "restore it, or copy the whole model folder again"
    names = sorted(name for name in {*written, *expected} if name.startswith(TOKENIZER))
    if any(name in written for name in names):
        for name in names:
            if written.get(name) != expected.get(name):
                raise RunError(f"{folder / name} is not the tokenizer that {file} was trained with: {advice}")
    trained, given = (_settings(metadata, file) for metadata in (written, expected))
    trained = trained and {**FIXED_BEFORE, **trained}
    for name in trained.keys() & given.keys():
        if trained[name] != given[name]:
            raise RunError(
                f"{folder / 'config.yaml'} has {name}={override_value(given[name])}, but {file} was trained with "
                f"{name}={override_value(trained[name])}: {advice}"
            )


def _settings(metadata: Mapping[str, str], file: Path) -> dict[str, Any]:
    try:
        settings = json.loads(metadata.get(SETTINGS, "{}"))
        if not isinstance(settings, dict):
            raise ValueError
    except (ValueError, RecursionError):
        raise RunError(f"{file} is damaged (its metadata has no settings): copy it again or retrain") from None
    return settings
