"""The corpora that the settings name: files, data sets of the hub, or the built-in corpus."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from seq2seq.corpora.builtin import BuiltinCorpus
from seq2seq.corpora.columns import JsonLinesFile, ParquetFile
from seq2seq.corpora.config import BuiltinConfig, DataConfig, FilesConfig, MoreConfig, Split, SplitConfig
from seq2seq.corpora.corpus import Corpus
from seq2seq.corpora.files import TextFiles, TsvFile
from seq2seq.corpora.hub import GIVEN_UP, HubData, HubSplit, HubStream
from seq2seq.corpora.mixture import MixedCorpus, TaggedCorpus, WeightedCorpus
from seq2seq.errors import ConfigError

log = logging.getLogger("seq2seq")


class Corpora(NamedTuple):
    """What a training run reads."""

    train: Corpus
    validation: Corpus
    test: Corpus | None


def read_corpora(config: DataConfig) -> Corpora:
    """All three splits, each as `read_split` finds it; only test may be missing. ``data.more`` joins train.

    If they are streams, a warning names the limitations.

    Raises:
        ConfigError: nothing is left to train on; or as `read_split` does.
        DataError: as `read_split` does.
    """
    train = read_split(config, Split.train) if config.weight else None
    validation, test = read_split(config, Split.validation), read_split(config, Split.test)
    if validation is None or (train is None and config.weight):
        raise ConfigError("a run needs data.train and data.validation; name both")
    parts = [] if train is None else [WeightedCorpus(train, config.weight)]
    for number, more in enumerate(config.more):
        if more.weight:
            parts.append(WeightedCorpus(_more(config, more, f"data.more[{number}]"), more.weight))
    if config.hub.streaming and config.hub.name is not None and not _splits_with_files(config):
        log.warning(GIVEN_UP, config.hub.name)
    if not parts:
        raise ConfigError("every corpus has weight 0, so there is nothing to train on: raise data.weight")
    return Corpora(MixedCorpus(parts), validation, test)


def named_corpora(config: DataConfig) -> dict[str, Corpus]:
    """Every corpus that the settings name, each by itself, without tags: to look at the text, not to learn from it.

    Its name is its split's, or ``more[0]``, ``more[1]``, …; where some splits name files, only those are there.

    Raises:
        ConfigError, DataError: as `read_split` does.
    """
    splits = _splits_with_files(config) or list(Split)
    corpora = {str(split): _untagged(config, split) for split in splits}
    for number, more in enumerate(config.more):
        corpora[f"more[{number}]"] = _more(config, replace(more, source_tag=None), f"data.more[{number}]")
    return {name: corpus for name, corpus in corpora.items() if corpus is not None}


def source_tags(config: DataConfig) -> list[str]:
    """Every word of every tag, as first named: what a tokenizer must keep in one piece."""
    named = (config.source_tag, *(more.source_tag for more in config.more))
    return list(dict.fromkeys(word for tag in named for word in (tag or "").split()))


def names_corpus(config: DataConfig, split: Split) -> bool:
    """Whether the settings name text for a split: files, a hub data set, or a changed built-in corpus."""
    return (
        _names_files(_split_config(config, split)) or config.hub.name is not None or config.builtin != BuiltinConfig()
    )


def text_for_run(asked: DataConfig, run: DataConfig, split: Split) -> DataConfig:
    """Where text for a run's model is found: as asked, if that names text for the split, else the run's own.

    The model has learnt to read its ``source_tag`` before each sentence of either, so it is the run's unless one is
    asked for; an empty one asks for none.
    """
    tag = run.source_tag if asked.source_tag is None else asked.source_tag
    return replace(asked if names_corpus(asked, split) else run, source_tag=tag or None)


def language_of_text(asked: DataConfig, run: DataConfig) -> str:
    """Code of the language that a run's model writes: the run's, unless another than the default is asked for."""
    return run.target_language if asked.target_language == DataConfig().target_language else asked.target_language


def read_split(config: DataConfig, split: Split) -> Corpus | None:
    """The pairs of a split, from where the settings say; None for a test split that is not there. Not ``data.more``.

    Files named for the split win. If another split names files, the hub and the built-in corpus are out of
    play: nobody wants to train on own files and be judged on other text. Otherwise the hub data set, where one
    is named; otherwise the built-in corpus.

    Raises:
        ConfigError: train or validation has no files while another split has, a source file has no target
            file, or both ways of naming files are used for one split.
        DataError: a file, the data set or a column is not there.
    """
    corpus = _untagged(config, split)
    return TaggedCorpus(corpus, config.source_tag) if corpus is not None and config.source_tag else corpus


def _untagged(config: DataConfig, split: Split) -> Corpus | None:
    part = _split_config(config, split)
    if _names_files(part):
        return _files(config, part, f"data.{split}")
    if others := _splits_with_files(config):
        if split is Split.test:
            return None
        raise ConfigError(
            f"data.{others[0]} names files but data.{split} does not; add "
            f"data.{split}.source=FILE data.{split}.target=FILE, or data.{split}.file=FILE"
        )
    if config.hub.name is not None:
        return _hub(config, config.hub.name, part, split)
    return BuiltinCorpus(config.builtin, split, config.workers)


def _split_config(config: DataConfig, split: Split) -> SplitConfig:
    return {Split.train: config.train, Split.validation: config.validation, Split.test: config.test}[split]


def _splits_with_files(config: DataConfig) -> list[Split]:
    return [split for split in Split if _names_files(_split_config(config, split))]


def _more(config: DataConfig, more: MoreConfig, name: str) -> Corpus:
    if not _names_files(more):
        raise ConfigError(f"{name} names no text: give it source and target, or file")
    corpus = _files(config, more, name)
    return TaggedCorpus(corpus, more.source_tag) if more.source_tag else corpus


def _names_files(part: FilesConfig) -> bool:
    return any(name is not None for name in (part.source, part.target, part.file))


def _files(config: DataConfig, part: FilesConfig, name: str) -> Corpus:
    """The corpus in the files of a setting called ``name``."""
    if part.file is not None:
        if part.source is not None or part.target is not None:
            raise ConfigError(f"{name} names both file and source/target; keep one of the two ways")
        return file_corpus(config, Path(part.file).expanduser(), f"{name}.file")
    if part.source is None or part.target is None:
        missing = "target" if part.target is None else "source"
        raise ConfigError(f"{name} names only one side; add {name}.{missing}=FILE")
    return TextFiles(Path(part.source).expanduser(), Path(part.target).expanduser())


def file_corpus(config: DataConfig, path: Path, setting: str = "path") -> Corpus:
    """The corpus in one file with both sides; the ending of its name chooses the reader.

    Args:
        config: names of languages and columns.
        path: the file.
        setting: what names the file, for messages.

    Raises:
        ConfigError: unknown ending, or a column of a TSV file that is not a number.
        DataError: the file is missing or damaged, or lacks a column.
    """
    plain = path.name.removesuffix(".gz")
    if plain.endswith(".tsv"):
        return TsvFile(path, config.source_column or "1", config.target_column or "2")
    if plain.endswith(".jsonl"):
        return JsonLinesFile(path, *_column_names(config))
    if path.name.endswith(".parquet"):
        return ParquetFile(path, *_column_names(config))
    raise ConfigError(f"{setting} must end in .tsv, .tsv.gz, .jsonl, .jsonl.gz or .parquet, got {path.name!r}")


def _hub(config: DataConfig, name: str, part: SplitConfig, split: Split) -> Corpus | None:
    if part.hub_split is None:
        if split is Split.test:
            return None
        raise ConfigError(f"data.{split}.hub_split is not set; add data.{split}.hub_split=NAME")
    place = HubSplit(name, config.hub.subset, config.hub.revision, part.hub_split, f"data.{split}.hub_split")
    return (HubStream if config.hub.streaming else HubData)(place, *_column_names(config))


def _column_names(config: DataConfig) -> tuple[str, str]:
    return config.source_column or config.source_language, config.target_column or config.target_language
