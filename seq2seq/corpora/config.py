"""The settings of a run's corpora: sources of the three splits, filters, mixture, cache."""

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from seq2seq.corpora.filters import FilterConfig
from seq2seq.errors import ConfigError
from seq2seq.settings import setting


class Split(StrEnum):
    """A part of a corpus: for training, for selecting the model, for the final score."""

    train = "train"
    validation = "validation"
    test = "test"


class FileFormat(StrEnum):
    """Formats of text; without one, the content of a file decides."""

    lines = "lines"
    """Source and target files have one sentence per line, whatever it looks like."""
    table = "table"
    """CSV, or cells separated by tabs, semicolons or bars; with a header or without."""
    tsv = "tsv"
    """Cells separated by tabs, in which quotation marks are text; without a header."""
    jsonl = "jsonl"
    """One JSON object per line."""
    json = "json"
    """A JSON array of objects or of pairs."""
    parquet = "parquet"
    xlsx = "xlsx"
    tmx = "tmx"
    xliff = "xliff"
    po = "po"


@dataclass(kw_only=True)
class FilesConfig:
    """Parallel text in files: two aligned ones, or one with both sides."""

    source: str | None = setting(None, "text file of source sentences, one per line")
    target: str | None = setting(None, "text file of target sentences, one per line")
    file: str | None = setting(None, "one file with both sides; its content decides how it is read: see data.format")
    source_column: str | None = setting(None, "column of source sentences in file; null: data.source_column")
    target_column: str | None = setting(None, "column of target sentences in file; null: data.target_column")

    @property
    def names_text(self) -> bool:
        """Whether any file is set."""
        return any(name is not None for name in (self.source, self.target, self.file))


@dataclass(kw_only=True)
class SplitConfig(FilesConfig):
    """The source of one split."""

    hub_split: str | None = setting(None, "name of the split in the hub data set, or a slice such as train[:95%]")


@dataclass(kw_only=True)
class MoreConfig(FilesConfig):
    """An additional training corpus."""

    weight: float = setting(1.0, "average repetitions per pair per epoch", at_least=0)
    source_tag: str | None = setting(None, "first word of each source sentence, such as <2fr> or <bt>")


@dataclass(kw_only=True)
class HubConfig:
    """A data set of the Hugging Face hub, or a local folder with the same layout."""

    name: str | None = setting(None, "hub data set, such as bentrevett/multi30k, or a local folder")
    subset: str | None = setting(None, "subset (configuration) of the data set, such as de-en for wmt/wmt14")
    revision: str | None = setting(None, "branch, tag or commit of the data set")
    streaming: bool = setting(
        False,
        "read the data set while encoding and keep no copy, if the disk is too small; slices of splits do not work",
    )


@dataclass(kw_only=True)
class BuiltinConfig:
    """Sizes and seed of the built-in corpus."""

    train_size: int = setting(80_000, "sentence pairs to train on", at_least=1)
    validation_size: int = setting(500, "sentence pairs to validate on", at_least=1)
    test_size: int = setting(1_000, "sentence pairs to test on", at_least=1)
    seed: int = setting(1, "seed of the sentences, and of the word combinations that are held out")

    def size_of(self, split: str) -> int:
        """Number of pairs in a split.

        Raises:
            ConfigError: unknown split.
        """
        if split not in list(Split):
            raise ConfigError(f"the built-in corpus has no split {split!r}: set one of {', '.join(Split)}")
        size: int = getattr(self, f"{split}_size")
        return size


@dataclass(kw_only=True)
class DataConfig:
    """The corpora of a run: languages, columns, the three splits and the filters."""

    source_language: str = setting("en", "language translated from")
    target_language: str = setting("de", "language translated to")
    source_column: str | None = setting(
        None,
        "column of source sentences, by name or number; null: the language's, the header's, or the first with text",
    )
    target_column: str | None = setting(
        None,
        "column of target sentences, by name or number; null: the language's, the header's, or the second with text",
    )
    file: str | None = setting(
        None, "one file with all pairs, which is split; its content decides how it is read: see data.format"
    )
    split: list[float] | None = setting(
        None,
        "sizes of the sets of data.file: percentages of train, validation and test such as [90,5,5], or counts of "
        "validation and test pairs; null: 5 % each for validation and test, 10 to 2,000 pairs",
    )
    split_seed: int = setting(1, "seed of the split of data.file", at_least=0)
    format: FileFormat | None = setting(
        None,
        "format of the files if their content does not show it: lines, table, tsv, jsonl, json, parquet, xlsx, tmx, "
        "xliff or po",
    )
    encoding: str | None = setting(
        None, "encoding of the files that are not UTF-8, such as cp1252, cp1251, utf-16 or shift_jis; null: UTF-8"
    )
    train: SplitConfig = setting(factory=lambda: SplitConfig(hub_split="train"))
    validation: SplitConfig = setting(factory=lambda: SplitConfig(hub_split="validation"))
    test: SplitConfig = setting(factory=lambda: SplitConfig(hub_split="test"))
    source_tag: str | None = setting(None, "first word of each source sentence in all three splits, such as <2de>")
    weight: float = setting(1.0, "average repetitions per pair per epoch; 0 uses only data.more", at_least=0)
    more: list[MoreConfig] = setting(
        factory=list, help="additional training corpora: [{source: FILE, target: FILE, weight: 1, source_tag: TAG}, …]"
    )
    overfit: int | None = setting(
        None, "train, validate and test on only this many first training pairs; null: all pairs", at_least=1
    )
    hub: HubConfig = setting(factory=HubConfig)
    builtin: BuiltinConfig = setting(factory=BuiltinConfig)
    filters: FilterConfig = setting(factory=FilterConfig)
    cache: str | None = setting(
        None, "folder of encoded corpora and vocabularies that runs share; null: prepared, beside the run folder"
    )
    workers: int | None = setting(None, "processes that encode text; null: one per core", at_least=1)

    @property
    def splits(self) -> dict[Split, SplitConfig]:
        """The settings of each split."""
        return {Split.train: self.train, Split.validation: self.validation, Split.test: self.test}

    def cache_folder(self, run: Path) -> Path:
        """The folder of encoded corpora and vocabularies for a run folder."""
        return run.parent / "prepared" if self.cache is None else Path(self.cache).expanduser()


def source_tags(config: DataConfig) -> list[str]:
    """Every word of every source tag, without repetitions: tokens that must not be split."""
    tags = (config.source_tag, *(more.source_tag for more in config.more))
    return list(dict.fromkeys(word for tag in tags for word in (tag or "").split()))


Files = TypeVar("Files", bound=FilesConfig)


def without_source(config: DataConfig) -> DataConfig:
    """The settings with the target's file and column for both sides, and without tags; data.file keeps both sides."""
    whole = config.file is not None
    return replace(
        config,
        source_language=config.source_language if whole else config.target_language,
        source_column=config.source_column if whole else config.target_column,
        source_tag=None,
        train=_target_for_both(config.train),
        validation=_target_for_both(config.validation),
        test=_target_for_both(config.test),
        more=[replace(part, source_tag=None) for part in map(_target_for_both, config.more)],
    )


def _target_for_both(files: Files) -> Files:
    """The target file and column for both sides; without such a file, `read_split` checks what is named."""
    files = replace(files, source_column=files.target_column)
    return files if files.target is None else replace(files, source=files.target)
