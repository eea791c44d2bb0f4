"""A shard: some hundred thousand encoded pairs in a file of their own, which is whole or not there.

The file is in the safetensors format: a head in JSON says where each array lies, so ids can be read from it a sentence
at a time; ``safetensors.numpy.load_file(path)`` reads it as a whole. The head also carries a key of all that went into
the shard, what became of the text, and checksums: of the ids one for each `BLOCK`, as they are not read at once.
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

NOTE, SIDES = "corpus", ("source", "target")
TYPES: dict[str, np.dtype[Any]] = {"U16": np.dtype("<u2"), "I32": np.dtype("<i4")}
LARGEST_HEAD = 1_000_000
"""Bytes: a head that claims more is none."""
LARGEST_OFFSETS = 16_000_000
"""Bytes of a side's offsets, likewise: those of four million pairs, and twenty times what preparation writes."""

BLOCK = 1 << 16
"""Bytes of ids that have a checksum (CRC-32): what is read to check the first sentence in it."""


class Column(NamedTuple):
    """Where in a file the ids of one side lie."""

    offsets: Ids
    """Where in the ids each pair's begin, and where the last's end, [pairs + 1]."""
    position: int
    """Bytes before the first id."""
    dtype: np.dtype[Any]
    checksums: list[int]
    """Of each `BLOCK` of the ids."""


class Shard(NamedTuple):
    """What a file says of itself, and where in it the ids are."""

    path: Path
    key: str
    read: int
    """Pairs of text that it is made from."""
    dropped: Counter[str]
    report: str | None
    """In the last of a table alone: what was kept and dropped of the whole corpus."""
    source: Column
    target: Column

    @property
    def pairs(self) -> int:
        """How many it holds."""
        return len(self.source.offsets) - 1


def shard_path(folder: Path, number: int) -> Path:
    """The file of a table's shard, counted from 0."""
    return folder / f"{number:05}.safetensors"


def write_shard(path: Path, key: str, chunks: Sequence[EncodedChunk], report: str | None) -> None:
    """Write a shard, whole or not at all; with a report it is the table's last.

    Raises:
        RunError: the disk is full, or the file cannot be written.
    """
    dropped: Counter[str] = sum((chunk.dropped for chunk in chunks), Counter())
    sides = joined([chunk.source for chunk in chunks]), joined([chunk.target for chunk in chunks])
    arrays: dict[str, npt.NDArray[Any]] = {}
    for side, rows in zip(SIDES, sides, strict=True):
        arrays |= {f"{side}.offsets": rows.offsets, f"{side}.ids": rows.ids}
    checksums = {name: _checksums(array.tobytes()) for name, array in arrays.items()}
    facts = {"key": key, "read": sum(chunk.read for chunk in chunks), "dropped": dropped, "report": report}
    note = json.dumps({**facts, "checksums": checksums})
    with atomic_write(path) as temporary:
        save_file(arrays, temporary, metadata={NOTE: f"{crc32(note.encode())} {note}"})  # one: their order is random


def _checksums(data: bytes) -> list[int]:
    """That of each block."""
    view = memoryview(data)
    return [crc32(view[start : start + BLOCK]) for start in range(0, len(view), BLOCK)]


def joined(parts: Sequence[IdLists]) -> IdLists:
    """Lists of ids behind one another."""
    ends = np.cumsum([0, *(len(part.ids) for part in parts)])
    offsets = [part.offsets[1:] + end for part, end in zip(parts, ends, strict=False)]
    ids = [part.ids for part in parts] or [np.empty(0, np.uint16)]
    return IdLists(np.concatenate([[0], *offsets]).astype(np.int32), np.concatenate(ids))


def read_shard(path: Path) -> Shard:
    """Read all of a shard but its ids, which `block_is_whole` checks.

    Raises:
        DataError: the file is missing, damaged, foreign, or of an older version that wrote no checksums.
    """
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if not 0 < size < LARGEST_HEAD:
                raise ValueError("it has no head")
            head = json.loads(file.read(size))
            checksum, _, text = head["__metadata__"][NOTE].partition(" ")
            if checksum != str(crc32(text.encode())):
                raise ValueError("checksum mismatch")
            note = json.loads(text)
            source, target = (_column(head, note["checksums"], side, file.fileno(), 8 + size) for side in SIDES)
        if len(source.offsets) != len(target.offsets):
            raise ValueError("its sides are not of one length")
        _check(note)
        return Shard(path, note["key"], note["read"], Counter(note["dropped"]), note["report"], source, target)
    except (OSError, LookupError, ValueError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path} is no encoded corpus ({reason}); delete its folder and start again") from None


def _check(note: Any) -> None:
    """Hold what a note says to the types of a `Shard`."""
    counts = [note["read"], *note["dropped"].values()]
    if not all(type(count) is int and count >= 0 for count in counts):
        raise ValueError("its counts are no numbers")
    if not isinstance(note["key"], str) or not isinstance(note["report"], str | None):
        raise ValueError("its key or its report is no text")


def _column(head: Any, checksums: Any, side: str, file: int, start: int) -> Column:
    """One side's offsets, and the place of its ids, which must all be there."""
    offsets_at, ids_at = (head[f"{side}.{part}"]["data_offsets"] for part in ("offsets", "ids"))
    (begin, end), (first, last) = offsets_at, ids_at
    length = os.fstat(file).st_size - start
    if not (0 <= begin <= end <= length and 0 <= first <= last <= length):  # before any memory is taken for it
        raise ValueError(f"its {side} side is not whole")
    if end - begin > LARGEST_OFFSETS:
        raise ValueError(f"its {side} side is too large")
    data = read_at(file, end - begin, start + begin)
    offsets, dtype = np.frombuffer(data, np.dtype("<i4")), TYPES[head[f"{side}.ids"]["dtype"]]
    shapes = [head[f"{side}.{part}"]["shape"] for part in ("offsets", "ids")]
    count = int(offsets[-1]) if len(offsets) else -1
    whole = count * dtype.itemsize == last - first and offsets[0] == 0
    whole = whole and shapes == [[len(offsets)], [count]] and head[f"{side}.offsets"]["dtype"] == "I32"
    if not whole or (offsets[1:] < offsets[:-1]).any():
        raise ValueError(f"its {side} side is not whole")
    known = list(checksums[f"{side}.ids"])
    if checksums[f"{side}.offsets"] != _checksums(data) or len(known) != -(-(last - first) // BLOCK):
        raise ValueError("checksum mismatch")
    return Column(offsets, start + first, dtype, known)


def block_is_whole(file: int, column: Column, number: int, pieces: int) -> bool:
    """Whether a block of a side's ids, counted from 0, is what was written, and a vocabulary has them all.

    Whoever can write a shard can write its checksums: these find damage, and the ids are looked at.

    Args:
        file: the shard's descriptor.
        column: its side.
        number: the block's.
        pieces: how many the vocabulary has.
    """
    start, size = number * BLOCK, int(column.offsets[-1]) * column.dtype.itemsize
    data = read_at(file, min(BLOCK, size - start), column.position + start)
    if crc32(data) != column.checksums[number]:
        return False
    ids = np.frombuffer(data, column.dtype)
    return bool(ids.min() >= 0 and ids.max() < pieces)
