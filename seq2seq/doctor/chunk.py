"""Pairs as arrays: some of them as they pass, and the few numbers that are kept of each."""

from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seq2seq.doctor.types import Numbers

Mask = npt.NDArray[np.bool_]


class Side:
    """The sentences of one side, and all their characters in one array.

    Attributes:
        lines: the sentences.
        lengths: characters in each, [lines].
        codes: code points of all of them, a space after each sentence, [characters + lines].
        starts: where in ``codes`` each begins, [lines].
    """

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.lengths = np.fromiter(map(len, lines), np.int64, len(lines))
        text = " ".join([*lines, ""])
        self.codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.intp)
        self.starts = np.cumsum(self.lengths + 1) - self.lengths - 1

    def rows_at(self, positions: npt.NDArray[np.intp]) -> Numbers:
        """The sentences that ascending positions in ``codes`` lie in, each once."""
        if not len(positions):
            return positions.astype(np.int64)
        rows = np.searchsorted(self.starts, positions, "right") - 1
        return np.asarray(rows[np.append(True, rows[1:] != rows[:-1])], np.int64)

    def sums(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
        """Sum over each sentence and its final space of one value a character, [lines]."""
        return np.add.reduceat(values, self.starts, dtype=np.float64)

    @cached_property
    def blank(self) -> Mask:
        """Which sentences are empty or white space, [lines]."""
        spaces = np.fromiter(map(str.isspace, self.lines), np.bool_, len(self.lines))
        return np.asarray((self.lengths == 0) | spaces)

    @cached_property
    def hashes(self) -> Numbers:
        """A 64-bit hash of each sentence, the same within one process only, [lines]."""
        return np.fromiter(map(hash, self.lines), np.int64, len(self.lines))


class Chunk(NamedTuple):
    """Some pairs that follow each other."""

    source: Side
    target: Side
    broken: Mapping[int, str]

    @property
    def sides(self) -> dict[str, Side]:
        """Both sides by name."""
        return {"source": self.source, "target": self.target}

    @property
    def same(self) -> Mask:
        """Where source = target, [pairs]."""
        return np.asarray(self.source.hashes == self.target.hashes)


class Measures(NamedTuple):
    """What is kept of every pair of a corpus, 25 bytes each."""

    source_hashes: Numbers
    target_hashes: Numbers
    source_lengths: npt.NDArray[np.int32]
    target_lengths: npt.NDArray[np.int32]
    filled: Mask
    """Where neither side is blank."""
    unpaired: tuple[int, int] = (0, 0)
    """Lines left over at the end of the source file and of the target file."""

    @property
    def pair_hashes(self) -> Numbers:
        """A hash of both sides together, [pairs]."""
        return self.source_hashes * np.int64(0x2545F4914F6CDD1D) + self.target_hashes


def measures(chunks: list[Measures], unpaired: tuple[int, int]) -> Measures:
    """The measures of several stretches as one."""
    return Measures(
        np.concatenate([chunk.source_hashes for chunk in chunks]),
        np.concatenate([chunk.target_hashes for chunk in chunks]),
        np.concatenate([chunk.source_lengths for chunk in chunks]),
        np.concatenate([chunk.target_lengths for chunk in chunks]),
        np.concatenate([chunk.filled for chunk in chunks]),
        unpaired,
    )


def measure(chunk: Chunk) -> Measures:
    """What is kept of some pairs."""
    source, target = chunk.source, chunk.target
    return Measures(
        source.hashes,
        target.hashes,
        source.lengths.astype(np.int32),
        target.lengths.astype(np.int32),
        ~(source.blank | target.blank),
    )
