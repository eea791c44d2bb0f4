"""Sentence pairs, and what every corpus of them offers."""

import hashlib
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tqdm import tqdm

from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.errors import ConfigError, DataError, counted

if TYPE_CHECKING:
    from seq2seq.corpora.splitting import SplitCorpus


class Pair(NamedTuple):
    """A sentence and its translation."""

    source: str
    target: str


class PairSample(NamedTuple):
    """Pairs to train a vocabulary on."""

    pairs: Iterator[Pair]
    expected: int | None
    """Approximate number of pairs; None if unknown."""


class Corpus(ABC):
    """Sentence pairs that can be read repeatedly, one pair at a time.

    A subclass sets ``name`` and defines ``fingerprint`` and ``__iter__``. The other methods have defaults that read all
    pairs; a corpus overrides them if it can do better.

    Attributes:
        name: identifies the corpus in messages.
        monolingual: whether all sources are empty by design.
    """

    name: str
    languages: tuple[str, str] | None = None
    """Codes of the source and target language, if `read` received them."""
    monolingual: bool = False

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Identifies the text and how it is read: caches of encoded text and vocabularies depend on it."""

    @abstractmethod
    def __iter__(self) -> Iterator[Pair]: ...

    @property
    def files(self) -> Sequence[CorpusFile]:
        """The files that it is read from; empty for other text."""
        return ()

    @property
    def titles(self) -> tuple[str, str] | None:
        """Names of the columns of source and target, by which settings find them; None: they have none."""
        return None

    @property
    def note(self) -> str:
        """One line about how the text is read that a user should know; mostly empty."""
        return ""

    def expected_pairs(self) -> int | None:
        """Approximate number of pairs, found without reading them; None if unknown."""
        return None

    def vocabulary_sample(self, size: int) -> PairSample:
        """Pairs to train a vocabulary on: all of them, or the first ``size`` if reading all is slow."""
        return PairSample((pair for pair in self), self.expected_pairs())

    def pairs_after(self, count: int, state: Path) -> Iterator[Pair]:
        """All pairs except the first ``count``.

        Args:
            count: pairs to skip.
            state: a folder that persists until the corpus has been read to its end. A corpus may store there what
                helps it to skip pairs after an interruption.
        """
        return islice(self, count, None)

    @staticmethod
    def from_pairs(name: str, pairs: Iterable[Iterable[str]]) -> "PairList":
        """A corpus of pairs from memory; see `PairList` for arguments and errors."""
        return PairList(name, pairs)

    @staticmethod
    def read(
        path: str | Path,
        source_language: str = "en",
        target_language: str = "de",
        *,
        encoding: str | None = None,
        format: str | None = None,
    ) -> "Corpus":
        """A corpus from one file with both sides; the content decides how it is read.

        Args:
            path: a table (CSV or tab-separated; see `TableFile` for its columns), JSON lines, a JSON array or Parquet;
                compressed or in an archive (``corpus.zip/train.tsv``, if there are several files in it).
            source_language, target_language: language codes. They find the columns if there is a header or the columns
                have names, and become the languages of a run that `seq2seq.train` trains on this corpus.
            encoding: of the text, as ``data.encoding``; None: UTF-8.
            format: as ``data.format``; None: the content decides.

        Raises:
            ConfigError: unknown encoding or format.
            DataError: the file is missing or damaged, or lacks a column; some errors are raised while reading.
        """
        from seq2seq.corpora.config import DataConfig, FileFormat
        from seq2seq.corpora.formats import open_pairs  # its readers derive from this class

        if format not in (None, *FileFormat):
            raise ConfigError(f"format={format!r} is unknown: choose one of {', '.join(FileFormat)}")
        config = DataConfig(source_language=source_language, target_language=target_language, encoding=encoding)
        config.format = None if format is None else FileFormat(format)
        return open_pairs(config, Path(path).expanduser(), "path")

    def split(self, *sizes: float, seed: int = 1) -> "SplitCorpus":
        """Split into training, validation and test sets that share no near copies (`corpora.near_copies`).

        Pairs that are near copies on either side are one group, which goes to one set. The result depends on the pairs,
        the sizes and the seed only.

        Args:
            sizes: three percentages of train, validation and test, ``split(90, 5, 5)``; or counts of validation and
                test pairs, ``split(500, 500)``; or three counts, which leave the other pairs out. None: 5 % each for
                validation and test, 10 to 2,000 pairs. 0 leaves validation or test out.
            seed: chooses other groups for the sets.

        Raises:
            ConfigError: the sizes are neither three percentages nor counts.
            DataError: there are too few pairs, or the groups of near copies are too large for these sizes.
        """
        from seq2seq.corpora.splitting import SplitCorpus

        return SplitCorpus(self, sizes or None, seed)


class PairList(Corpus):
    """Pairs held in memory.

    Args:
        name: identifies the corpus in messages.
        pairs: (source, target) rows: tuples, lists, rows of an array; read once.

    Raises:
        DataError: a row is not two strings.
    """

    def __init__(self, name: str, pairs: Iterable[Iterable[str]]) -> None:
        self.name = name
        self.pairs = [_pair(row, f"{name}, pair {number:,}") for number, row in enumerate(pairs, 1)]

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all pairs."""
        return f"list {hashlib.sha256(repr(self.pairs).encode()).hexdigest()}"

    def __iter__(self) -> Iterator[Pair]:
        return iter(self.pairs)

    def expected_pairs(self) -> int:
        """The number of pairs."""
        return len(self.pairs)


def _pair(row: Iterable[str], where: str) -> Pair:
    if type(row) is Pair:
        return row
    if isinstance(row, Mapping):
        keys = ", ".join(map(repr, row))
        raise DataError(f"{where}: a mapping with the keys {keys}: pass (row[SOURCE], row[TARGET]) instead")
    values: tuple[Any, ...] = tuple(row) if isinstance(row, Iterable) and not isinstance(row, str) else (row,)
    if len(values) != 2 or not all(isinstance(value, str) for value in values):
        raise DataError(f"{where}: {row!r} is not a pair of strings: pass (source, target)")
    return Pair(*map(str, values))  # NumPy's strings become plain ones


class FirstPairs(Corpus):
    """The first pairs of another corpus: ``count`` of them, or all if it has fewer."""

    def __init__(self, corpus: Corpus, count: int) -> None:
        self.corpus, self.count = corpus, count
        self.name = f"{corpus.name} (first {counted(count, 'pair')})"

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the corpus and the number."""
        return f"first {self.count} {self.corpus.fingerprint}"

    def __iter__(self) -> Iterator[Pair]:
        return islice(self.corpus, self.count)

    def expected_pairs(self) -> int | None:
        """At most ``count``."""
        expected = self.corpus.expected_pairs()
        return self.count if expected is None else min(self.count, expected)


class MappedCorpus(Corpus):
    """A corpus with every pair of another one changed; it offers all that the other does."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus

    @abstractmethod
    def map_pair(self, pair: Pair) -> Pair:
        """The changed pair."""

    def __iter__(self) -> Iterator[Pair]:
        return map(self.map_pair, self.corpus)

    @property
    def files(self) -> Sequence[CorpusFile]:
        """Same as for the other corpus."""
        return self.corpus.files

    @property
    def note(self) -> str:
        """Same as for the other corpus."""
        return self.corpus.note

    def expected_pairs(self) -> int | None:
        """Same as for the other corpus."""
        return self.corpus.expected_pairs()

    def vocabulary_sample(self, size: int) -> PairSample:
        """Same as for the other corpus."""
        sample = self.corpus.vocabulary_sample(size)
        return sample._replace(pairs=map(self.map_pair, sample.pairs))

    def pairs_after(self, count: int, state: Path) -> Iterator[Pair]:
        """Same as for the other corpus."""
        return map(self.map_pair, self.corpus.pairs_after(count, state))


def pairs_with_progress(pairs: Iterator[Pair], label: str, total: int | None, done: int = 0) -> Iterator[Pair]:
    """Yield the same pairs and show a progress bar on stderr: pairs read, pairs per second, remaining time.

    If stderr is not a terminal, the bar is updated every 15 seconds, and readings that take less show nothing.
    """
    interval = 0.2 if sys.stderr.isatty() else 15
    yield from tqdm(
        pairs,
        label,
        total,
        leave=False,
        mininterval=interval,
        delay=interval,
        unit=" pairs",
        unit_scale=True,
        dynamic_ncols=True,
        initial=done,
    )
