"""Text to token ids, in chunks of pairs that several processes encode."""

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seq2seq.corpora.corpus import Pair
from seq2seq.corpora.filters import FilterConfig, Filters
from seq2seq.system.workers import ordered_map
from seq2seq.tokenizer.tokenizer import Tokenizers

CHUNK = 10_000
"""Pairs per chunk."""

CHARACTERS = 4_000_000
"""Characters after which a chunk ends early, so that long lines do not exhaust the memory."""

Ids = npt.NDArray[np.int32]
Narrow = npt.NDArray[np.integer[Any]]
"""16 bits per id if the vocabulary has at most 65,536 tokens."""


class IdLists(NamedTuple):
    """Lists of ids in one array."""

    offsets: Ids
    """Start of each list in ``ids``, and the end of the last, [lists + 1]."""
    ids: Narrow


class EncodedChunk(NamedTuple):
    """Encoded pairs in order, and the counts of the text they are from."""

    source: IdLists
    target: IdLists
    read: int
    """Pairs of text."""
    dropped: Counter[str]
    """Pairs removed by the filters, by reason."""


def id_type(size: int) -> np.dtype[np.integer[Any]]:
    """The smallest type for the ids of a vocabulary."""
    return np.dtype(np.uint16 if size <= 1 << 16 else np.int32)


def encoded_chunks(
    pairs: Iterable[Pair], tokenizers: Tokenizers, filters: FilterConfig | None, monolingual: bool, processes: int
) -> Generator[EncodedChunk]:
    """Encode and filter all pairs in chunks of `CHUNK`, or fewer if they are long.

    Args:
        pairs: read lazily, in this process.
        tokenizers: of both sides.
        filters: pairs to drop; None drops only pairs with a blank side.
        monolingual: sources are empty by design.
        processes: number of encoding processes; they start once the work turns out to be large.

    Raises:
        DataError: as raised by the pairs.
        RunError: a process was killed.
    """
    encode = partial(encode_chunk, tokenizers, filters, monolingual, 1 if processes > 1 else None)
    return ordered_map(encode, _chunks(pairs, CHUNK), processes)


def encode_chunk(
    tokenizers: Tokenizers,
    filters: FilterConfig | None,
    monolingual: bool,
    threads: int | None,
    pairs: Sequence[tuple[str, str]],
) -> EncodedChunk:
    """Encode and filter some pairs with ``threads`` threads (None: one per core)."""
    sources = tokenizers.source.encode_all([source for source, _ in pairs], threads)
    targets = tokenizers.target.encode_all([target for _, target in pairs], threads)
    filtered = Filters(filters, monolingual)
    kept = [pair for pair in zip(sources, targets, strict=True) if filtered.keep(*map(len, pair))]
    return EncodedChunk(
        _id_lists([source for source, _ in kept], tokenizers.source.size),
        _id_lists([target for _, target in kept], tokenizers.target.size),
        len(pairs),
        filtered.dropped,
    )


def _id_lists(lists: Sequence[Sequence[int]], size: int) -> IdLists:
    offsets = np.zeros(len(lists) + 1, dtype=np.int32)
    np.cumsum([len(ids) for ids in lists], out=offsets[1:])
    return IdLists(offsets, np.fromiter(chain.from_iterable(lists), id_type(size), count=int(offsets[-1])))


def _chunks(pairs: Iterable[Pair], size: int) -> Iterator[list[tuple[str, str]]]:
    """Chunks of plain tuples: pickling these takes half the time."""
    chunk: list[tuple[str, str]] = []
    characters = 0
    for source, target in pairs:
        chunk.append((source, target))
        characters += len(source) + len(target)
        if len(chunk) == size or characters >= CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk
