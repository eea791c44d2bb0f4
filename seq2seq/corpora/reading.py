"""The corpora that the settings name: files, data sets of the hub, or the built-in corpus."""

import logging
import shlex
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from seq2seq.corpora.builtin import BuiltinCorpus
from seq2seq.corpora.config import BuiltinConfig, DataConfig, FileFormat, FilesConfig, MoreConfig, Split, SplitConfig
from seq2seq.corpora.corpus import Corpus, FirstPairs
from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.corpora.files import TextFiles
from seq2seq.corpora.formats import column_names, open_pairs
from seq2seq.corpora.hub import STREAM_WARNING, HubData, HubSplit, HubStream
from seq2seq.corpora.mixture import MixedCorpus, TaggedCorpus, WeightedCorpus, without_tag
from seq2seq.corpora.rows import SAMPLE, table_sign
from seq2seq.corpora.splitting import SplitCorpus
from seq2seq.errors import ConfigError, DataError, program
from seq2seq.settings import override_value, walk

USED_WITHOUT_TEXT = {
    f"data.{name}" for name in ("source_language", "target_language", "source_tag", "cache", "workers")
}
"""Settings that also apply to the text of a run."""

log = logging.getLogger("seq2seq")


class Corpora(NamedTuple):
    """The corpora of a training run."""

    train: Corpus
    validation: Corpus
    test: Corpus | None


def read_corpora(config: DataConfig) -> Corpora:
    """All three splits, each as `read_split` finds it; only test may be missing. ``data.more`` joins train.

    If they are streams, a warning names the limitations.

    Raises:
        ConfigError: every weight is 0; or as `read_split`.
        DataError: as `read_split`.
    """
    train = read_split(config, Split.train) if config.weight else None
    validation, test = read_split(config, Split.validation), read_split(config, Split.test)
    if validation is None or (train is None and config.weight):
        raise ConfigError("training needs data.train and data.validation: name both")
    parts = [] if train is None else [WeightedCorpus(train, config.weight)]
    for number, more in enumerate(config.more):
        if more.weight:
            corpus = _more(config, more, f"data.more[{number}]")
            _refuse_tables(config, corpus, f"data.more[{number}]")
            parts.append(WeightedCorpus(corpus, more.weight))
    if config.hub.streaming and config.hub.name is not None and not (config.file or _splits_with_files(config)):
        log.warning(STREAM_WARNING, config.hub.name)
    if not parts:
        raise ConfigError("every corpus has weight 0, so there is no training text: raise data.weight")
    return Corpora(MixedCorpus(parts), validation, test)


def corpora_notes(corpora: Corpora) -> list[str]:
    """What the files say about how they are read, such as their columns; what several say, the first one says."""
    train = corpora.train.parts if isinstance(corpora.train, MixedCorpus) else [WeightedCorpus(corpora.train)]
    texts = [*(part.corpus for part in train), corpora.validation, corpora.test]
    notes: dict[str, str] = {}
    for text in texts:
        if text is not None and text.note:
            notes.setdefault(text.note.partition(": ")[2], text.note)
    return list(notes.values())


def check_files(files: FilesConfig, corpus: Corpus | None) -> None:
    """Read the files of a test set once, so that an error in them is found before training and not after it.

    Raises:
        DataError: a file is empty or cannot be read, or the numbers of lines differ.
    """
    if corpus is not None and files.names_text:
        for _ in corpus:
            pass


def named_corpora(config: DataConfig) -> dict[str, Corpus]:
    """Every corpus that the settings name, separately and without tags, for inspection.

    The keys are the splits, and ``more[0]``, ``more[1]``, …. If some splits name files, the other splits are left out.
    ``data.file`` is the corpus ``file``, unsplit.

    Raises:
        ConfigError, DataError: as `read_split`.
    """
    named = any(names_corpus(config, split) for split in Split) or not config.more
    splits = _splits_with_files(config) or (list(Split) if named and not config.file else [])
    corpora: dict[str, Corpus | None] = {"file": whole_file(config)} if config.file else {}
    corpora |= {str(split): _untagged(config, split) for split in splits}
    for number, more in enumerate(config.more):
        corpora[f"more[{number}]"] = _more(config, replace(more, source_tag=None), f"data.more[{number}]")
    return {name: corpus for name, corpus in corpora.items() if corpus is not None}


def names_corpus(config: DataConfig, split: Split) -> bool:
    """Whether the settings name text for a split: files, a hub data set, or a changed built-in corpus."""
    files = config.file is not None or config.splits[split].names_text
    return files or config.hub.name is not None or config.builtin != BuiltinConfig()


def check_named(given: DataConfig, split: Split) -> None:
    """Check that settings of text name the split that is read, if they are set at all; else the run's text is read.

    Raises:
        ConfigError: names a setting that would have no effect, such as a file of another split.
    """
    if names_corpus(given, split):
        return
    default = {name: value for name, _, value in walk(DataConfig(), "data")}
    for name, _, value in walk(given, "data"):
        if value != default[name] and name not in USED_WITHOUT_TEXT:
            raise ConfigError(
                f"{name}={override_value(value)} has no effect on the {split} set of the run: name text with "
                f"data.{split}.source=FILE data.{split}.target=FILE, choose another split=…, or leave {name} out"
            )


def text_for_run(given: DataConfig, run: DataConfig, split: Split) -> DataConfig:
    """The settings of the text for a run's model: the given ones if they name text for the split, else the run's.

    The model expects the run's ``source_tag``, so it is used unless another one is given; an empty tag removes it.
    """
    tag = run.source_tag if given.source_tag is None else given.source_tag
    return replace(given if names_corpus(given, split) else run, source_tag=tag or None)


def language_of_text(given: DataConfig, run: DataConfig) -> str:
    """Code of the target language: the given one unless it is the default, else the run's."""
    return run.target_language if given.target_language == DataConfig().target_language else given.target_language


def read_split(config: DataConfig, split: Split) -> Corpus | None:
    """The corpus of a split, without ``data.more``; None if there is no test split.

    Its part of ``data.file`` comes first, or files named for the split. If another split names files, the hub and the
    built-in corpus are ignored, so that a model is never trained on own files and scored on other text. Next is the hub
    data set, if one is named, and last the built-in corpus. With ``data.overfit`` every split is the beginning of the
    training split.

    Raises:
        ConfigError: train or validation has no files while another split has, a source file has no target file, a split
            names both a single file and separate ones, or a split and ``data.file`` name files.
        DataError: a file, the data set or a column is missing; or a file of sentences is a table.
    """
    split = split if config.overfit is None else Split.train
    corpus = _untagged(config, split)
    _refuse_tables(config, corpus, f"data.{split}")
    if corpus is not None and config.overfit is not None:
        corpus = FirstPairs(corpus, config.overfit)
    return TaggedCorpus(corpus, config.source_tag) if corpus is not None and config.source_tag else corpus


def _untagged(config: DataConfig, split: Split) -> Corpus | None:
    part = config.splits[split]
    if config.file is not None:
        return split_file(config).part(split)
    if part.names_text:
        return _files(config, part, f"data.{split}")
    if others := _splits_with_files(config):
        if split is Split.test:
            return None
        unsplit = f"; or, to have it split, {_one_file(config.train)}" if others == [Split.train] else ""
        raise ConfigError(
            f"data.{others[0]} names files but data.{split} does not: add data.{split}.source=FILE "
            f"data.{split}.target=FILE, or data.{split}.file=FILE{unsplit}"
        )
    if config.hub.name is not None:
        return _hub(config, config.hub.name, part, split)
    return BuiltinCorpus(config.builtin, split, config.workers)


def whole_file(config: DataConfig) -> Corpus:
    """The corpus in ``data.file``, unsplit.

    Raises:
        ConfigError: a split names files too.
        DataError: as `open_pairs`.
    """
    assert config.file is not None
    if others := _splits_with_files(config):
        raise ConfigError(f"data.file and data.{others[0]} both name text: leave one of them out")
    return open_pairs(config, Path(config.file).expanduser())


def split_file(config: DataConfig) -> SplitCorpus:
    """The three sets of ``data.file``.

    Raises:
        ConfigError, DataError: no file is named; as `open_pairs` and `Corpus.split`.
    """
    if config.file is None:
        how = "name it with data.file=FILE" if _splits_with_files(config) != [Split.train] else _one_file(config.train)
        raise ConfigError(f"no file to split: {how}")
    return SplitCorpus(whole_file(config), config.split, config.split_seed)


def _one_file(part: FilesConfig) -> str:
    """What to do to have the text of a set split."""
    if part.file is not None:
        return f"name data.file={part.file} instead"
    paths = " ".join(shlex.quote(path) for path in (part.source, part.target) if path is not None)
    return (
        f"join the two files with paste {paths} > pairs.tsv and name data.file=pairs.tsv; or put them into a .zip, "
        "with names that end in the codes of the languages, and name it as data.file"
    )


def _splits_with_files(config: DataConfig) -> list[Split]:
    return [split for split, part in config.splits.items() if part.names_text]


def _more(config: DataConfig, more: MoreConfig, name: str) -> Corpus:
    if not more.names_text:
        raise ConfigError(f"{name} names no text: add source and target, or file")
    corpus = _files(config, more, name)
    return TaggedCorpus(corpus, more.source_tag) if more.source_tag else corpus


def _files(config: DataConfig, part: FilesConfig, name: str) -> Corpus:
    """The corpus in the files of the setting ``name``."""
    if part.file is not None:
        if part.source is not None or part.target is not None:
            raise ConfigError(f"{name} names both file and source/target: keep one of them")
        source, target = part.source_column or config.source_column, part.target_column or config.target_column
        config = replace(config, source_column=source, target_column=target)
        return open_pairs(config, Path(part.file).expanduser(), f"{name}.file")
    if part.source is None or part.target is None:
        missing = "target" if part.target is None else "source"
        raise ConfigError(f"{name} names only one side: add {name}.{missing}=FILE")
    return _text_files(config, part, name)


def _text_files(config: DataConfig, part: FilesConfig, name: str) -> TextFiles:
    if config.format not in (None, FileFormat.lines):
        raise ConfigError(
            f"data.format={config.format} is for files with both sides, and {name} has one file per side: leave "
            "data.format out"
        )
    source, target = (CorpusFile(Path(side or "").expanduser(), config.encoding) for side in (part.source, part.target))
    return TextFiles(source, target)


def _refuse_tables(config: DataConfig, corpus: Corpus | None, name: str) -> None:
    """Check that files with a sentence per line are not tables.

    Raises:
        DataError: a file is one.
    """
    corpus = without_tag(corpus) if corpus is not None else None
    if not isinstance(corpus, TextFiles) or config.format is FileFormat.lines:
        return
    for file in corpus.files:
        if not file.is_regular:
            continue
        with closing(file.lines()) as lines:
            sign = table_sign(islice(lines, SAMPLE))
        if sign is not None:
            raise DataError(
                f"{file.path} is a table and not text ({sign}): if it has both sides, name it as {name}.file, or else "
                f"let {program('doctor')} remove the quotation marks with fix=true; data.format=lines reads it as it is"
            )


def _hub(config: DataConfig, name: str, part: SplitConfig, split: Split) -> Corpus | None:
    if part.hub_split is None:
        if split is Split.test:
            return None
        raise ConfigError(f"data.{split}.hub_split is not set: add data.{split}.hub_split=NAME")
    location = HubSplit(name, config.hub.subset, config.hub.revision, part.hub_split, f"data.{split}.hub_split")
    return (HubStream if config.hub.streaming else HubData)(location, *column_names(config))
