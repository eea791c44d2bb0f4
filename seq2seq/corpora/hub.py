"""Data sets of the Hugging Face hub: downloaded and memory-mapped, or read as a stream where no disk holds them."""

import contextlib
import logging
from collections.abc import Iterator
from functools import cached_property
from itertools import chain, count, islice
from pathlib import Path
from typing import Any, NamedTuple

from seq2seq.corpora.columns import ROWS, column_pairs, find_columns, one_line
from seq2seq.corpora.corpus import Corpus, Pair, PairSample
from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.corpora.files import some
from seq2seq.errors import DataError, RunError

GIVEN_UP = (
    "%s is read as a stream and no copy is kept: its vocabulary is learnt from the beginning, not from all of it; "
    "whoever encodes it anew, or goes on with that, reads it anew; a change is noticed by its commit, not by its text"
)
"""What a run says first."""

log = logging.getLogger("seq2seq")


class HubSplit(NamedTuple):
    """Which text of which data set."""

    name: str
    """Of a data set, or of a local folder that `datasets` can load; this and the next two as `load_dataset` does."""
    subset: str | None
    revision: str | None
    split: str
    """A slice such as ``train[:95%]`` is allowed where the data set is no stream."""
    setting: str
    """The name of the setting that holds ``split``, for messages."""


class HubData(Corpus):
    """One split of a data set, downloaded once and memory-mapped.

    That a local folder has changed is for `datasets` to notice: it goes by the age of the files.

    Raises:
        DataError: the data set, subset, split or a column is not there, or the hub cannot be reached; while
            reading, a value that is no text (with its row, from 1), or no rows at all.
    """

    def __init__(self, place: HubSplit, source_column: str, target_column: str) -> None:
        self.name = f"{place.name} ({place.split})"
        with loading(place) as (datasets, path):
            self._data = datasets.load_dataset(path, place.subset, revision=place.revision, split=place.split)
        self.columns = find_columns(self._data.features.arrow_schema, source_column, target_column, self.name)

    @property
    def fingerprint(self) -> str:
        """That of `datasets`, and which columns are read."""
        return f"hub {self._data._fingerprint} {self.columns}"

    def __iter__(self) -> Iterator[Pair]:
        return some(column_pairs(self.batches(), self.columns, self.name), self.name)

    def batches(self) -> Iterator[Any]:
        """The rows as Arrow tables with the columns that `columns` lie in."""
        wanted = self._data.select_columns(sorted({path[0] for path in self.columns})).with_format("arrow")
        yield from wanted.iter(batch_size=ROWS)

    def expected_pairs(self) -> int | None:
        """How many pairs there are."""
        return len(self._data)


class HubStream(Corpus):
    """One whole split of a data set, read from the hub as it is needed; nothing of it is kept.

    A run encodes it once, and then has all that it has of other corpora: exact global shuffles, an exact place to go on
    at. What is given up is in `GIVEN_UP`.

    Raises:
        DataError: as `HubData` does.
        RunError: while reading, once it has begun: the connection is lost, or a file is damaged.
    """

    def __init__(self, place: HubSplit, source_column: str, target_column: str) -> None:
        self.name = f"{place.name} ({place.split}, a stream)"
        self.wanted = source_column, target_column
        self._place = place
        with loading(place) as (datasets, path):
            self._builder = datasets.load_dataset_builder(path, place.subset, revision=place.revision)
            self._data = self._builder.as_streaming_dataset(split=place.split)

    @cached_property
    def fingerprint(self) -> str:
        """Which files of which commit are read; of local ones, what is in them."""
        return self._facts()

    def _facts(self) -> str:
        files = (self._builder.config.data_files or {}).get(self._place.split) or []
        if files and all(Path(name).is_file() for name in files):
            facts: object = type(self._builder).__name__, [CorpusFile(Path(name)).content for name in files]
        else:
            facts = self._builder.hash, files, getattr(files, "origin_metadata", None)
        return f"stream {self._place.subset} {self._place.split} {facts} {self.wanted}"

    def __iter__(self) -> Iterator[Pair]:
        return some(self._pairs(), self.name)

    def _pairs(self) -> Iterator[Pair]:
        batches = self._data.with_format("arrow").iter(batch_size=ROWS)
        with loading(self._place):
            first = next(batches, None)
        if first is not None:
            columns = find_columns(first.schema, *self.wanted, self.name)
            yield from column_pairs(chain([first], self._following(batches)), columns, self.name)
        if "fingerprint" in self.__dict__ and self.fingerprint != self._facts():
            raise DataError(f"{self.name} has changed while it was in use: start the same command again")

    def _following(self, batches: Iterator[Any]) -> Iterator[Any]:
        """All batches after the first: what has been encoded of it is kept, whatever becomes of the connection."""
        for number in count(1):
            try:
                with _quiet():
                    batch = next(batches, None)
            except Exception as error:  # as in `loading`
                raise RunError(
                    f"{self.name} cannot be read beyond row {number * ROWS:,}: {one_line(error)}; check the "
                    "connection, and give the same command again: what was encoded is kept"
                ) from None
            if batch is None:
                return
            yield batch

    def expected_pairs(self) -> int | None:
        """How many pairs the data set's card promises, if it does."""
        promised = (self._builder.info.splits or {}).get(self._place.split)
        return promised.num_examples if promised else None

    def vocabulary_sample(self, size: int) -> PairSample:
        """The first ``size`` pairs."""
        return PairSample(islice(self, size), size)


@contextlib.contextmanager
def loading(place: HubSplit) -> Iterator[tuple[Any, str]]:
    """The module `datasets`, kept quiet, and the data set's name or path for it.

    Raises:
        DataError: in place of the many errors that it raises, in a line that says what to try.
    """
    import datasets  # takes a second, and only these corpora need it

    local = Path(place.name).expanduser()
    try:
        with _quiet():
            yield datasets, str(local) if local.is_dir() else place.name
        return
    except DataError:
        raise
    except (datasets.exceptions.DatasetNotFoundError, FileNotFoundError, ConnectionError) as error:
        advice = "check data.hub.name and the connection, or name files: data.train.source=FILE data.train.target=FILE"
        message = one_line(error)
    except Exception as error:  # it raises whatever its readers and the network raise
        message = one_line(error)
        lower = message.lower()
        advice = "check data.hub.name, data.hub.subset and data.hub.revision"
        if "bad split" in lower and "[" in place.split:
            advice = f"a stream has no slices: set {place.setting}=NAME, or data.hub.streaming=false"
        elif "split" in lower:
            slice_ = f"'{place.setting}=\"train[-1000:]\"'"
            advice = f"set {place.setting}=NAME, or a slice of another split such as {slice_}"
        elif "config" in lower:
            advice = "set data.hub.subset=NAME"
    raise DataError(f"data set {place.name!r} cannot be used: {message}; {advice}")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the progress bars and notes of `datasets` and the hub client off the screen, and puts them back."""
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
