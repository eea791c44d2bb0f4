"""Read any corpus to its end: errors that stop the usual reader are recorded instead."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import Any, NamedTuple, cast

import pyarrow as pa
import pyarrow.compute

from seq2seq.corpora.columns import JsonFile, ParquetFile, sentence
from seq2seq.corpora.corpus import Corpus, Pair
from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.corpora.files import PairPerLine, RowFile, TextFiles
from seq2seq.corpora.lines import MAX_LINE_BYTES, damaged, raw_lines, too_long, unreadable
from seq2seq.corpora.streams import DamagedError
from seq2seq.corpora.table import TableFile
from seq2seq.errors import DataError, counted

BLOCK_PAIRS = 4_000
"""Pairs in memory at a time."""

INVALID_BYTES = "surrogateescape"
"""Bytes that are not UTF-8 become U+DC80 to U+DCFF, which valid text never contains."""


class PairBlock(NamedTuple):
    """Consecutive pairs. Both sides of an unreadable row are empty."""

    source: list[str]
    target: list[str]
    errors: dict[int, str]
    """Why a row cannot be read, by its index in the lists."""
    unpaired: tuple[int, int] = (0, 0)
    """Surplus lines at the end of the source file and of the target file."""
    notes: tuple[str, ...] = ()
    """Problems of a whole file, one line each."""
    stopped: str = ""
    """Why reading ended here, before the end of the corpus; the last row, which is unreadable, stands for the rest."""


def read_blocks(corpus: Corpus) -> Iterator[PairBlock]:
    """Read all pairs of a corpus, `BLOCK_PAIRS` at a time. `INVALID_BYTES` says how bytes that are not UTF-8 appear.

    Raises:
        DataError: a file is missing, cannot be read at all, or can be read only once (a pipe).
    """
    if isinstance(corpus, TextFiles):
        return _text_blocks(corpus)
    if isinstance(corpus, PairPerLine):
        return _record_blocks(corpus)
    if isinstance(corpus, ParquetFile):
        return _parquet_blocks(corpus)
    if isinstance(corpus, TableFile | JsonFile):
        return _iterated_blocks(corpus.pairs_or_errors(INVALID_BYTES))
    return _iterated_blocks(corpus.pairs_or_errors() if isinstance(corpus, RowFile) else corpus)


class LineReader:
    """Reads a text file some lines at a time, with the line endings of `seq2seq.corpora.lines.read_lines`.

    Attributes:
        number: lines read so far.
        damage: why reading ended early; empty: it did not.
    """

    def __init__(self, file: CorpusFile) -> None:
        file.require_regular()
        self.path, self.number, self.damage = file.path, 0, ""
        self._open = ExitStack()
        try:
            self._raw = raw_lines(self._open.enter_context(file.text()).stream)
        except OSError as error:
            raise unreadable(self.path, error) from None

    def read(self, count: int) -> list[str]:
        """Return at most ``count`` lines; an empty list at the end of the file.

        Raises:
            DataError: the file cannot be read, or a line is too long for a line of text.
        """
        raws = []
        try:
            for raw in islice(self._raw, count):
                raws.append(raw)
                if len(raw) > MAX_LINE_BYTES:
                    raise too_long(str(self.path), self.number + len(raws))
        except DamagedError as error:
            self.damage = str(damaged(str(self.path), self.number + len(raws), error))
        except OSError as error:
            raise unreadable(self.path, error) from None
        lines = b"".join(raws).decode("utf-8", INVALID_BYTES).split("\n")
        if not lines[-1]:
            lines.pop()
        if any(b"\r" in raw for raw in raws):
            lines = [line.removesuffix("\r") for line in lines]
        if self.number == 0 and lines:
            lines[0] = lines[0].removeprefix("\ufeff")
            if len(raws) == 1 and raws[0] == b"\xef\xbb\xbf":  # only a byte order mark: an empty file
                lines = []
        self.number += len(lines)
        return lines

    def close(self) -> None:
        """Close the file."""
        self._open.close()


def _text_blocks(corpus: TextFiles) -> Iterator[PairBlock]:
    readers = [LineReader(file) for file in corpus.files]
    try:
        left = [reader.read(BLOCK_PAIRS) for reader in readers]
        while all(left):
            count = min(map(len, left))
            yield PairBlock(left[0][:count], left[1][:count], {})
            if len(left[0]) != len(left[1]):
                left = [lines[count:] for lines in left]
                break
            left = [reader.read(BLOCK_PAIRS) for reader in readers]
        pairs = readers[0].number - len(left[0])
        for side, reader in enumerate(readers):
            while left[side]:
                left[side] = reader.read(BLOCK_PAIRS)
        unpaired = readers[0].number - pairs, readers[1].number - pairs
        notes = [reader.damage for reader in readers if reader.damage]
        last = _stop(PairBlock([], [], {}), notes[0]) if notes else PairBlock([], [], {})
        if any(unpaired):
            notes.append(
                f"{corpus.target} has {counted(readers[1].number, 'line')}, {corpus.source} {readers[0].number:,}: "
                "they must match"
            )
        yield last._replace(unpaired=unpaired, notes=tuple(notes))
    finally:
        for reader in readers:
            reader.close()


def _record_blocks(corpus: PairPerLine) -> Iterator[PairBlock]:
    reader = LineReader(corpus.file)
    try:
        while lines := reader.read(BLOCK_PAIRS):
            block = PairBlock([], [], {})
            for number, line in enumerate(lines, reader.number - len(lines) + 1):
                try:
                    pair = corpus.pair(line, number)
                except DataError as error:
                    block.errors[len(block.source)] = str(error)
                    pair = Pair("", "")
                if pair is not None:
                    block.source.append(pair.source)
                    block.target.append(pair.target)
            yield block
        if reader.damage:
            yield _stop(PairBlock([], [], {}), reader.damage)
    finally:
        reader.close()


def _parquet_blocks(corpus: ParquetFile) -> Iterator[PairBlock]:
    for batch in corpus.batches():
        block = PairBlock([], [], {})
        for path, side in zip(corpus.columns, (block.source, block.target), strict=True):
            for row, value in enumerate(_column_values(batch.column(path[0]), path[1:])):
                try:
                    side.append(sentence(value, path[-1], corpus.name))
                except DataError as error:
                    block.errors[row] = str(error)
                    side.append("")
        for row in block.errors:
            block.source[row] = block.target[row] = ""
        yield block


def _column_values(column: Any, inner: tuple[str, ...]) -> list[object]:
    """Return the values of an Arrow column, including text that is not valid UTF-8."""
    column = pyarrow.compute.struct_field(column, inner) if inner else column
    try:
        return cast(list[object], column.to_pylist())
    except UnicodeDecodeError:
        raw = column.cast(pa.large_binary()).to_pylist()
        return [value if value is None else value.decode("utf-8", INVALID_BYTES) for value in raw]


def _iterated_blocks(pairs: Iterable[Pair | DataError]) -> Iterator[PairBlock]:
    """Iterate over pairs, and errors of rows, up to the first error that ends reading."""
    block = PairBlock([], [], {})
    try:
        for pair in pairs:
            if isinstance(pair, DataError):
                block.errors[len(block.source)] = str(pair)
                pair = Pair("", "")
            block.source.append(pair.source)
            block.target.append(pair.target)
            if len(block.source) == BLOCK_PAIRS:
                yield block
                block = PairBlock([], [], {})
    except DataError as error:
        block = _stop(block, str(error))
    yield block


def _stop(block: PairBlock, reason: str) -> PairBlock:
    """The last block of a corpus that cannot be read to its end."""
    block.errors[len(block.source)] = reason
    return block._replace(source=[*block.source, ""], target=[*block.target, ""], notes=(reason,), stopped=reason)
