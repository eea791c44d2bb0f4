"""The settings of parallel text: where each split is read from, what is dropped, where it is kept once prepared."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from seq2seq.corpora.filters import FilterConfig
from seq2seq.errors import ConfigError
from seq2seq.settings import setting


class Split(StrEnum):
    """A part of a corpus and what it is for: learning, choosing, scoring."""

    train = "train"
    validation = "validation"
    test = "test"


@dataclass(kw_only=True)
class FilesConfig:
    """Parallel text in files: two aligned ones, or one with both sides."""

    source: str | None = setting(None, "text file of source sentences, one a line; .gz accepted")
    target: str | None = setting(None, "text file of target sentences, one a line; .gz accepted")
    file: str | None = setting(None, "one file with both sides: .tsv, .jsonl, .parquet; .gz accepted for the first two")


@dataclass(kw_only=True)
class SplitConfig(FilesConfig):
    """Where one split is read from, where it is not the built-in corpus."""

    hub_split: str | None = setting(None, "name of the split in the hub data set; a slice such as train[:95%] works")


@dataclass(kw_only=True)
class MoreConfig(FilesConfig):
    """One more corpus to train on."""

    weight: float = setting(1.0, "how often an epoch holds each of its pairs, on average", at_least=0)
    source_tag: str | None = setting(None, "first word of each of its sources, such as <2fr> or <bt>")


@dataclass(kw_only=True)
class HubConfig:
    """A data set of the Hugging Face hub, or a local folder in one of the hub's forms."""

    name: str | None = setting(None, "hub data set, such as bentrevett/multi30k, or a local folder")
    subset: str | None = setting(None, "the data set's subset (configuration), such as de-en for wmt/wmt14")
    revision: str | None = setting(None, "branch, tag or commit of the data set")
    streaming: bool = setting(
        False, "read it while encoding and keep no copy, where it does not fit the disk; splits have no slices then"
    )


@dataclass(kw_only=True)
class BuiltinConfig:
    """Sizes and seed of the built-in corpus."""

    train_size: int = setting(80_000, "sentence pairs to train on", at_least=1)
    validation_size: int = setting(500, "sentence pairs to validate on", at_least=1)
    test_size: int = setting(1_000, "sentence pairs to test on", at_least=1)
    seed: int = setting(1, "which sentences, and which combinations of words are held out")

    def size_of(self, split: str) -> int:
        """Number of pairs in a split.

        Raises:
            ConfigError: unknown split.
        """
        if split not in list(Split):
            raise ConfigError(f"the built-in corpus has no split {split!r}: set one of {', '.join(Split)}")
        return {Split.train: self.train_size, Split.validation: self.validation_size, Split.test: self.test_size}[
            Split(split)
        ]


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
    source_tag: str | None = setting(None, "first word of each source in all three splits, such as <2de>")
    weight: float = setting(1.0, "how often an epoch holds each training pair, on average; 0: only more's", at_least=0)
    more: list[MoreConfig] = setting(
        factory=list, help="further corpora to train on: [{source: FILE, target: FILE, weight: 1, source_tag: TAG}, …]"
    )
    hub: HubConfig = setting(factory=HubConfig)
    builtin: BuiltinConfig = setting(factory=BuiltinConfig)
    filters: FilterConfig = setting(factory=FilterConfig)
    cache: str | None = setting(
        None, "folder in which runs share encoded corpora and vocabularies; null: prepared, beside the run folder"
    )
    workers: int | None = setting(None, "processes that encode text; null: as many as there are cores", at_least=1)

    def cache_folder(self, run: Path) -> Path:
        """Where what is prepared for a run lies, for other runs to find it."""
        return run.parent / "prepared" if self.cache is None else Path(self.cache).expanduser()
