"""The built-in corpus as one that is read: a small one from memory, a large one drawn by several processes meanwhile.

Any size is read in bounded memory, but for 24 bytes a pair that tell which sentences have been.
"""

import hashlib
from array import array
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import cached_property, partial
from itertools import count, islice
from pathlib import Path
from typing import NamedTuple

from seq2seq.corpora.pair import Pair
from seq2seq.corpora.reading import Beginning
from seq2seq.grammar import sentences as builtin
from seq2seq.grammar.sentences import (
    BuiltinConfig,
    Seen,
    builtin_corpus,
    drawn_block,
    exhausted,
    hashed,
    size_of,
)
from seq2seq.system.atomic import atomic_write
from seq2seq.system.workers import available_cores, ordered_map

HELD = 100_000
"""A corpus of so many pairs is kept in memory once it has been read; a larger one is drawn at each reading."""

KNOWN_BY = 200
"""Pairs by which a change of the grammar is noticed."""


class Block(NamedTuple):
    """What a process has drawn: the pairs of a split, in order, and the hashes of both sides, source before target."""

    pairs: list[tuple[str, str]]
    hashes: "array[int]"


def draw_block(seed: int, split: str, draws: int, number: int) -> Block:
    """All pairs of a block, those that are there twice among them."""
    drawn = [found[1] for found in drawn_block(seed, split, number, draws) if found is not None]
    hashes = array("Q", [hashed(text) for pair in drawn for text in pair])
    return Block([(pair.source, pair.target) for pair in drawn], hashes)


class BuiltinCorpus:
    """A split of the built-in corpus: the pairs of `builtin_corpus`.

    Args:
        config: sizes and seed.
        split: ``train``, ``validation`` or ``test``.
        processes: how many draw a large one; None: as many as there are cores.

    Raises:
        ConfigError: unknown split; while reading, more pairs than the grammar yields.
    """

    def __init__(self, config: BuiltinConfig, split: str, processes: int | None = None) -> None:
        self.name = f"built-in corpus ({split})"
        self.size = size_of(config, split)
        self.processes = processes
        self._config, self._split = config, str(split)

    @cached_property
    def fingerprint(self) -> str:
        """Settings, and a hash of the first pairs."""
        first = hashlib.sha256(repr(builtin_corpus(self._shortened(KNOWN_BY), self._split)).encode()).hexdigest()
        return f"built-in {self._config.seed} {self._split} {self.size} {first}"

    @cached_property
    def _held(self) -> list[Pair]:
        return builtin_corpus(self._config, self._split)

    def __iter__(self) -> Iterator[Pair]:
        return iter(self._held) if self.size <= HELD else self._drawn(0, None)

    def expected(self) -> int | None:
        """How many pairs there are."""
        return self.size

    def beginning(self, pairs: int) -> Beginning:
        """The first pairs: their order is random, so they are a sample of all."""
        first = BuiltinCorpus(self._shortened(pairs), self._split, self.processes) if pairs < self.size else self
        return Beginning((pair for pair in first), first.size)

    def after(self, done: int, notes: Path) -> Iterator[Pair]:
        """All pairs but the first ``done``: the blocks of which all pairs are done are not drawn again."""
        return islice(self._held, done, None) if self.size <= HELD else self._drawn(done, notes)

    def _shortened(self, pairs: int) -> BuiltinConfig:
        """The settings of the same corpus with at most so many pairs."""
        return replace(self._config, **{f"{self._split}_size": min(pairs, self.size)})

    def _drawn(self, done: int, notes: Path | None) -> Iterator[Pair]:
        seen = Seen(2 * self.size)
        first, found = (0, 0) if notes is None else _recalled(notes, done, seen)
        draw = partial(draw_block, self._config.seed, self._split, builtin.DRAWS)
        with closing(ordered_map(draw, count(first), self.processes or available_cores(), before_start=0)) as blocks:
            for number, block in enumerate(blocks, first):
                new = array("Q")
                for pair, *both in zip(block.pairs, block.hashes[::2], block.hashes[1::2], strict=True):
                    if seen.add(*both):
                        new.extend(both)
                        found += 1
                        if found > done:
                            yield Pair(*pair)
                        if found == self.size:
                            return
                if not new:
                    raise exhausted(self._split, self.size, found)
                if notes is not None:
                    with atomic_write(_note(notes, number)) as temporary:
                        temporary.write_bytes(new.tobytes())


def _note(notes: Path, number: int) -> Path:
    """Where the hashes of a block's new pairs are kept."""
    return notes / f"block-{number:05}"


def _recalled(notes: Path, done: int, seen: Seen) -> tuple[int, int]:
    """Take in what was drawn of the first ``done`` pairs: the blocks that are finished, and the pairs in them."""
    found = 0
    for number in count():
        path = _note(notes, number)
        known = array("Q", path.read_bytes() if path.exists() else b"")
        if not known or found + len(known) // 2 > done:
            return number, found
        for place in range(0, len(known), 2):
            seen.add(known[place], known[place + 1])
        found += len(known) // 2
    raise AssertionError("numbers do not end")
