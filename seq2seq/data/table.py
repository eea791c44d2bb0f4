"""An encoded corpus on disk: an Arrow file of piece ids, memory-mapped, so that its text costs no memory.

The file is an Arrow IPC stream such as `datasets` writes; ``datasets.Dataset.from_file(path)`` opens it too.
Its schema carries a key of all that went into it; the counts of kept and dropped pairs, known only at the
end, travel on a last batch without rows.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tqdm import tqdm

from seq2seq.atomic import atomic_write
from seq2seq.errors import DataError
from seq2seq.text.clean import FilterConfig, Filters
from seq2seq.text.corpus import Corpus
from seq2seq.text.monolingual import TargetSide
from seq2seq.text.tokenizer import Tokenizers
from seq2seq.text.types import Pair

CHUNK = 10_000  # pairs encoded and written at a time
LAYOUT = 1  # raise it when files written before must not be used again
FIELDS = [("source", pa.list_(pa.int32())), ("target", pa.list_(pa.int32()))]
KEY, REPORT = b"seq2seq.key", b"seq2seq.report"

Ids = npt.NDArray[np.int32]


class Encoded(Protocol):
    """Encoded pairs by number: a `Table`, or several of them in a `Mixture`."""

    def __len__(self) -> int: ...

    @property
    def source_lengths(self) -> Ids: ...  # noqa: D102

    @property
    def target_lengths(self) -> Ids: ...  # noqa: D102

    @property
    def report(self) -> str: ...  # noqa: D102

    def rows(self, indices: npt.NDArray[np.integer[Any]]) -> tuple[list[Ids], list[Ids]]: ...  # noqa: D102


class Table:
    """The encoded pairs of a corpus, by number.

    Args:
        path: a file that `encode_corpus` wrote.

    Raises:
        DataError: the file is missing, damaged or foreign.

    Attributes:
        report: one line with the counts of kept and dropped pairs.
        key: differs whenever the corpus, the tokenizers or the filters do.
    """

    def __init__(self, path: Path) -> None:
        try:
            reader = pa.ipc.open_stream(pa.memory_map(str(path)))
            self.key = _note(reader.schema.metadata, KEY)
            batches = list(reader.iter_batches_with_custom_metadata())
            self.report = _note(batches[-1][1], REPORT)
        except (pa.ArrowException, OSError, LookupError) as error:
            reason = " ".join(str(error).split())
            raise DataError(f"{path} is no encoded corpus ({reason}); delete it and start again") from None
        filled = [batch for batch, _ in batches if batch.num_rows]
        # number of the first pair in each chunk, and of the pair after the last
        self._starts = np.cumsum([0, *(batch.num_rows for batch in filled)])
        self._sources = [_views(batch.column("source")) for batch in filled]
        self._targets = [_views(batch.column("target")) for batch in filled]

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def source_lengths(self) -> Ids:
        """Pieces in each source sentence, [pairs]; read from the file at each call."""
        return np.concatenate([np.diff(offsets) for offsets, _ in self._sources])

    @property
    def target_lengths(self) -> Ids:
        """Pieces in each target sentence, [pairs]; read from the file at each call."""
        return np.concatenate([np.diff(offsets) for offsets, _ in self._targets])

    def rows(self, indices: npt.NDArray[np.integer[Any]]) -> tuple[list[Ids], list[Ids]]:
        """The source and target ids of some pairs, in the order asked for, without begin or end marks.

        The arrays are read-only views of the file: copy them into a batch.

        Raises:
            IndexError: an index is outside [0, pairs).
        """
        if indices.size and not (indices.min() >= 0 and indices.max() < len(self)):
            raise IndexError(f"pair numbers must be in [0, {len(self)}), got {indices.min()} to {indices.max()}")
        chunks = np.searchsorted(self._starts, indices, side="right") - 1
        places = list(zip(chunks.tolist(), (indices - self._starts[chunks]).tolist(), strict=True))
        return _taken(self._sources, places), _taken(self._targets, places)


def _note(notes: Any, name: bytes) -> str:
    """A line of metadata; LookupError where it is missing, as in a foreign or half-written file."""
    if not notes or name not in notes:
        raise LookupError(f"it has no {name.decode()}")
    return str(notes[name].decode())


def _views(column: Any) -> tuple[Ids, Ids]:
    """Offsets [rows + 1] and values of a list column, without copying."""
    return column.offsets.to_numpy(), column.values.to_numpy()


def _taken(chunks: list[tuple[Ids, Ids]], places: list[tuple[int, int]]) -> list[Ids]:
    """The lists at (chunk, row) places."""
    return [chunks[chunk][1][chunks[chunk][0][row] : chunks[chunk][0][row + 1]] for chunk, row in places]


def encode_corpus(corpus: Corpus, tokenizers: Tokenizers, path: Path, filters: FilterConfig | None) -> Table:
    """Filter and encode a corpus into a file in one pass, or open the file where that was done before.

    Args:
        corpus: the pairs; read ten thousand at a time.
        tokenizers: of both sides.
        path: the file; replaced in one step when complete, so that a stopped run leaves no half a table.
        filters: which pairs to drop; None drops only pairs that are blank on a side.

    Raises:
        DataError: the corpus cannot be read, or no pair is left.
    """
    key = _key(corpus, tokenizers, filters)
    if path.exists():
        try:
            table = Table(path)
        except DataError:  # damaged or foreign: written anew below
            pass
        else:
            if table.key == key:
                return table
    with atomic_write(path) as temporary:
        _write(corpus, tokenizers, temporary, Filters(filters, isinstance(corpus, TargetSide)), key)
    return Table(path)


def _key(corpus: Corpus, tokenizers: Tokenizers, filters: FilterConfig | None) -> str:
    """A hash of everything the encoded ids depend on."""
    key = hashlib.sha256(f"{LAYOUT} {corpus.fingerprint} {asdict(filters) if filters else None}".encode())
    for tokenizer in tokenizers:
        key.update(hashlib.sha256(tokenizer.to_bytes()).digest())
    return key.hexdigest()


def _write(corpus: Corpus, tokenizers: Tokenizers, path: Path, filters: Filters, key: str) -> None:
    """Encode chunk by chunk into an Arrow stream."""
    schema = pa.schema(FIELDS, metadata={KEY: key.encode()})
    with (
        pa.OSFile(str(path), "wb") as sink,
        pa.ipc.new_stream(sink, schema) as writer,
        tqdm(desc=f"encoding {corpus.name}", unit=" pairs", unit_scale=True, disable=None, leave=False) as progress,
    ):
        for pairs in _chunks(corpus):
            sources = tokenizers.source.encode_all([pair.source for pair in pairs])
            targets = tokenizers.target.encode_all([pair.target for pair in pairs])
            kept = [(s, t) for s, t in zip(sources, targets, strict=True) if filters.keep(len(s), len(t))]
            writer.write_batch(_batch([s for s, _ in kept], [t for _, t in kept], schema))
            progress.update(len(pairs))
        filters.require_some(corpus.name)
        writer.write_batch(_batch([], [], schema), custom_metadata={REPORT: filters.report().encode()})


def _batch(sources: list[list[int]], targets: list[list[int]], schema: Any) -> Any:
    arrays = [pa.array(side, field.type) for side, field in zip((sources, targets), schema, strict=True)]
    return pa.record_batch(arrays, schema=schema)


def _chunks(corpus: Corpus) -> Iterator[list[Pair]]:
    pairs = iter(corpus)
    while chunk := list(islice(pairs, CHUNK)):
        yield chunk
