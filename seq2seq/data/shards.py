"""A shard: a file with some hundred thousand encoded pairs, written atomically.

The file has the safetensors format: its JSON header has the position of each array, so that single sentences can be
read; ``safetensors.numpy.load_file(path)`` reads the whole file. The header also has a key of everything that the shard
depends on, the counts of the text, and checksums, of the ids one for each `BLOCK`, because they are read in parts.
"""

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from seq2seq.data.encoding import EncodedChunk, IdLists, Ids
from seq2seq.errors import DataError
from seq2seq.system.atomic import atomic_write
from seq2seq.system.descriptors import read_at

METADATA, SIDES = "corpus", ("source", "target")
TYPES: dict[str, np.dtype[Any]] = {"U16": np.dtype("<u2"), "I32": np.dtype("<i4")}
MAX_HEADER = 1_000_000
"""Bytes; a file that claims a longer header is damaged."""
MAX_OFFSETS = 16_000_000
"""Bytes of a side's offsets, likewise: four million pairs, twenty times the size of a shard."""

BLOCK = 1 << 16
"""Bytes of ids per checksum (CRC-32)."""


class Column(NamedTuple):
    """The position of one side's ids in a file."""

    offsets: Ids
    """Start of each pair in the ids, and the end of the last, [pairs + 1]."""
    position: int
    """Bytes before the first id."""
    dtype: np.dtype[Any]
    checksums: list[int]
    """Checksum of each `BLOCK` of the ids."""


class Shard(NamedTuple):
    """The header of a shard, and the positions of its ids."""

    path: Path
    key: str
    read: int
    """Pairs of text, before filtering."""
    dropped: Counter[str]
    report: str | None
    """In the last shard of a table: one line with the counts of the whole corpus."""
    source: Column
    target: Column

    @property
    def pairs(self) -> int:
        """Number of encoded pairs."""
        return len(self.source.offsets) - 1


def shard_path(folder: Path, number: int) -> Path:
    """The file of a table's shard; ``number`` starts at 0."""
    return folder / f"{number:05}.safetensors"


def write_shard(path: Path, key: str, chunks: Sequence[EncodedChunk], report: str | None) -> None:
    """Write a shard atomically; with a report it is the last one of its table.

    Raises:
        RunError: the disk is full, or the file cannot be written.
    """
    dropped: Counter[str] = sum((chunk.dropped for chunk in chunks), Counter())
    sides = _concatenate([chunk.source for chunk in chunks]), _concatenate([chunk.target for chunk in chunks])
    arrays: dict[str, npt.NDArray[Any]] = {}
    for side, rows in zip(SIDES, sides, strict=True):
        arrays |= {f"{side}.offsets": rows.offsets, f"{side}.ids": rows.ids}
    checksums = {name: _checksums(array.tobytes()) for name, array in arrays.items()}
    facts = {"key": key, "read": sum(chunk.read for chunk in chunks), "dropped": dropped, "report": report}
    metadata = json.dumps({**facts, "checksums": checksums})
    with atomic_write(path) as temporary:  # one entry of metadata: several would be written in random order
        save_file(arrays, temporary, metadata={METADATA: f"{crc32(metadata.encode())} {metadata}"})


def _checksums(data: bytes) -> list[int]:
    """The checksum of each block."""
    view = memoryview(data)
    return [crc32(view[start : start + BLOCK]) for start in range(0, len(view), BLOCK)]


def _concatenate(parts: Sequence[IdLists]) -> IdLists:
    ends = np.cumsum([0, *(len(part.ids) for part in parts)])
    offsets = [part.offsets[1:] + end for part, end in zip(parts, ends, strict=False)]
    ids = [part.ids for part in parts] or [np.empty(0, np.uint16)]
    return IdLists(np.concatenate([[0], *offsets]).astype(np.int32), np.concatenate(ids))


def read_shard(path: Path) -> Shard:
    """Read a shard except its ids, which `block_is_intact` checks.

    Raises:
        DataError: the file is missing, damaged, foreign, or from an old version without checksums.
    """
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if not 0 < size < MAX_HEADER:
                raise ValueError("it has no header")
            header = json.loads(file.read(size))
            checksum, _, text = header["__metadata__"][METADATA].partition(" ")
            if checksum != str(crc32(text.encode())):
                raise ValueError("checksum mismatch")
            metadata = json.loads(text)
            source, target = (_column(header, metadata["checksums"], side, file.fileno(), 8 + size) for side in SIDES)
        if len(source.offsets) != len(target.offsets):
            raise ValueError("its sides differ in length")
        _check_types(metadata)
        key, read, dropped, report = (metadata[name] for name in ("key", "read", "dropped", "report"))
        return Shard(path, key, read, Counter(dropped), report, source, target)
    except (OSError, LookupError, ValueError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path} is not an encoded corpus ({reason}): delete its folder and start again") from None


def _check_types(metadata: Any) -> None:
    counts = [metadata["read"], *metadata["dropped"].values()]
    if not all(type(count) is int and count >= 0 for count in counts):
        raise ValueError("its counts are not numbers")
    if not isinstance(metadata["key"], str) or not isinstance(metadata["report"], str | None):
        raise ValueError("its key or its report is not text")


def _column(header: Any, checksums: Any, side: str, file: int, start: int) -> Column:
    """One side's offsets and the position of its ids; checks that the file contains all of them."""
    offsets_at, ids_at = (header[f"{side}.{part}"]["data_offsets"] for part in ("offsets", "ids"))
    (begin, end), (first, last) = offsets_at, ids_at
    length = os.fstat(file).st_size - start
    if not (0 <= begin <= end <= length and 0 <= first <= last <= length):  # before memory is allocated
        raise ValueError(f"its {side} side is incomplete")
    if end - begin > MAX_OFFSETS:
        raise ValueError(f"its {side} side is too large")
    data = read_at(file, end - begin, start + begin)
    offsets, dtype = np.frombuffer(data, np.dtype("<i4")), TYPES[header[f"{side}.ids"]["dtype"]]
    shapes = [header[f"{side}.{part}"]["shape"] for part in ("offsets", "ids")]
    count = int(offsets[-1]) if len(offsets) else -1
    complete = count * dtype.itemsize == last - first and offsets[0] == 0
    complete = complete and shapes == [[len(offsets)], [count]] and header[f"{side}.offsets"]["dtype"] == "I32"
    if not complete or (offsets[1:] < offsets[:-1]).any():
        raise ValueError(f"its {side} side is incomplete")
    id_checksums = list(checksums[f"{side}.ids"])
    if checksums[f"{side}.offsets"] != _checksums(data) or len(id_checksums) != -(-(last - first) // BLOCK):
        raise ValueError("checksum mismatch")
    return Column(offsets, start + first, dtype, id_checksums)


def block_is_intact(file: int, column: Column, number: int, vocabulary_size: int) -> bool:
    """Whether a block of ids matches its checksum and all ids are in the vocabulary.

    Checksums detect damage but not manipulation, so the ids are checked too.

    Args:
        file: descriptor of the shard.
        column: the side.
        number: of the block, from 0.
        vocabulary_size: number of tokens.
    """
    start, size = number * BLOCK, int(column.offsets[-1]) * column.dtype.itemsize
    data = read_at(file, min(BLOCK, size - start), column.position + start)
    if crc32(data) != column.checksums[number]:
        return False
    ids = np.frombuffer(data, column.dtype)
    return bool(ids.min() >= 0 and ids.max() < vocabulary_size)
