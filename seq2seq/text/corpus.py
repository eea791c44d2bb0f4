"""Where sentence pairs come from: the settings, and the one rule that chooses between files, hub and built-in."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Protocol

from seq2seq.errors import ConfigError
from seq2seq.settings import setting
from seq2seq.text.builtin import BuiltinConfig, builtin_corpus
from seq2seq.text.clean import FilterConfig
from seq2seq.text.columns import HubData, JsonLinesFile, ParquetFile
from seq2seq.text.files import TextFiles, TsvFile
from seq2seq.text.types import Pair


class Split(StrEnum):
    """A part of a corpus and what it is for: learning, choosing, scoring."""

    train = "train"
    validation = "validation"
    test = "test"


@dataclass(kw_only=True)
class SplitConfig:
    """Where one split is read from, where it is not the built-in corpus."""

    source: str | None = setting(None, "text file of source sentences, one a line; .gz accepted")
    target: str | None = setting(None, "text file of target sentences, one a line; .gz accepted")
    file: str | None = setting(None, "one file with both sides: .tsv, .jsonl, .parquet; .gz accepted for the first two")
    hub_split: str | None = setting(None, "name of the split in the hub data set; a slice such as train[:95%] works")


@dataclass(kw_only=True)
class HubConfig:
    """A data set of the Hugging Face hub, or a local folder in one of the hub's forms."""

    name: str | None = setting(None, "hub data set, such as bentrevett/multi30k, or a local folder")
    subset: str | None = setting(None, "the data set's subset (configuration), such as de-en for wmt/wmt14")
    revision: str | None = setting(None, "branch, tag or commit of the data set")


@dataclass(kw_only=True)
class DataConfig:
    """The parallel text of a run: languages, columns, the three splits and the filters."""

    source_language: str = setting("en", "language translated from")
    target_language: str = setting("de", "language translated to")
    source_column: str | None = setting(None, "column of source sentences: a name (default: the language); TSV: 1")
    target_column: str | None = setting(None, "column of target sentences: a name (default: the language); TSV: 2")
    train: SplitConfig = setting(factory=lambda: SplitConfig(hub_split="train"))
    validation: SplitConfig = setting(factory=lambda: SplitConfig(hub_split="validation"))
    test: SplitConfig = setting(factory=lambda: SplitConfig(hub_split="test"))
    hub: HubConfig = setting(factory=HubConfig)
    builtin: BuiltinConfig = setting(factory=BuiltinConfig)
    filters: FilterConfig = setting(factory=FilterConfig)


class Corpus(Protocol):
    """Sentence pairs that can be read again and again, a few at a time.

    ``name`` is for messages; ``fingerprint`` changes whenever the content or the way of reading it may have.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def fingerprint(self) -> str: ...  # noqa: D102

    def __iter__(self) -> Iterator[Pair]: ...


class PairList:
    """Pairs held in memory, for the built-in corpus and for tests."""

    def __init__(self, name: str, pairs: list[Pair]) -> None:
        self.name, self.pairs = name, pairs
        self.fingerprint = f"list {hashlib.sha256(repr(pairs).encode()).hexdigest()}"

    def __iter__(self) -> Iterator[Pair]:
        return iter(self.pairs)


class Corpora(NamedTuple):
    """What a training run reads."""

    train: Corpus
    validation: Corpus
    test: Corpus | None


def read_corpora(config: DataConfig) -> Corpora:
    """All three splits, found by the rule of `read`; only test may be missing.

    Raises:
        ConfigError, DataError: as `read` does.
    """
    train, validation, test = (read(config, split) for split in Split)
    if train is None or validation is None:
        raise ConfigError("a run needs data.train and data.validation; name both")
    return Corpora(train, validation, test)


def names_corpus(config: DataConfig, split: Split) -> bool:
    """True where the settings name text for a split: files, a hub data set, or another built-in corpus than usual."""
    return _names_files(_part(config, split)) or config.hub.name is not None or config.builtin != BuiltinConfig()


def read(config: DataConfig, split: Split) -> Corpus | None:
    """The pairs of a split, from where the settings say; None for a test split that is not there.

    Files named for the split win. If another split names files, the hub and the built-in corpus are out of
    play: nobody wants to train on own files and be judged on other text. Otherwise the hub data set, where one
    is named; otherwise the built-in corpus.

    Raises:
        ConfigError: train or validation has no files while another split has, a source file has no target
            file, or both ways of naming files are used for one split.
        DataError: a file, the data set or a column is not there.
    """
    part = _part(config, split)
    if _names_files(part):
        return _files(config, part, split)
    if others := [other for other in Split if _names_files(_part(config, other))]:
        if split is Split.test:
            return None
        raise ConfigError(
            f"data.{others[0]} names files but data.{split} does not; add "
            f"data.{split}.source=FILE data.{split}.target=FILE, or data.{split}.file=FILE"
        )
    if config.hub.name is not None:
        return _hub(config, config.hub.name, part, split)
    return PairList(f"built-in corpus ({split})", builtin_corpus(config.builtin, split))


def _part(config: DataConfig, split: Split) -> SplitConfig:
    return {Split.train: config.train, Split.validation: config.validation, Split.test: config.test}[split]


def _names_files(part: SplitConfig) -> bool:
    return any(name is not None for name in (part.source, part.target, part.file))


def _files(config: DataConfig, part: SplitConfig, split: Split) -> Corpus:
    if part.file is not None:
        if part.source is not None or part.target is not None:
            raise ConfigError(f"data.{split} names both file and source/target; keep one of the two ways")
        return _one_file(config, Path(part.file).expanduser(), split)
    if part.source is None or part.target is None:
        missing = "target" if part.target is None else "source"
        raise ConfigError(f"data.{split} names only one side; add data.{split}.{missing}=FILE")
    return TextFiles(Path(part.source).expanduser(), Path(part.target).expanduser())


def _one_file(config: DataConfig, path: Path, split: Split) -> Corpus:
    plain = path.name.removesuffix(".gz")
    if plain.endswith(".tsv"):
        return TsvFile(path, config.source_column or "1", config.target_column or "2")
    if plain.endswith(".jsonl"):
        return JsonLinesFile(path, *_column_names(config))
    if path.name.endswith(".parquet"):
        return ParquetFile(path, *_column_names(config))
    raise ConfigError(f"data.{split}.file must end in .tsv, .tsv.gz, .jsonl, .jsonl.gz or .parquet, got {path.name!r}")


def _hub(config: DataConfig, name: str, part: SplitConfig, split: Split) -> Corpus | None:
    if part.hub_split is None:
        if split is Split.test:
            return None
        raise ConfigError(f"data.{split}.hub_split is not set; add data.{split}.hub_split=NAME")
    hub, setting_name = config.hub, f"data.{split}.hub_split"
    return HubData(name, hub.subset, hub.revision, part.hub_split, *_column_names(config), setting_name)


def _column_names(config: DataConfig) -> tuple[str, str]:
    return config.source_column or config.source_language, config.target_column or config.target_language
