"""Sentence pairs from a Python program or from data.file: split, and kept in the run folder.

A run can then be resumed and evaluated without them, and its test set stays the same if the file changes.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from seq2seq.corpora.config import DataConfig, HubConfig, Split, SplitConfig
from seq2seq.corpora.corpus import Corpus, Pair, PairList
from seq2seq.corpora.splitting import SplitCorpus, check_sizes, size_of
from seq2seq.errors import ConfigError, DataError, RunError, Seq2SeqError
from seq2seq.run.folder import CONFIG, PAIRS
from seq2seq.run.resume import SPLIT
from seq2seq.system.atomic import atomic_write
from seq2seq.system.processes import barrier, is_first

log = logging.getLogger("seq2seq")

Pairs = Corpus | Iterable[Iterable[str] | Mapping[str, Any]]
"""A corpus, or rows: (source, target), or mappings with two columns as in data sets of the Hugging Face hub."""

SPLITS = {split: f"{split}.jsonl" for split in Split}
"""The file of each split, below PAIRS in the run folder."""


def as_corpus(pairs: Pairs, data: DataConfig) -> Corpus:
    """The pairs as a corpus; ``data`` names the columns of mappings.

    Raises:
        DataError: the argument is not a list of pairs, or a row is not a pair.
    """
    if isinstance(pairs, Corpus):
        return pairs
    if not isinstance(pairs, Iterable) or isinstance(pairs, str | bytes | Mapping):
        raise DataError(f"{type(pairs).__name__} is not a list of pairs: pass rows of (source, target)")
    return Corpus.from_pairs("pairs", (_row(row, data) for row in pairs))


def as_pairs(pairs: SplitCorpus | Pairs, data: DataConfig) -> SplitCorpus | Corpus:
    """Pairs to train on: a split as it is, anything else as by `as_corpus`.

    Raises:
        ConfigError: ``data`` names a file, or says how to split pairs that are split.
        DataError: as `as_corpus`.
    """
    if data.file is not None:
        raise ConfigError(f"data.file={data.file} and the pairs both name text: leave one of them out")
    if not isinstance(pairs, SplitCorpus):
        return as_corpus(pairs, data)
    if (data.split, data.split_seed) != (DataConfig().split, DataConfig().split_seed):
        raise ConfigError("the corpus is split already: leave data.split and data.split_seed out")
    return pairs


def _row(row: Iterable[str] | Mapping[str, Any], data: DataConfig) -> Iterable[str]:
    """A mapping becomes (source, target): by the names of columns or languages, else in order if there are two."""
    if not isinstance(row, Mapping):
        return row
    row = row.get("translation", row)
    if isinstance(row, Mapping):
        for columns in (data.source_column, data.target_column), (data.source_language, data.target_language):
            if {*columns} <= row.keys():
                return [row[str(column)] for column in columns]
    return [*row.values()] if isinstance(row, Mapping) and len(row) == 2 else row


def saved_data(folder: Path, pairs: SplitCorpus | Corpus, data: DataConfig) -> DataConfig:
    """The settings of data for pairs that `saved_pairs` keeps in a run folder; split.json says how they are split."""
    sizes = pairs.sizes if isinstance(pairs, SplitCorpus) else data.split
    check_sizes(sizes)
    train, validation, test = (
        SplitConfig(file=str(folder.absolute() / PAIRS / name) if size_of(split, sizes) > 0 else None)
        for split, name in SPLITS.items()
    )
    if any(more.file is not None for more in data.more):  # data.source_column and data.target_column are theirs
        train, validation, test = (
            split if split.file is None else replace(split, source_column="source", target_column="target")
            for split in (train, validation, test)
        )
    else:
        data = replace(data, source_column="source", target_column="target")
    data = replace(data, hub=HubConfig(), format=None)
    data = replace(data, encoding=data.encoding if data.more else None)  # the files are ASCII
    data = replace(data, file=None, split=None, split_seed=DataConfig().split_seed)
    return replace(data, train=train, validation=validation, test=test)


@contextmanager
def saved_pairs(folder: Path, pairs: Corpus | SplitCorpus | None, data: DataConfig) -> Iterator[None]:
    """Split pairs and save them in a run folder; a user error while the run is set up removes them again.

    Args:
        folder: the run folder. If it has a run, its pairs stay as they are.
        pairs: all pairs, or pairs that are already split; None: there is nothing to do.
        data: says how to split pairs.

    Raises:
        DataError: the pairs cannot be split.
        RunError: the folder has a run with other pairs, or split otherwise.
    """
    if pairs is None:
        yield
        return
    if not is_first():
        barrier()
        yield
        return
    corpus, sizes, seed = (
        (pairs.corpus, pairs.sizes, pairs.seed)
        if isinstance(pairs, SplitCorpus)
        else (pairs, data.split, data.split_seed)
    )
    _ = corpus.fingerprint  # a file that changes after this point is refused
    held = corpus if isinstance(corpus, PairList) else PairList(corpus.name, corpus)
    record = {"pairs": held.fingerprint, "sizes": sizes, "seed": seed}
    if (folder / CONFIG).exists():
        if (folder / SPLIT).exists():
            _check_same_split(folder, record)
        else:
            _check_same_pairs(folder, held)
    else:
        split = pairs if isinstance(pairs, SplitCorpus) else SplitCorpus(corpus, sizes, seed)
        for part, name in SPLITS.items():
            _write_pairs(folder / PAIRS / name, split.part(part) or ())
        _save_split(folder, split, record)
    barrier()  # the other processes read the files
    try:
        yield
    except Seq2SeqError:
        if not (folder / CONFIG).exists():
            for path in (folder / SPLIT, *(folder / PAIRS / name for name in SPLITS.values())):
                path.unlink(missing_ok=True)
            with suppress(OSError):
                (folder / PAIRS).rmdir()
        raise


def _write_pairs(path: Path, pairs: Iterable[Pair]) -> None:
    """Write pairs as JSON lines."""
    with atomic_write(path) as temporary:
        rows = ({"source": pair.source, "target": pair.target} for pair in pairs)
        temporary.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")


def _save_split(folder: Path, split: SplitCorpus, record: dict[str, Any]) -> None:
    for line in str(split).splitlines():
        log.info("%s", line)
    with atomic_write(folder / SPLIT) as temporary:
        temporary.write_text(json.dumps({**record, "report": split.report.as_dict()}, indent=2) + "\n", "utf-8")


def _check_same_split(folder: Path, record: dict[str, Any]) -> None:
    """Refuse a run with another split; the report is not compared."""
    try:
        saved = json.loads((folder / SPLIT).read_text("utf-8"))
        same = {name: saved[name] for name in record} == record
    except (OSError, ValueError, KeyError, TypeError):
        raise RunError(f"{folder / SPLIT} is damaged: choose another folder") from None
    if not same:
        raise _other_pairs(folder)


def _check_same_pairs(folder: Path, pairs: PairList) -> None:
    """Refuse a run that was trained on other pairs; it was made before split.json, and its sets stay as they are."""
    saved: list[Pair] = []
    for name in SPLITS.values():
        with suppress(OSError, ValueError, TypeError, KeyError):
            rows = map(json.loads, (folder / PAIRS / name).read_text("utf-8").splitlines())
            saved += [Pair(row["source"], row["target"]) for row in rows]
    if sorted(saved) != sorted(pairs):
        raise _other_pairs(folder)


def _other_pairs(folder: Path) -> RunError:
    return RunError(f"{folder} holds a run that was trained on other pairs: choose another folder")
