"""A shard: some hundred thousand encoded pairs in a file of their own, which is whole or not there.

The file is an Arrow IPC stream such as `datasets` writes; ``datasets.Dataset.from_file(path)`` opens it too. Its schema
carries a key of all that went into it. What became of the text, known only at the end, travels on a last batch without
rows.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from seq2seq.atomic import atomic_write
from seq2seq.data.encoding import Chunk, Ids, Rows
from seq2seq.errors import DataError

KEY, NOTE = b"seq2seq.key", b"seq2seq.note"
SIDES = "source", "target"
EMPTY = np.zeros(1, np.int32)
"""The offsets of no lists."""


class Column(NamedTuple):
    """Where in a file the ids of one side of a batch lie."""

    offsets: Ids
    """Where in the ids each pair's begin, and where the last's end, [pairs + 1]."""
    position: int
    """Bytes before the first id."""
    dtype: np.dtype[Any]


class Shard(NamedTuple):
    """What a file says of itself, and where in it the ids are."""

    path: Path
    key: str
    read: int
    """Pairs of text that it is made from."""
    dropped: Counter[str]
    report: str | None
    """In the last of a table alone: what was kept and dropped of the whole corpus."""
    columns: list[tuple[Column, Column]]
    """Source and target of each batch that has pairs."""

    def __len__(self) -> int:
        return sum(len(source.offsets) - 1 for source, _ in self.columns)


def shard_path(folder: Path, number: int) -> Path:
    """The file of a table's shard, counted from 0."""
    return folder / f"{number:05}.arrow"


def write_shard(path: Path, key: str, chunks: Sequence[Chunk], report: str | None) -> None:
    """Write a shard, whole or not at all; with a report it is the table's last.

    Raises:
        RunError: the disk is full, or the file cannot be written.
    """
    nothing = [Rows(EMPTY, side.ids[:0]) for side in _sides(chunks[0])] if chunks else [Rows(EMPTY, EMPTY[:0])] * 2
    fields = [(name, pa.list_(pa.from_numpy_dtype(side.ids.dtype))) for name, side in zip(SIDES, nothing, strict=True)]
    schema = pa.schema(fields, metadata={KEY: key.encode()})
    dropped: Counter[str] = sum((chunk.dropped for chunk in chunks), Counter())
    note = {"read": sum(chunk.read for chunk in chunks), "dropped": dropped, "report": report}
    with (
        atomic_write(path) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_stream(sink, schema) as writer,
    ):
        for chunk in chunks:
            writer.write_batch(_batch(_sides(chunk), schema))
        writer.write_batch(_batch(nothing, schema), custom_metadata={NOTE: json.dumps(note).encode()})


def read_shard(path: Path) -> Shard:
    """Read all of a shard but its ids.

    Raises:
        DataError: the file is missing, damaged or foreign.
    """
    try:
        with pa.memory_map(str(path)) as mapped:
            whole = mapped.read_buffer(mapped.size())
            reader = pa.ipc.open_stream(whole)
            key = _entry(reader.schema.metadata, KEY)
            batches = list(reader.iter_batches_with_custom_metadata())
            note = json.loads(_entry(batches[-1][1], NOTE))
            columns = [
                (_column(batch.column(SIDES[0]), whole), _column(batch.column(SIDES[1]), whole))
                for batch, _ in batches
                if batch.num_rows
            ]
        return Shard(path, key, note["read"], Counter(note["dropped"]), note["report"], columns)
    except (pa.ArrowException, OSError, LookupError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path} is no encoded corpus ({reason}); delete its folder and start again") from None


def _sides(chunk: Chunk) -> tuple[Rows, Rows]:
    return chunk.source, chunk.target


def _batch(sides: Sequence[Rows], schema: Any) -> Any:
    arrays = [pa.ListArray.from_arrays(pa.array(side.offsets), pa.array(side.ids)) for side in sides]
    return pa.record_batch(arrays, schema=schema)


def _entry(notes: Any, name: bytes) -> str:
    """A line of metadata; LookupError where it is missing, as in a foreign or half-written file."""
    if not notes or name not in notes:
        raise LookupError(f"it has no {name.decode()}")
    return str(notes[name].decode())


def _column(array: Any, whole: Any) -> Column:
    """Offsets are copied, ids only found: the map of the file is given back."""
    ids = array.values
    position = ids.buffers()[1].address - whole.address if len(ids) else 0
    return Column(array.offsets.to_numpy().copy(), position, np.dtype(ids.type.to_pandas_dtype()))
