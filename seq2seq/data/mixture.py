"""Several encoded corpora as one: pairs numbered through, each corpus with its weight (`Order` draws by it)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seq2seq.corpora.corpus import Corpus
from seq2seq.corpora.filters import FilterConfig
from seq2seq.corpora.mixture import MixedCorpus, WeightedCorpus
from seq2seq.data.encoding import Ids
from seq2seq.data.preparation import prepared_corpus
from seq2seq.data.table import Encoded
from seq2seq.tokenizer.tokenizer import Tokenizers


class Ingredient(NamedTuple):
    """A part of a mixture."""

    name: str
    """What messages call it."""
    table: Encoded
    weight: float
    """How often an epoch holds each of its pairs, on average."""


class Mixture:
    """The pairs of several tables, by number: those of the first, then those of the second, and so on.

    A `Table` in all but its file: the same methods, and the same report where there is only one part.

    Args:
        parts: at least one.
    """

    def __init__(self, parts: Sequence[Ingredient]) -> None:
        self.parts = list(parts)
        # number of each table's first pair, and of the pair after the last
        self._starts = np.cumsum([0, *(len(part.table) for part in self.parts)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def source_lengths(self) -> Ids:
        """Pieces in each source sentence, [pairs]; read from the files at each call."""
        return np.concatenate([part.table.source_lengths for part in self.parts])

    @property
    def target_lengths(self) -> Ids:
        """Pieces in each target sentence, [pairs]; read from the files at each call."""
        return np.concatenate([part.table.target_lengths for part in self.parts])

    @property
    def weights(self) -> npt.NDArray[np.float64] | None:
        """The weight of each pair, [pairs]; None where all are 1."""
        if all(part.weight == 1 for part in self.parts):
            return None
        return np.repeat([float(part.weight) for part in self.parts], [len(part.table) for part in self.parts])

    @property
    def report(self) -> str:
        """One line: each part's name, its weight where that is not 1, and what was kept and dropped of it."""
        return "; ".join(
            f"{part.name}{'' if part.weight == 1 else f', weight {part.weight:g}'}: {part.table.report}"
            for part in self.parts
        )

    def rows(self, indices: npt.NDArray[np.integer[Any]]) -> tuple[list[Ids], list[Ids]]:
        """The source and target ids of some pairs, in the order asked for, as `Table.rows` gives them.

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
            places = np.flatnonzero(owners == number)
            found = self.parts[number].table.rows(indices[places] - self._starts[number])
            for place, source, target in zip(places.tolist(), *found, strict=True):
                sources[place], targets[place] = source, target
        return sources, targets


def encode_mix(
    corpus: Corpus,
    tokenizers: Tokenizers,
    cache: Path,
    filters: FilterConfig | None,
    processes: int | None = None,
) -> Mixture:
    """Encode every corpus of a mix into a table of its own, or open those that are there already.

    Args:
        corpus: the `Mix`, which knows their weights; any other corpus is a mix of one.
        tokenizers: of both sides.
        cache: the folder of all tables.
        filters: which pairs to drop, from each.
        processes: as `prepared_corpus` has them.

    Raises:
        DataError, RunError: as `prepared_corpus` raises them.
    """
    parts = corpus.parts if isinstance(corpus, MixedCorpus) else [WeightedCorpus(corpus)]
    tables = [prepared_corpus(part.corpus, tokenizers, cache, filters, processes) for part in parts]
    ingredients = zip((part.corpus.name for part in parts), tables, (part.weight for part in parts), strict=True)
    return Mixture([Ingredient(*ingredient) for ingredient in ingredients])
