"""An encoded corpus on disk: a folder of shards, whose ids are read when a batch needs them.

Files are not memory-mapped, because a map takes address space for every id; reading takes 8 bytes per pair.
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
from seq2seq.data.shards import BLOCK, Column, Shard, block_is_intact, read_shard, shard_path
from seq2seq.errors import DataError, RunError
from seq2seq.system.descriptors import open_to_read, read_at

Indices = npt.NDArray[np.integer[Any]]


class EncodedPairs(Protocol):
    """Encoded pairs by number: a `Table`, or several in a `TableMixture`."""

    def __len__(self) -> int: ...

    @property
    def source_lengths(self) -> Ids: ...  # noqa: D102

    @property
    def target_lengths(self) -> Ids: ...  # noqa: D102

    @property
    def report(self) -> str: ...  # noqa: D102

    def rows(self, indices: Indices) -> tuple[list[Ids], list[Ids]]: ...  # noqa: D102


class Table:
    """The encoded pairs of a corpus by number; safe to share between threads.

    Args:
        folder: written by `seq2seq.data.preparation.encode_corpus`.
        sizes: of the source and the target vocabulary.

    Raises:
        DataError: a file is missing, damaged or foreign, or the table is unfinished.
        RunError: the table has more files than this process may open.

    Attributes:
        report: one line with the counts of kept and dropped pairs.
        key: identifies the corpus, the tokenizers and the filters.
    """

    def __init__(self, folder: Path, sizes: tuple[int, int]) -> None:
        shards = list(read_shards(folder))
        if not shards or shards[-1].report is None:
            raise DataError(f"{folder} is not a complete encoded corpus: start the run that writes it again")
        self.key, self.report = shards[0].key, shards[-1].report
        for columns in ([shard.source for shard in shards], [shard.target for shard in shards]):
            if len({column.dtype for column in columns if column.offsets[-1]}) > 1:
                raise DataError(f"{folder} has ids of several types: delete it and start again")
        if not any(shard.pairs for shard in shards):
            raise DataError(f"{folder} has no pairs: delete it and start again")
        self._paths = [shard.path for shard in shards]
        self._files = _open_files(shards)
        weakref.finalize(self, _close, self._files)
        # number of the first pair in each shard, and the number of all pairs
        self._starts = np.cumsum([0, *(shard.pairs for shard in shards)])
        self._source = ColumnReader([shard.source for shard in shards], sizes[0])
        self._target = ColumnReader([shard.target for shard in shards], sizes[1])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def source_lengths(self) -> Ids:
        """Tokens in each source sentence, [pairs]; computed at each call."""
        return self._source.lengths(self._starts)

    @property
    def target_lengths(self) -> Ids:
        """Tokens in each target sentence, [pairs]; computed at each call."""
        return self._target.lengths(self._starts)

    def rows(self, indices: Indices) -> tuple[list[Ids], list[Ids]]:
        """The source and target ids of some pairs, in the order of ``indices``, without BOS and EOS.

        Raises:
            IndexError: an index is outside [0, pairs).
            DataError: a file is truncated or damaged. A damaged file is removed; the next run encodes it again.
        """
        if indices.size and not (indices.min() >= 0 and indices.max() < len(self)):
            raise IndexError(f"pair numbers must be in [0, {len(self)}), got {indices.min()} to {indices.max()}")
        shards = np.searchsorted(self._starts, indices, side="right") - 1
        for side in (self._source, self._target):
            damaged = side.damaged(self._files, shards, indices)
            if damaged is not None:
                raise _remove_damaged(self._paths[damaged])
        return self._source.rows(self._files, shards, indices), self._target.rows(self._files, shards, indices)


def _remove_damaged(path: Path) -> DataError:
    """Remove a damaged shard, so that the next run encodes it again; returns the error."""
    with suppress(OSError):
        path.unlink()
    first = f"delete {path}, and " if path.exists() else ""
    return DataError(
        f"{path} is damaged (checksum mismatch, or ids outside the vocabulary): {first}start the same command again, "
        "which encodes that text again"
    )


class ColumnReader:
    """Reads the ids of one side, and checks each block of them once.

    Args:
        columns: of every shard, in order.
        vocabulary_size: number of tokens.
    """

    def __init__(self, columns: Sequence[Column], vocabulary_size: int) -> None:
        self._columns, self._vocabulary_size = columns, vocabulary_size
        self._unchecked = [set(range(len(column.checksums))) for column in columns]
        self._offsets = np.concatenate([column.offsets for column in columns])
        self._positions = np.array([column.position for column in columns], dtype=np.int64)
        self._dtype = next((column.dtype for column in columns if column.offsets[-1]), columns[0].dtype)

    def lengths(self, starts: Indices) -> Ids:
        """Number of ids in each pair, [pairs], given the number of each shard's first pair and of all pairs."""
        # A shard has one offset more than pairs, so the difference between two shards is meaningless.
        between = starts[1:-1] + np.arange(len(starts) - 2)
        return np.delete(np.diff(self._offsets), between)

    def damaged(self, files: Sequence[int], shards: Indices, indices: Indices) -> int | None:
        """Check the blocks with the ids of some pairs that have not been checked yet.

        Args:
            files: descriptors of all shards.
            shards: number of each pair's shard.
            indices: numbers of the pairs.

        Returns:
            The number of a damaged shard; None if there is none.
        """
        if not any(self._unchecked):
            return None
        begins, ends = self._byte_ranges(shards, indices)
        blocks = zip(shards.tolist(), (begins // BLOCK).tolist(), (-(-ends // BLOCK)).tolist(), strict=True)
        for shard, first, end in blocks:
            for number in range(first, end):
                if number in self._unchecked[shard]:
                    if not block_is_intact(files[shard], self._columns[shard], number, self._vocabulary_size):
                        return int(shard)
                    self._unchecked[shard].discard(number)
        return None

    def rows(self, files: Sequence[int], shards: Indices, indices: Indices) -> list[Ids]:
        """Ids of some pairs; arguments as in `damaged`."""
        begins, ends = self._byte_ranges(shards, indices)
        positions, sizes = self._positions[shards] + begins, ends - begins
        owners = [files[shard] for shard in shards.tolist()]
        parts = list(map(read_at, owners, sizes.tolist(), positions.tolist()))
        if sum(map(len, parts)) != sizes.sum():
            raise DataError("an encoded corpus was truncated while it was read: start the same command again")
        ids = np.frombuffer(b"".join(parts), self._dtype).astype(np.int32)
        bounds = [0, *np.cumsum(sizes // self._dtype.itemsize).tolist()]
        return [ids[begin:end] for begin, end in pairwise(bounds)]

    def _byte_ranges(self, shards: Indices, indices: Indices) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Start and end of each pair's ids, in bytes after the first id of its shard."""
        numbers = indices.astype(np.int64) + shards
        size = self._dtype.itemsize
        return self._offsets[numbers].astype(np.int64) * size, self._offsets[numbers + 1].astype(np.int64) * size


def read_shards(folder: Path, key: str | None = None) -> Iterator[Shard]:
    """The shards of a table, up to the last one or the first that is missing.

    Args:
        folder: of the table.
        key: expected in the shards; a shard with another key ends the table. None: the key of the first.

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


def _open_files(shards: Sequence[Shard]) -> list[int]:
    """A descriptor for each shard's file."""
    files: list[int] = []
    try:
        for shard in shards:
            files.append(open_to_read(shard.path))
    except OSError as error:
        _close(files)
        raise RunError(
            f"{shard.path} cannot be opened ({error.strerror}); {len(shards):,} files must be open at once: allow more "
            "open files per process (ulimit -n) and start the same command again"
        ) from None
    return files


def _close(files: Sequence[int]) -> None:
    for file in files:
        os.close(file)
