"""Corpora in text files: two aligned files, or one file of tab-separated values."""

import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import cached_property
from itertools import zip_longest
from pathlib import Path

from seq2seq.corpora.corpus import Corpus, Pair
from seq2seq.corpora.corpus_file import CorpusFile, corpus_file
from seq2seq.errors import ConfigError, DataError, counted, program


class TextFiles(Corpus):
    """Two text files, aligned line by line.

    Raises:
        DataError: a file is missing or a folder. While reading: as `read_lines`; the files have different numbers of
            lines; or they are empty.
    """

    def __init__(self, source: Path | CorpusFile, target: Path | CorpusFile) -> None:
        first, second = corpus_file(source), corpus_file(target)
        self.source, self.target = first.path, second.path
        self._files = first, first if first.path == second.path else second
        self.name = str(self.target) if self.source == self.target else f"{self.source} and {self.target}"

    @cached_property
    def fingerprint(self) -> str:
        """The content of both files."""
        return f"text {self._files[0].identity} {self._files[1].identity}"

    @property
    def files(self) -> Sequence[CorpusFile]:
        """Both files."""
        return self._files

    def expected_pairs(self) -> int | None:
        """Approximate number of pairs."""
        return self._files[1].expected_lines()

    def __iter__(self) -> Iterator[Pair]:
        return require_pairs(self._pairs(), self.name)

    def _pairs(self) -> Iterator[Pair]:
        first, second = self._files
        with closing(first.lines()) as sources, closing(second.lines()) as targets:
            for number, (source, target) in enumerate(zip_longest(sources, targets)):
                if source is None or target is None:
                    rest = 1 + sum(1 for _ in (sources if target is None else targets))
                    raise self._unequal(number + rest * (target is None), number + rest * (source is None))
                yield Pair(source, target)

    def _unequal(self, sources: int, targets: int) -> DataError:
        return DataError(
            f"{self.target} has {counted(targets, 'line')}, {self.source} {sources:,}: they must match; find the first "
            f"misaligned line with {program('doctor')} data.train.source={self.source} data.train.target={self.target}"
        )


class FileCorpus(Corpus):
    """A corpus in one file.

    Raises:
        DataError: the file is missing or a folder.
    """

    def __init__(self, file: Path | CorpusFile) -> None:
        self.file = corpus_file(file)
        self.path, self.name = self.file.path, str(self.file.path)

    @property
    def files(self) -> Sequence[CorpusFile]:
        """The file."""
        return (self.file,)


class RowFile(FileCorpus):
    """A file from which rows can be read after one that has no pair.

    Raises:
        DataError: the file is missing or a folder, or can be read only once.
    """

    def __init__(self, file: Path | CorpusFile) -> None:
        super().__init__(file)
        self.file.require_regular()

    @abstractmethod
    def pairs_or_errors(self) -> Iterator[Pair | DataError]:
        """The pairs, and an error in place of each row that has none.

        Raises:
            DataError: the file cannot be read on.
        """

    def __iter__(self) -> Iterator[Pair]:
        return require_pairs(self._pairs(), self.name)

    def _pairs(self) -> Iterator[Pair]:
        for pair in self.pairs_or_errors():
            if isinstance(pair, DataError):
                raise pair
            yield pair


class PairPerLine(FileCorpus):
    """A file with both sides of a pair in each line; a subclass says how `pair` finds them.

    Raises:
        DataError: the file is missing or a folder. While reading: as `read_lines` and `pair`; or the file is empty.
    """

    @abstractmethod
    def pair(self, line: str, number: int) -> Pair | None:
        """The pair in a line; None if the format allows blank lines and this is one; the number is for messages."""

    def expected_pairs(self) -> int | None:
        """Approximate number of pairs."""
        return self.file.expected_lines()

    def __iter__(self) -> Iterator[Pair]:
        return require_pairs(self._pairs(), self.name)

    def _pairs(self) -> Iterator[Pair]:
        with closing(self.file.lines()) as lines:
            for number, line in enumerate(lines, 1):
                if (pair := self.pair(line, number)) is not None:
                    yield pair


class TsvFile(PairPerLine):
    """One file of tab-separated values with a pair per row; quotation marks have no special meaning.

    Args:
        file: the file.
        source_column, target_column: column numbers, from ``"1"``.

    Raises:
        ConfigError: a column is not a number from 1.
        DataError: the file is missing or a folder. While reading: as `read_lines`; a row has too few columns; or the
            file is empty.
    """

    def __init__(self, file: Path | CorpusFile, source_column: str, target_column: str) -> None:
        super().__init__(file)
        self.source = _column_number(source_column, "data.source_column")
        self.target = _column_number(target_column, "data.target_column")

    @cached_property
    def fingerprint(self) -> str:
        """The content of the file, and which columns are read."""
        return f"tsv {self.file.identity} {self.source} {self.target}"

    def pair(self, line: str, number: int) -> Pair:
        """The pair in a line; the line's number is for messages.

        Raises:
            DataError: the line has too few columns.
        """
        cells, needed = line.split("\t"), max(self.source, self.target)
        if len(cells) < needed:
            raise DataError(
                f"{self.path}, line {number:,}: {len(cells)} tab-separated columns, but {needed} are needed: fix the "
                "row or set data.source_column=NUMBER data.target_column=NUMBER"
            )
        return Pair(cells[self.source - 1], cells[self.target - 1])


def _column_number(text: str, setting: str) -> int:
    if not re.fullmatch("[1-9][0-9]{,5}", text):
        raise ConfigError(f"{setting} must be a column number from 1 for a TSV file, got {text!r}")
    return int(text)


def require_pairs(pairs: Iterator[Pair], name: str) -> Iterator[Pair]:
    """Yield the same pairs.

    Raises:
        DataError: there are no pairs.
    """
    first = next(pairs, None)
    if first is None:
        raise DataError(f"{name}: no lines found: check that this is the right file")
    yield first
    yield from pairs
