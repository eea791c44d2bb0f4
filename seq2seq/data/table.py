"""An encoded corpus on disk: a folder of shards, whose ids are read when a batch needs them.

Files are read and not mapped: a map of them all would take address space for every id, these take 8 bytes a pair.
"""

import os
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count, pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from seq2seq.data.encoding import Ids
from seq2seq.data.shards import BLOCK, Column, Shard, block_is_whole, read_shard, shard_path
from seq2seq.errors import DataError, RunError
from seq2seq.system.descriptors import open_to_read, read_at

Indices = npt.NDArray[np.integer[Any]]


class EncodedPairs(Protocol):
    """Encoded pairs by number: a `Table`, or several of them in a `Mixture`."""

    def __len__(self) -> int: ...

    @property
    def source_lengths(self) -> Ids: ...  # noqa: D102

    @property
    def target_lengths(self) -> Ids: ...  # noqa: D102

    @property
    def report(self) -> str: ...  # noqa: D102

    def rows(self, indices: Indices) -> tuple[list[Ids], list[Ids]]: ...  # noqa: D102


class Table:
    """The encoded pairs of a corpus, by number. Threads may share it.

    Args:
        folder: what `seq2seq.data.preparation.encode_corpus` wrote.
        sizes: of the source and the target vocabulary.

    Raises:
        DataError: a file is missing, damaged or foreign, or the last shard has not been written yet.
        RunError: there are more files than this process may have open.

    Attributes:
        report: one line with the counts of kept and dropped pairs.
        key: differs whenever the corpus, the tokenizers or the filters do.
    """

    def __init__(self, folder: Path, sizes: tuple[int, int]) -> None:
        shards = list(read_shards(folder))
        if not shards or shards[-1].report is None:
            raise DataError(f"{folder} is no encoded corpus, or not all of one; start the run that makes it again")
        self.key, self.report = shards[0].key, shards[-1].report
        for columns in ([shard.source for shard in shards], [shard.target for shard in shards]):
            if len({column.dtype for column in columns if column.offsets[-1]}) > 1:
                raise DataError(f"{folder} has ids of several types; delete it and start again")
        if not any(shard.pairs for shard in shards):
            raise DataError(f"{folder} has no pairs; delete it and start again")
        self._paths = [shard.path for shard in shards]
        self._files = _opened(shards)
        weakref.finalize(self, _close, self._files)
        # number of the first pair in each shard, and of the pair after the last
        self._starts = np.cumsum([0, *(shard.pairs for shard in shards)])
        self._source = ColumnReader([shard.source for shard in shards], sizes[0])
        self._target = ColumnReader([shard.target for shard in shards], sizes[1])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def source_lengths(self) -> Ids:
        """Pieces in each source sentence, [pairs]; made at each call."""
        return self._source.lengths(self._starts)

    @property
    def target_lengths(self) -> Ids:
        """Pieces in each target sentence, [pairs]; made at each call."""
        return self._target.lengths(self._starts)

    def rows(self, indices: Indices) -> tuple[list[Ids], list[Ids]]:
        """The source and target ids of some pairs, in the order asked for, without begin or end marks.

        Raises:
            IndexError: an index is outside [0, pairs).
            DataError: a file has become shorter, or is damaged: it is removed, and encoded again by the next run.
        """
        if indices.size and not (indices.min() >= 0 and indices.max() < len(self)):
            raise IndexError(f"pair numbers must be in [0, {len(self)}), got {indices.min()} to {indices.max()}")
        shards = np.searchsorted(self._starts, indices, side="right") - 1
        for side in (self._source, self._target):
            damaged = side.damaged(self._files, shards, indices)
            if damaged is not None:
                raise _removed(self._paths[damaged])
        return self._source.rows(self._files, shards, indices), self._target.rows(self._files, shards, indices)


def _removed(path: Path) -> DataError:
    """The error for a damaged shard, which is taken away: the next run encodes again from there."""
    with suppress(OSError):
        path.unlink()
    first = f"delete {path}, and " if path.exists() else ""
    return DataError(
        f"{path} is damaged (checksum mismatch, or ids of no token): {first}start the same command again, "
        "which encodes that text again"
    )


class ColumnReader:
    """Where in the files the ids of one side lie, and which of their blocks have been checked.

    Args:
        columns: of every shard, in order.
        pieces: how many the vocabulary has.
    """

    def __init__(self, columns: Sequence[Column], pieces: int) -> None:
        self._columns, self._pieces = columns, pieces
        self._unchecked = [set(range(len(column.checksums))) for column in columns]
        self._offsets = np.concatenate([column.offsets for column in columns])
        self._positions = np.array([column.position for column in columns], dtype=np.int64)
        self._dtype = next((column.dtype for column in columns if column.offsets[-1]), columns[0].dtype)

    def lengths(self, starts: Indices) -> Ids:
        """Ids of each pair, [pairs], given the number of each shard's first pair and of the pair after the last."""
        # A shard has one offset more than pairs, so between two shards there is a difference that means nothing.
        between = starts[1:-1] + np.arange(len(starts) - 2)
        return np.delete(np.diff(self._offsets), between)

    def damaged(self, files: Sequence[int], shards: Indices, indices: Indices) -> int | None:
        """Check the blocks with the ids of some pairs, each once, when it is first needed.

        Args:
            files: of every shard.
            shards: the number of each pair's.
            indices: the pairs' numbers.

        Returns:
            the number of a shard that is damaged; None where there is none.
        """
        if not any(self._unchecked):
            return None
        begins, ends = self._places(shards, indices)
        blocks = zip(shards.tolist(), (begins // BLOCK).tolist(), (-(-ends // BLOCK)).tolist(), strict=True)
        for shard, first, end in blocks:
            for number in range(first, end):
                if number in self._unchecked[shard]:
                    if not block_is_whole(files[shard], self._columns[shard], number, self._pieces):
                        return int(shard)
                    self._unchecked[shard].discard(number)
        return None

    def rows(self, files: Sequence[int], shards: Indices, indices: Indices) -> list[Ids]:
        """Ids of some pairs, given all files and the number of each pair's."""
        begins, ends = self._places(shards, indices)
        positions, sizes = self._positions[shards] + begins, ends - begins
        owners = [files[shard] for shard in shards.tolist()]
        parts = list(map(read_at, owners, sizes.tolist(), positions.tolist()))
        if sum(map(len, parts)) != sizes.sum():
            raise DataError("an encoded corpus has become shorter while it was read: start the same command again")
        ids = np.frombuffer(b"".join(parts), self._dtype).astype(np.int32)
        bounds = [0, *np.cumsum(sizes // self._dtype.itemsize).tolist()]
        return [ids[begin:end] for begin, end in pairwise(bounds)]

    def _places(self, shards: Indices, indices: Indices) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Where each pair's ids begin and end, in bytes behind its shard's first."""
        places = indices.astype(np.int64) + shards
        size = self._dtype.itemsize
        return self._offsets[places].astype(np.int64) * size, self._offsets[places + 1].astype(np.int64) * size


def read_shards(folder: Path, key: str | None = None) -> Iterator[Shard]:
    """The shards of a table, up to the last one or the first that is not there.

    Args:
        folder: where they lie.
        key: that of the first, where it is known: shards with another end the table.

    Raises:
        DataError: a file is damaged or foreign.
    """
    for number in count():
        path = shard_path(folder, number)
        if not path.exists():
            return
        shard = read_shard(path)
        if key not in (None, shard.key):
            return
        key = shard.key
        yield shard
        if shard.report is not None:
            return


def _opened(shards: Sequence[Shard]) -> list[int]:
    """A descriptor for each shard's file."""
    files: list[int] = []
    try:
        for shard in shards:
            files.append(open_to_read(shard.path))
    except OSError as error:
        _close(files)
        raise RunError(
            f"{shard.path} cannot be opened ({error.strerror}), one of {len(shards):,} that must be at once: allow a "
            "process more open files (ulimit -n), and give the same command again"
        ) from None
    return files


def _close(files: Sequence[int]) -> None:
    for file in files:
        os.close(file)
