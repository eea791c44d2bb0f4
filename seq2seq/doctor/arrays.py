"""Pairs as arrays: all characters of some pairs, and a few numbers for every pair of a corpus."""

from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seq2seq.doctor.findings import Integers
from seq2seq.doctor.quotes import quote_flags
from seq2seq.portable.normalization import is_blank
from seq2seq.tokenizer.normalization import normalize

Mask = npt.NDArray[np.bool_]


class SentenceArray:
    """The sentences of one side, with their characters in one array.

    Attributes:
        sentences: the text.
        lengths: characters of each sentence, [sentences].
        codes: code points of all sentences, each followed by a space, [characters + sentences].
        starts: index in ``codes`` of the first character of each sentence, [sentences].
    """

    def __init__(self, sentences: list[str]) -> None:
        self.sentences = sentences
        self.lengths = np.fromiter(map(len, sentences), np.int64, len(sentences))
        text = " ".join([*sentences, ""])
        self.codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.intp)
        self.starts = np.cumsum(self.lengths + 1) - self.lengths - 1

    def rows_at(self, positions: npt.NDArray[np.intp]) -> Integers:
        """Return the sentences that contain these ascending positions of ``codes``, each sentence once."""
        if not len(positions):
            return positions.astype(np.int64)
        rows = np.searchsorted(self.starts, positions, "right") - 1
        return np.asarray(rows[np.append(True, rows[1:] != rows[:-1])], np.int64)

    def sums(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
        """Sum one value per code over each sentence and the space after it, [sentences]."""
        return np.add.reduceat(values, self.starts, dtype=np.float64)

    @cached_property
    def blank(self) -> Mask:
        """Which sentences have no visible character, [sentences]."""
        return np.fromiter(map(is_blank, self.sentences), np.bool_, len(self.sentences))

    @cached_property
    def hashes(self) -> Integers:
        """64-bit hashes of the sentences as training sees them, stable within one process only, [sentences]."""
        return np.fromiter((hash(normalize(text)) for text in self.sentences), np.int64, len(self.sentences))


class PairArrays(NamedTuple):
    """Consecutive pairs of a corpus."""

    source: SentenceArray
    target: SentenceArray
    errors: Mapping[int, str]
    """Why a row cannot be read, by row."""

    @property
    def sides(self) -> dict[str, SentenceArray]:
        """Both sides by name."""
        return {"source": self.source, "target": self.target}

    @property
    def identical(self) -> Mask:
        """Which pairs have equal sides after normalization, [pairs]."""
        return np.asarray(self.source.hashes == self.target.hashes)


class PairStatistics(NamedTuple):
    """Numbers kept for every pair of a corpus, 27 bytes per pair."""

    source_hashes: Integers
    target_hashes: Integers
    source_lengths: npt.NDArray[np.int32]
    target_lengths: npt.NDArray[np.int32]
    filled: Mask
    """Whether neither side is blank."""
    source_quotes: npt.NDArray[np.uint8]
    target_quotes: npt.NDArray[np.uint8]
    """How the sentences use quotation marks (`quote_flags`)."""
    unpaired: tuple[int, int] = (0, 0)
    """Surplus lines at the end of the source file and of the target file."""

    @property
    def pair_hashes(self) -> Integers:
        """Hashes of both sides together, [pairs]."""
        return self.source_hashes * np.int64(0x2545F4914F6CDD1D) + self.target_hashes


def pair_statistics(pairs: PairArrays) -> PairStatistics:
    """Compute the numbers to keep of some pairs."""
    source, target = pairs.source, pairs.target
    return PairStatistics(
        source.hashes,
        target.hashes,
        source.lengths.astype(np.int32),
        target.lengths.astype(np.int32),
        ~(source.blank | target.blank),
        quote_flags(source.sentences),
        quote_flags(target.sentences),
    )


def concatenated(parts: list[PairStatistics], unpaired: tuple[int, int]) -> PairStatistics:
    """Join the statistics of consecutive parts of a corpus."""
    return PairStatistics(
        np.concatenate([part.source_hashes for part in parts]),
        np.concatenate([part.target_hashes for part in parts]),
        np.concatenate([part.source_lengths for part in parts]),
        np.concatenate([part.target_lengths for part in parts]),
        np.concatenate([part.filled for part in parts]),
        np.concatenate([part.source_quotes for part in parts]),
        np.concatenate([part.target_quotes for part in parts]),
        unpaired,
    )
