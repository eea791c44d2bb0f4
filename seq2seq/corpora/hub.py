"""Data sets of the Hugging Face hub: downloaded and memory-mapped, or streamed without a copy on disk."""

import contextlib
import logging
from collections.abc import Iterator
from functools import cached_property
from itertools import chain, count, islice
from pathlib import Path
from typing import Any, NamedTuple

from seq2seq.corpora.columns import ROWS, column_pairs, find_columns, short_reason
from seq2seq.corpora.corpus import Corpus, Pair, PairSample
from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.corpora.files import require_pairs
from seq2seq.errors import DataError, RunError

STREAM_WARNING = (
    "%s is read as a stream and no copy is kept: the vocabulary is trained on its first pairs only; encoding it again, "
    "or resuming the encoding, reads it from the start; a change is detected by its commit, not by its text"
)

log = logging.getLogger("seq2seq")


class HubSplit(NamedTuple):
    """One split of a data set."""

    name: str
    """Name of a data set, or a local folder that `datasets` can load. This and the next two as in `load_dataset`."""
    subset: str | None
    revision: str | None
    split: str
    """A slice such as ``train[:95%]`` is allowed unless the data set is streamed."""
    setting: str
    """The setting with the name of the split, for messages."""


class HubData(Corpus):
    """One split of a data set, downloaded once and memory-mapped.

    `datasets` detects a changed local folder by the modification times of its files.

    Raises:
        DataError: the data set, subset, split or a column is missing, or the hub is unreachable. While reading: a value
            is not text (rows are counted from 1), or there are no rows.
    """

    def __init__(self, location: HubSplit, source_column: str, target_column: str) -> None:
        self.name = f"{location.name} ({location.split})"
        with loading(location) as (datasets, path):
            self._data = datasets.load_dataset(path, location.subset, revision=location.revision, split=location.split)
        self.columns = find_columns(self._data.features.arrow_schema, source_column, target_column, self.name)

    @property
    def fingerprint(self) -> str:
        """The fingerprint of `datasets`, and which columns are read."""
        return f"hub {self._data._fingerprint} {self.columns}"

    def __iter__(self) -> Iterator[Pair]:
        return require_pairs(column_pairs(self.batches(), self.columns, self.name), self.name)

    def batches(self) -> Iterator[Any]:
        """The rows as Arrow tables with the columns that contain `columns`."""
        selected = self._data.select_columns(sorted({path[0] for path in self.columns})).with_format("arrow")
        yield from selected.iter(batch_size=ROWS)

    def expected_pairs(self) -> int | None:
        """Number of pairs."""
        return len(self._data)


class HubStream(Corpus):
    """One whole split of a data set, streamed from the hub without a copy.

    A run encodes it once; shuffling and resuming then work as with other corpora. `STREAM_WARNING` has the limitations.

    Raises:
        DataError: as `HubData`.
        RunError: while reading, after the first rows: the connection is lost, or a file is damaged.
    """

    def __init__(self, location: HubSplit, source_column: str, target_column: str) -> None:
        self.name = f"{location.name} ({location.split}, a stream)"
        self._column_names = source_column, target_column
        self._location = location
        with loading(location) as (datasets, path):
            self._builder = datasets.load_dataset_builder(path, location.subset, revision=location.revision)
            self._data = self._builder.as_streaming_dataset(split=location.split)

    @cached_property
    def fingerprint(self) -> str:
        """The files and their commit; for local files, their content."""
        return self._facts()

    def _facts(self) -> str:
        files = (self._builder.config.data_files or {}).get(self._location.split) or []
        if files and all(Path(name).is_file() for name in files):
            facts: object = type(self._builder).__name__, [CorpusFile(Path(name)).content for name in files]
        else:
            facts = self._builder.hash, files, getattr(files, "origin_metadata", None)
        return f"stream {self._location.subset} {self._location.split} {facts} {self._column_names}"

    def __iter__(self) -> Iterator[Pair]:
        return require_pairs(self._pairs(), self.name)

    def _pairs(self) -> Iterator[Pair]:
        batches = self._data.with_format("arrow").iter(batch_size=ROWS)
        with loading(self._location):
            first = next(batches, None)
        if first is not None:
            columns = find_columns(first.schema, *self._column_names, self.name)
            yield from column_pairs(chain([first], self._following(batches)), columns, self.name)
        if "fingerprint" in self.__dict__ and self.fingerprint != self._facts():
            raise DataError(f"{self.name} has changed while it was in use: start the same command again")

    def _following(self, batches: Iterator[Any]) -> Iterator[Any]:
        """All batches after the first. An interruption here keeps what has been encoded."""
        for number in count(1):
            try:
                with _quiet():
                    batch = next(batches, None)
            except Exception as error:  # many types, as in `loading`
                raise RunError(
                    f"{self.name} cannot be read beyond row {number * ROWS:,}: {short_reason(error)}; check the "
                    "connection, and start the same command again: what was encoded is kept"
                ) from None
            if batch is None:
                return
            yield batch

    def expected_pairs(self) -> int | None:
        """Number of pairs according to the data set's card; None if it has none."""
        info = (self._builder.info.splits or {}).get(self._location.split)
        return info.num_examples if info else None

    def vocabulary_sample(self, size: int) -> PairSample:
        """The first ``size`` pairs."""
        return PairSample(islice(self, size), size)


@contextlib.contextmanager
def loading(location: HubSplit) -> Iterator[tuple[Any, str]]:
    """The module `datasets`, without its output, and the data set's name or path.

    Raises:
        DataError: instead of any exception of `datasets`, with advice in one line.
    """
    import datasets  # takes a second to import

    local = Path(location.name).expanduser()
    try:
        with _quiet():
            yield datasets, str(local) if local.is_dir() else location.name
        return
    except DataError:
        raise
    except (datasets.exceptions.DatasetNotFoundError, FileNotFoundError, ConnectionError) as error:
        advice = "check data.hub.name and the connection, or name a file with data.file=FILE"
        message = short_reason(error)
    except Exception as error:  # readers and the network raise many types
        message = short_reason(error)
        lower = message.lower()
        advice = "check data.hub.name, data.hub.subset and data.hub.revision"
        if "bad split" in lower and "[" in location.split:
            advice = f"a stream has no slices: set {location.setting}=NAME, or data.hub.streaming=false"
        elif "split" in lower:
            slice_ = f"'{location.setting}=\"train[-1000:]\"'"
            none = f"{location.setting}=null goes without; or " if location.setting == "data.test.hub_split" else ""
            advice = f"{none}set {location.setting}=NAME, or a slice of another split such as {slice_}"
        elif "config" in lower:
            advice = "set data.hub.subset=NAME"
    raise DataError(f"data set {location.name!r} cannot be used: {message}; {advice}")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Disables the progress bars and messages of `datasets` and the hub client."""
    import datasets

    loggers = [logging.getLogger(name) for name in ("datasets", "huggingface_hub")]
    levels = [logger.level for logger in loggers]
    bars = datasets.utils.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if not bars:
            datasets.enable_progress_bars()
