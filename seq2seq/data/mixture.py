"""Several encoded corpora as one, with consecutive pair numbers and a weight per corpus for the batch sampler."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seq2seq.corpora.corpus import Corpus
from seq2seq.corpora.filters import FilterConfig
from seq2seq.corpora.mixture import MixedCorpus, WeightedCorpus
from seq2seq.data.encoding import Ids
from seq2seq.data.preparation import encode_cached
from seq2seq.data.table import EncodedPairs
from seq2seq.tokenizer.tokenizer import Tokenizers


class WeightedTable(NamedTuple):
    """One table of a mixture."""

    name: str
    """For messages."""
    table: EncodedPairs
    weight: float
    """Average repetitions of each pair per epoch."""


class TableMixture:
    """The pairs of several tables by number: first those of the first table, then those of the second, and so on.

    It has the methods of `Table`.

    Args:
        parts: at least one.
    """

    def __init__(self, parts: Sequence[WeightedTable]) -> None:
        self.parts = list(parts)
        # number of the first pair of each table, and the number of all pairs
        self._starts = np.cumsum([0, *(len(part.table) for part in self.parts)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def source_lengths(self) -> Ids:
        """Tokens in each source sentence, [pairs]; computed at each call."""
        return np.concatenate([part.table.source_lengths for part in self.parts])

    @property
    def target_lengths(self) -> Ids:
        """Tokens in each target sentence, [pairs]; computed at each call."""
        return np.concatenate([part.table.target_lengths for part in self.parts])

    @property
    def weights(self) -> npt.NDArray[np.float64] | None:
        """The weight of each pair, [pairs]; None if all are 1."""
        if all(part.weight == 1 for part in self.parts):
            return None
        return np.repeat([float(part.weight) for part in self.parts], [len(part.table) for part in self.parts])

    @property
    def report(self) -> str:
        """One line with each part's name, its weight if it is not 1, and its counts of kept and dropped pairs."""
        return "; ".join(
            f"{part.name}{'' if part.weight == 1 else f', weight {part.weight:g}'}: {part.table.report}"
            for part in self.parts
        )

    def rows(self, indices: npt.NDArray[np.integer[Any]]) -> tuple[list[Ids], list[Ids]]:
        """The source and target ids of some pairs, as `Table.rows`.

        Raises:
            IndexError: an index is outside [0, pairs).
        """
        if indices.size and not (indices.min() >= 0 and indices.max() < len(self)):
            raise IndexError(f"pair numbers must be in [0, {len(self)}), got {indices.min()} to {indices.max()}")
        if len(self.parts) == 1:
            return self.parts[0].table.rows(indices)
        owners = np.searchsorted(self._starts, indices, side="right") - 1
        sources: list[Ids] = [np.empty(0, np.int32)] * len(indices)
        targets = list(sources)
        for number in np.unique(owners).tolist():
            own = np.flatnonzero(owners == number)
            rows = self.parts[number].table.rows(indices[own] - self._starts[number])
            for index, source, target in zip(own.tolist(), *rows, strict=True):
                sources[index], targets[index] = source, target
        return sources, targets


def encode_mixture(
    corpus: Corpus,
    tokenizers: Tokenizers,
    cache: Path,
    filters: FilterConfig | None,
    processes: int | None = None,
) -> TableMixture:
    """Encode every corpus of a mixture into a separate table, or open the tables that exist.

    Args:
        corpus: a `MixedCorpus`; any other corpus is a mixture of one.
        tokenizers: of both sides.
        cache: folder of all tables.
        filters: pairs to drop from each corpus.
        processes: as in `encode_cached`.

    Raises:
        DataError, RunError: as `encode_cached`.
    """
    parts = corpus.parts if isinstance(corpus, MixedCorpus) else [WeightedCorpus(corpus)]
    return TableMixture(
        [
            WeightedTable(corpus.name, encode_cached(corpus, tokenizers, cache, filters, processes), weight)
            for corpus, weight in parts
        ]
    )
