"""Sentence pairs that a program passes to `seq2seq.train`: split, and kept in the run folder.

A run can then be resumed and evaluated without them.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.corpora.config import DataConfig, HubConfig, Split, SplitConfig
from seq2seq.corpora.corpus import Corpus, Pair
from seq2seq.errors import DataError, RunError, Seq2SeqError
from seq2seq.run.folder import CONFIG
from seq2seq.run.resume import PAIRS
from seq2seq.system.atomic import atomic_write
from seq2seq.system.processes import is_first

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


def saved_data(folder: Path, data: DataConfig) -> DataConfig:
    """The settings of data for pairs that `saved_pairs` keeps in a run folder."""
    train, validation, test = (SplitConfig(file=str(folder.absolute() / PAIRS / name)) for name in SPLITS.values())
    data = replace(data, source_column="source", target_column="target", hub=HubConfig())
    return replace(data, train=train, validation=validation, test=test)


@contextmanager
def saved_pairs(folder: Path, pairs: Corpus | None, seed: int) -> Iterator[None]:
    """Save pairs in a run folder; a user error while the run is set up removes them again.

    Raises:
        RunError: the folder has a run with other pairs.
    """
    if pairs is None or not is_first():
        yield
        return
    resumed = (folder / CONFIG).exists()
    for split, part in split_pairs(list(pairs), seed).items():
        path = folder / PAIRS / SPLITS[split]
        text = "".join(json.dumps({"source": pair.source, "target": pair.target}) + "\n" for pair in part)
        if resumed and not (path.is_file() and path.read_text("utf-8") == text):
            raise RunError(f"{folder} holds a run that was trained on other pairs: choose another folder")
        if not resumed:
            with atomic_write(path) as temporary:
                temporary.write_text(text, "utf-8")
    try:
        yield
    except Seq2SeqError:
        if not (folder / CONFIG).exists():
            for name in SPLITS.values():
                (folder / PAIRS / name).unlink(missing_ok=True)
            with suppress(OSError):
                (folder / PAIRS).rmdir()
        raise


def split_pairs(pairs: Sequence[Pair], seed: int) -> dict[Split, list[Pair]]:
    """Split pairs at random: 90 % train, 5 % validation, 5 % test, with 10 to 2,000 pairs for each of the latter two.

    Raises:
        DataError: there are fewer than three pairs.
    """
    if len(pairs) < 3:
        raise DataError(f"{len(pairs)} pairs cannot be split into train, validation and test: pass at least 3")
    held_out = max(1, min(max(len(pairs) // 20, 10), 2_000, len(pairs) // 5))
    order = np.random.default_rng(seed).permutation(len(pairs))
    parts = np.split(order, [held_out, 2 * held_out])
    return {
        split: [pairs[number] for number in sorted(part)]
        for split, part in zip((Split.validation, Split.test, Split.train), parts, strict=True)
    }
