"""Any corpus of the toolkit read as it is: what its usual reader raises for is noted here, and reading goes on."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from typing import Any, NamedTuple, cast

import pyarrow as pa
import pyarrow.compute

from seq2seq.corpora.columns import JsonLinesFile, ParquetFile, sentence
from seq2seq.corpora.corpus import Corpus, Pair
from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.corpora.files import TextFiles, TsvFile
from seq2seq.corpora.lines import LONGEST, raw_lines, too_long, unreadable
from seq2seq.errors import DataError

CHUNK = 4_000  # pairs in memory at a time

ESCAPED = "surrogateescape"
"""Bytes that are not UTF-8 become U+DC80 to U+DCFF, which no valid text holds."""


class Rows(NamedTuple):
    """Some pairs in their order. Of a row that cannot be read both sides are empty."""

    source: list[str]
    target: list[str]
    broken: dict[int, str]
    """Why a row cannot be read, by its place in the lists."""
    unpaired: tuple[int, int] = (0, 0)
    """Lines left over at the end of the source file and of the target file."""
    notes: tuple[str, ...] = ()
    """What is wrong with a file as a whole, one line each."""


def read_rows(corpus: Corpus) -> Iterator[Rows]:
    """All pairs of a corpus, `CHUNK` at a time; sentences hold bytes that are not UTF-8 as `ESCAPED` says.

    Raises:
        DataError: a file is gone, cannot be read at all, or can only be read once (a pipe).
    """
    if isinstance(corpus, TextFiles):
        return _text(corpus)
    if isinstance(corpus, TsvFile | JsonLinesFile):
        return _records(corpus)
    if isinstance(corpus, ParquetFile):
        return _columns(corpus)
    return _pairs(corpus)


class LineFile:
    """A text file that gives its lines some at a time, by the rules of `seq2seq.corpora.lines.read_lines`.

    Attributes:
        damage: why reading ended early, if it did.
    """

    def __init__(self, file: CorpusFile) -> None:
        file.require_regular()
        self.path, self.number, self.damage = file.path, 0, ""
        self._open = ExitStack()
        try:
            unpacked = self._open.enter_context(file.unpacked())
        except OSError as error:
            raise unreadable(self.path, error) from None
        # A GzipFile gives lines slowly by itself.
        packed = isinstance(unpacked, gzip.GzipFile)
        self._raw = raw_lines(io.BufferedReader(cast(Any, unpacked)) if packed else unpacked)

    def take(self, count: int) -> list[str]:
        """The next lines, at most ``count``; none at the end.

        Raises:
            DataError: the file cannot be read, or a line is no line of text.
        """
        raws = []
        try:
            for raw in islice(self._raw, count):
                raws.append(raw)
                if len(raw) > LONGEST:
                    raise too_long(str(self.path), self.number + len(raws))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            after = self.number + len(raws)
            self.damage = f"{self.path}: damaged or incomplete gzip data after line {after:,} ({error})"
        except OSError as error:
            raise unreadable(self.path, error) from None
        lines = b"".join(raws).decode("utf-8", ESCAPED).split("\n")
        if not lines[-1]:
            lines.pop()
        if any(b"\r" in raw for raw in raws):
            lines = [line.removesuffix("\r") for line in lines]
        if self.number == 0 and lines:
            lines[0] = lines[0].removeprefix("\ufeff")
            if len(raws) == 1 and raws[0] == b"\xef\xbb\xbf":  # a mark and nothing else: an empty file
                lines = []
        self.number += len(lines)
        return lines

    def close(self) -> None:
        """Give the file back."""
        self._open.close()


def _text(corpus: TextFiles) -> Iterator[Rows]:
    files = [LineFile(file) for file in corpus.files]
    try:
        left = [file.take(CHUNK) for file in files]
        while all(left):
            count = min(map(len, left))
            yield Rows(left[0][:count], left[1][:count], {})
            if len(left[0]) != len(left[1]):
                left = [side[count:] for side in left]
                break
            left = [file.take(CHUNK) for file in files]
        pairs = files[0].number - len(left[0])
        for place, file in enumerate(files):
            while left[place]:
                left[place] = file.take(CHUNK)
        rest = files[0].number - pairs, files[1].number - pairs
        notes = [file.damage for file in files if file.damage]
        if any(rest):
            notes.append(
                f"{corpus.target} has {files[1].number:,} lines, {corpus.source} {files[0].number:,}: they must match"
            )
        yield Rows([], [], {}, rest, tuple(notes))
    finally:
        for file in files:
            file.close()


def _records(corpus: TsvFile | JsonLinesFile) -> Iterator[Rows]:
    file = LineFile(corpus.file)
    try:
        while lines := file.take(CHUNK):
            rows = Rows([], [], {})
            for place, line in enumerate(lines):
                try:
                    pair = corpus.pair(line, file.number - len(lines) + place + 1)
                except DataError as error:
                    rows.broken[place] = str(error)
                    pair = Pair("", "")
                rows.source.append(pair[0])
                rows.target.append(pair[1])
            yield rows
        if file.damage:
            yield Rows([], [], {}, notes=(file.damage,))
    finally:
        file.close()


def _columns(corpus: ParquetFile) -> Iterator[Rows]:
    for batch in corpus.batches():
        rows = Rows([], [], {})
        for path, side in zip(corpus.columns, (rows.source, rows.target), strict=True):
            for place, value in enumerate(_values(batch.column(path[0]), path[1:])):
                try:
                    side.append(sentence(value, path[-1], corpus.name))
                except DataError as error:
                    rows.broken[place] = str(error)
                    side.append("")
        for place in rows.broken:
            rows.source[place] = rows.target[place] = ""
        yield rows


def _values(column: Any, inner: tuple[str, ...]) -> list[object]:
    """The values of an Arrow column, bytes that are not UTF-8 among them."""
    column = pyarrow.compute.struct_field(column, inner) if inner else column
    try:
        return cast(list[object], column.to_pylist())
    except UnicodeDecodeError:
        raw = column.cast(pa.large_binary()).to_pylist()
        return [value if value is None else value.decode("utf-8", ESCAPED) for value in raw]


def _pairs(corpus: Corpus) -> Iterator[Rows]:
    """Of a data set of the hub, or the built-in corpus: no further than its own reader goes."""
    rows = Rows([], [], {})
    try:
        for pair in corpus:
            rows.source.append(pair.source)
            rows.target.append(pair.target)
            if len(rows.source) == CHUNK:
                yield rows
                rows = Rows([], [], {})
    except DataError as error:
        rows = rows._replace(notes=(str(error),))
    yield rows
