"""The run folder: config.yaml, tokenizer*.model, model.safetensors, and the files that training adds.

These three files are a model: copied elsewhere they still translate. Opening a run folder runs no code from it.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch
import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from seq2seq.config.renamed import rename_settings
from seq2seq.errors import ConfigError, RunError
from seq2seq.inference.config import ShortlistConfig
from seq2seq.inference.member import Member
from seq2seq.inference.shortlist import MAX_TRANSLATIONS, Shortlist
from seq2seq.model import ModelConfig, Network
from seq2seq.model.network import meta_network
from seq2seq.model.weights import dequantized, is_quantized, load_weights_of, read_metadata, set_weights
from seq2seq.portable.placeholders import SYMBOLS, Placeholders
from seq2seq.run.exported import EXPORTED_CONFIG, exported_settings
from seq2seq.run.metadata import check_metadata, model_metadata, tokenizer_hashes
from seq2seq.run.network import make_network
from seq2seq.search import SearchConfig
from seq2seq.settings import flat, validate
from seq2seq.system.atomic import atomic_folder, atomic_write
from seq2seq.system.hub import local_folder
from seq2seq.system.plain_yaml import LONGEST_CONFIG, load_plain
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.normalization import Normalization
from seq2seq.tokenizer.tokenizer import Tokenizers, load_tokenizers, save_tokenizers

CARD = "README.md"
CONFIG = "config.yaml"
MODEL = "model.safetensors"
SHORTLIST = "shortlist.safetensors"

PAIRS = "pairs"
"""The folder in a run folder with the sentence pairs that a Python program trained on."""

FROZEN = "frozen"
"""The section of config.yaml that lists frozen embedding tables: source, target. Missing if there are none."""

Section = TypeVar("Section")


@dataclass(frozen=True)
class LoadedRun:
    """A trained model in memory."""

    network: Network
    """In evaluation mode."""
    tokenizers: Tokenizers
    search: SearchConfig
    quantized: bool
    """Whether the folder stores 8-bit weight matrices."""
    target_language: str = ""
    """Language code of the output; empty if the folder does not name it."""
    name: str = "the model"
    """The run folder, for messages."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """The metadata of its weights, for those that are made from them."""
    source_language: str = ""
    """Language code of the input; empty if the folder does not name it."""
    placeholders: Placeholders | None = None
    """What translations copy from the source."""

    def member(self, device: torch.device, precision: str) -> Member:
        """The model prepared for search on a device: see `Member.prepare` for precisions and errors."""
        return Member.prepare(
            self.network,
            self.tokenizers,
            device,
            precision,
            quantized=self.quantized,
            name=self.name,
            source_language=self.source_language,
            target_language=self.target_language,
            placeholders=self.placeholders,
        )


def _with_own_pairs(folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Settings that name the pairs in this run folder where they name those in its former place."""
    data = settings.get("data")
    for part in data.values() if isinstance(data, dict) else ():
        file = part.get("file") if isinstance(part, dict) else None
        if isinstance(file, str) and os.path.basename(os.path.dirname(file)) == PAIRS:
            own = folder.absolute() / PAIRS / os.path.basename(file)
            if os.path.isfile(own):
                part["file"] = str(own)
    return settings


@cache
def _schema(section: type) -> Any:
    """A section with its defaults, as OmegaConf checks values; making it takes half the time of reading a section."""
    return OmegaConf.structured(section)


@dataclass(frozen=True)
class RunFolder:
    """A run folder whose config.yaml has been read."""

    path: Path
    text: str
    """The content of config.yaml."""
    settings: dict[str, Any]
    """The same content as plain values, under the present names of settings."""

    @classmethod
    def open(cls, path: str | Path) -> "RunFolder":
        """Read config.yaml of a run folder, or config.json of an exported one; ``hf://USER/NAME`` is downloaded.

        Raises:
            RunError: the folder has no config.yaml, or it is not a YAML mapping; or as `local_folder`.
            ConfigError: the argument is not a path.
        """
        if not isinstance(path, str | os.PathLike):
            raise ConfigError(f"a run folder is a path, got {type(path).__name__}: pass a string or a Path")
        folder = local_folder(path)
        file = folder / CONFIG
        if not os.path.isfile(file) and os.path.isfile(folder / EXPORTED_CONFIG):
            settings = exported_settings(folder)
            return cls(folder, yaml.safe_dump(settings, sort_keys=False), settings)
        if not os.path.isfile(file):  # `Path.is_file` raises an error for names that the system does not allow
            raise RunError(f"{folder} is not a run folder ({CONFIG} is missing): set run=PATH, or train a model first")
        try:
            if file.stat().st_size > LONGEST_CONFIG:
                raise ValueError(f"it has more than {LONGEST_CONFIG:,} bytes")
            text = file.read_text(encoding="utf-8")
            settings = load_plain(text)
        except (yaml.YAMLError, ValueError, RecursionError, OSError) as error:
            raise RunError(f"{file} is damaged ({' '.join(str(error).split())}): restore it or retrain") from None
        if not isinstance(settings, dict):
            raise RunError(f"{file} is damaged (no settings in it): restore it or retrain")
        return cls(folder, text, _with_own_pairs(folder, rename_settings(settings)))

    @property
    def flat_settings(self) -> dict[str, Any]:
        """All settings by dotted path."""
        return flat(self.settings)

    def section(self, name: str, schema: type[Section]) -> Section:
        """One section of the settings, such as ``model``, as an instance of its dataclass.

        Raises:
            RunError: the section is missing, has unknown fields or invalid values.
        """
        values = self.settings.get(name)
        try:
            if not isinstance(values, dict):
                raise ConfigError("it is missing" if values is None else "it is not a mapping")
            section = OmegaConf.to_object(OmegaConf.merge(_schema(schema), values))  # type: ignore[arg-type]  # a class is hashable
            assert isinstance(section, schema)
            validate(section)
        except (ConfigError, OmegaConfBaseException, ValueError, TypeError, OverflowError) as error:
            raise self._unusable(name, error) from None
        return section

    def _unusable(self, section: str, error: Exception) -> RunError:
        key = getattr(error, "full_key", None)
        reason = (f"{key}: " if key else "") + (str(error).splitlines() or [type(error).__name__])[0]
        return RunError(f"{self.path / CONFIG}: section {section} is not usable ({reason}): restore it or retrain")

    @cached_property
    def is_language_model(self) -> bool:
        """Whether the model has no encoder.

        Raises:
            RunError: the model settings are not usable.
        """
        return self.section("model", ModelConfig).is_language_model

    @property
    def source_language(self) -> str:
        """Language code of the input; empty if the settings do not name it."""
        return self._language("source_language")

    @property
    def target_language(self) -> str:
        """Language code of the output; empty if the settings do not name it."""
        return self._language("target_language")

    def _language(self, name: str) -> str:
        data = self.settings.get("data")
        language = data.get(name) if isinstance(data, dict) else None
        return language if isinstance(language, str) else ""

    @property
    def normalization(self) -> Normalization:
        """The Unicode form of the model's text; NFC if the settings do not name one, as in older versions.

        Raises:
            RunError: the settings are not usable.
        """
        tokenizer = self.settings.get("tokenizer")
        if not isinstance(tokenizer, dict) or "normalization" not in tokenizer:
            return Normalization.nfc
        return self.section("tokenizer", TokenizerConfig).normalization

    def tokenizers(self) -> Tokenizers:
        """The tokenizers of the run.

        Raises:
            RunError: the settings are not usable.
            DataError: a tokenizer model is missing or damaged.
        """
        return load_tokenizers(self.path, self.normalization)

    def placeholders(self, tokenizers: Tokenizers) -> Placeholders | None:
        """What was protected as a placeholder in training; None for nothing.

        Raises:
            RunError: the settings are not usable.
        """
        tokenizer = self.settings.get("tokenizer")
        if not isinstance(tokenizer, dict) or not tokenizer.get("placeholders"):
            return None
        return self.section("tokenizer", TokenizerConfig).protection(sorted(tokenizers.source.tags - {*SYMBOLS}))

    @property
    def frozen_tables(self) -> list[str]:
        """The embedding tables that are not trained: source, target, both or none.

        Raises:
            RunError: the list in config.yaml is not usable.
        """
        embeddings = self.settings.get("embeddings")
        sides = ("source", "target")
        if FROZEN in self.settings:
            named = self.settings[FROZEN]
            if not isinstance(named, list) or not {*map(str, named)} <= {*sides}:
                raise RunError(f"{self.path / CONFIG}: section {FROZEN} is not usable ({named}): restore it or retrain")
            return named
        if not isinstance(embeddings, dict) or not embeddings.get("freeze"):
            return []
        return [side for side in sides if embeddings.get(side) is not None]  # an older version wrote no list

    def load(self) -> LoadedRun:
        """The best model of the run.

        Raises:
            RunError: a file is missing, damaged or does not belong to the others.
            DataError: a tokenizer model is damaged.
        """
        model = self.section("model", ModelConfig)
        tokenizers = self.tokenizers()
        search = self.section("search", SearchConfig)
        sizes = tokenizers.source.size, tokenizers.target.size, tokenizers.joint
        try:
            shapes = meta_network(model, *sizes)  # needs no memory, whatever sizes config.yaml names
        except (ConfigError, RuntimeError) as error:  # contradictory settings, or sizes beyond all limits
            raise self._unusable("model", error) from None
        file, metadata = self.path / MODEL, self.metadata(tokenizers)
        self.check_file(file, metadata)
        weights = load_weights_of(shapes, file)
        network = make_network(model, tokenizers)
        set_weights(network, dequantized(weights, file), file)
        return LoadedRun(
            network.eval(),
            tokenizers,
            search,
            is_quantized(weights),
            target_language=self.target_language,
            name=str(self.path),
            source_language=self.source_language,
            placeholders=self.placeholders(tokenizers),
            metadata=metadata,
        )

    def metadata(self, tokenizers: Tokenizers) -> dict[str, str]:
        """The metadata of the run's weights: see `model_metadata`.

        Raises:
            RunError: the model settings are not usable.
        """
        return model_metadata(self.section("model", ModelConfig), self.flat_settings, tokenizers)

    def check_file(self, file: Path, metadata: Mapping[str, str]) -> None:
        """Check that a file of tensors was made with the tokenizers and settings of ``metadata``.

        Raises:
            RunError: it was not, is missing or damaged.
        """
        check_metadata(read_metadata(file), metadata, file, self.path)

    def load_shortlist(self, tokenizers: Tokenizers) -> Shortlist:
        """The lexical shortlist of the run.

        Raises:
            RunError: the file is missing, damaged or belongs to another run.
        """
        config = self.section("shortlist", ShortlistConfig) if "shortlist" in self.settings else None
        longest = MAX_TRANSLATIONS if config is None else max(MAX_TRANSLATIONS, config.translations)
        file = self.path / SHORTLIST
        shortlist = Shortlist.load(file, tokenizers.source.size, tokenizers.target.size, longest)
        self.check_file(file, tokenizer_hashes(tokenizers))
        return shortlist


def load_run(path: str | Path) -> LoadedRun:
    """Open a run folder and load its best model: see `RunFolder`."""
    return RunFolder.open(path).load()


@contextmanager
def new_model_folder(run: RunFolder, loaded: LoadedRun, output: Path) -> Iterator[Path]:
    """Make a folder with everything of a run's model except the weights, for the caller to add them.

    The folder appears as ``output`` when the context ends; an error leaves nothing. It holds only files that were
    parsed as parts of a model, never the target of a link in the run folder, because users share such folders.

    Args:
        run: the run folder.
        loaded: its model.
        output: the new folder.

    Raises:
        RunError: ``output`` exists or cannot be created, or the shortlist of the run is damaged.
    """
    if os.path.lexists(output):
        raise RunError(f"{output} already exists: choose another folder with output=PATH")
    with atomic_folder(output) as made:
        with atomic_write(made / CONFIG) as temporary:
            temporary.write_text(run.text, encoding="utf-8", newline="\n")
        save_tokenizers(loaded.tokenizers, made)
        if os.path.lexists(run.path / SHORTLIST):
            run.load_shortlist(loaded.tokenizers).save(made / SHORTLIST, tokenizer_hashes(loaded.tokenizers))
        yield made
