"""The built-in corpus: small ones are generated once and kept in memory, large ones by several processes while read.

Memory is bounded for every size, except for 24 bytes per pair of hashes that identify the sentences so far.
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

from seq2seq.corpora.config import BuiltinConfig
from seq2seq.corpora.corpus import Corpus, Pair, PairSample
from seq2seq.grammar import sentences as grammar
from seq2seq.grammar.sentences import HashSet, draw_sentences, exhausted, text_hash
from seq2seq.system.atomic import atomic_write
from seq2seq.system.workers import available_cores, ordered_map

IN_MEMORY = 100_000
"""Pairs up to which a corpus is kept in memory; a larger one is generated at each reading."""

FINGERPRINT_PAIRS = 200
"""Pairs in the fingerprint, which reveal a changed grammar."""


class Block(NamedTuple):
    """The pairs of a split in one block, in order, and the hashes of both sides, source before target."""

    pairs: list[tuple[str, str]]
    hashes: "array[int]"


def generate_block(seed: int, split: str, draws: int, number: int) -> Block:
    """All pairs of a block, repeated ones included."""
    pairs = [drawn[1] for drawn in grammar.draw_block(seed, split, number, draws) if drawn is not None]
    return Block(pairs, array("Q", [text_hash(text) for pair in pairs for text in pair]))


class BuiltinCorpus(Corpus):
    """One split of the built-in corpus: English sources, German targets, distinct on either side, in random order.

    The pairs depend on the seed and the split alone: a larger size adds pairs at the end.

    Args:
        config: sizes and seed.
        split: ``train``, ``validation`` or ``test``.
        processes: number of processes that generate a large corpus; None: one per core.

    Raises:
        ConfigError: unknown split; while reading, a size that exceeds the sentences of the grammar.
    """

    def __init__(self, config: BuiltinConfig, split: str, processes: int | None = None) -> None:
        self.name = f"built-in corpus ({split})"
        self.size = config.size_of(split)
        self.processes = processes
        self._config, self._split = config, str(split)

    @cached_property
    def fingerprint(self) -> str:
        """The settings, and a hash of the first pairs."""
        pairs = self._generate(min(FINGERPRINT_PAIRS, self.size))
        first = hashlib.sha256(repr(pairs).encode()).hexdigest()
        return f"built-in {self._config.seed} {self._split} {self.size} {first}"

    @cached_property
    def _pairs(self) -> list[Pair]:
        return self._generate(self.size)

    def __iter__(self) -> Iterator[Pair]:
        return iter(self._pairs) if self.size <= IN_MEMORY else self._generate_blocks(0, None)

    def expected_pairs(self) -> int:
        """The number of pairs."""
        return self.size

    def vocabulary_sample(self, size: int) -> PairSample:
        """The first ``size`` pairs: they are a random sample, as the order is random."""
        shorter = replace(self._config, **{f"{self._split}_size": min(size, self.size)})
        corpus = BuiltinCorpus(shorter, self._split, self.processes) if size < self.size else self
        return PairSample((pair for pair in corpus), corpus.size)

    def pairs_after(self, count: int, state: Path) -> Iterator[Pair]:
        """All pairs except the first ``count``. Blocks that were read to their end are not generated again."""
        return islice(self._pairs, count, None) if self.size <= IN_MEMORY else self._generate_blocks(count, state)

    def _generate(self, size: int) -> list[Pair]:
        return [Pair(*texts) for _, texts in draw_sentences(self._config.seed, self._split, size)]

    def _generate_blocks(self, done: int, state: Path | None) -> Iterator[Pair]:
        seen = HashSet(2 * self.size)
        first, found = (0, 0) if state is None else _restore(state, done, seen)
        generate = partial(generate_block, self._config.seed, self._split, grammar.DRAWS)
        with closing(
            ordered_map(generate, count(first), self.processes or available_cores(), before_start=0)
        ) as blocks:
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
                if state is not None:
                    with atomic_write(_hashes_path(state, number)) as temporary:
                        temporary.write_bytes(new.tobytes())


def _hashes_path(state: Path, number: int) -> Path:
    """The file with the hashes of a block's new pairs."""
    return state / f"block-{number:05}"


def _restore(state: Path, done: int, seen: HashSet) -> tuple[int, int]:
    """Add the hashes of finished blocks within the first ``done`` pairs; returns the number of blocks and of pairs."""
    found = 0
    for number in count():
        path = _hashes_path(state, number)
        hashes = array("Q", path.read_bytes() if path.exists() else b"")
        if not hashes or found + len(hashes) // 2 > done:
            return number, found
        for start in range(0, len(hashes), 2):
            seen.add(hashes[start], hashes[start + 1])
        found += len(hashes) // 2
    raise AssertionError("unreachable: count() does not end")
