"""Text to ids, some thousand pairs at a time, by as many processes as are asked for."""

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
"""Pairs encoded at a time."""

CHARACTERS = 4_000_000
"""Characters after which a chunk ends early, so that memory is bounded whatever stands on a line."""

Ids = npt.NDArray[np.int32]
Narrow = npt.NDArray[np.integer[Any]]
"""16 bits an id where the vocabulary has no more than 65,536 pieces."""


class Rows(NamedTuple):
    """Lists of ids, one after the other."""

    offsets: Ids
    """Where in the ids each list begins, and where the last ends, [lists + 1]."""
    ids: Narrow


class Chunk(NamedTuple):
    """Some encoded pairs in their order, and what became of the text they are from."""

    source: Rows
    target: Rows
    read: int
    dropped: Counter[str]
    """Pairs that the filters took out, by reason."""


def id_type(size: int) -> np.dtype[np.integer[Any]]:
    """The narrowest type for the ids of a vocabulary."""
    return np.dtype(np.uint16 if size <= 1 << 16 else np.int32)


def encoded_chunks(
    pairs: Iterable[Pair], tokenizers: Tokenizers, filters: FilterConfig | None, monolingual: bool, processes: int
) -> Generator[Chunk]:
    """Encode and filter all pairs, `CHUNK` at a time, or fewer that are long.

    Args:
        pairs: read as they are needed, in this process.
        tokenizers: of both sides.
        filters: which pairs to drop; None drops only those that are blank on a side.
        monolingual: sources are empty by design.
        processes: how many encode, once it is seen that there is much to do.

    Raises:
        DataError: as the pairs raise it.
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
) -> Chunk:
    """Encode and filter some pairs, with so many threads (None: one a core)."""
    sources = tokenizers.source.encode_all([source for source, _ in pairs], threads)
    targets = tokenizers.target.encode_all([target for _, target in pairs], threads)
    filtered = Filters(filters, monolingual)
    kept = [both for both in zip(sources, targets, strict=True) if filtered.keep(*map(len, both))]
    return Chunk(
        _rows([source for source, _ in kept], tokenizers.source.size),
        _rows([target for _, target in kept], tokenizers.target.size),
        len(pairs),
        filtered.dropped,
    )


def _rows(lists: Sequence[Sequence[int]], size: int) -> Rows:
    offsets = np.zeros(len(lists) + 1, dtype=np.int32)
    np.cumsum([len(ids) for ids in lists], out=offsets[1:])
    return Rows(offsets, np.fromiter(chain.from_iterable(lists), id_type(size), count=int(offsets[-1])))


def _chunks(pairs: Iterable[Pair], size: int) -> Iterator[list[tuple[str, str]]]:
    """Plain tuples: they travel to another process in half the time."""
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
