"""What some corpora can do besides being read from their beginning, and what stands in where one cannot."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from tqdm import tqdm

from seq2seq.corpora.pair import Pair

if TYPE_CHECKING:
    from seq2seq.corpora.corpus import Corpus


class Beginning(NamedTuple):
    """What a vocabulary is learnt from."""

    pairs: Iterator[Pair]
    """Nothing is read before the first is asked for."""
    expected: int | None
    """About how many, where that is known."""


@runtime_checkable
class Counted(Protocol):
    """Knows about how many pairs it has."""

    def expected(self) -> int | None: ...  # noqa: D102


@runtime_checkable
class Costly(Protocol):
    """Costs much to read through, but its first pairs will do for a vocabulary."""

    def beginning(self, pairs: int) -> Beginning: ...  # noqa: D102


@runtime_checkable
class Resumable(Protocol):
    """Can go on in the middle sooner than by reading all that is before it.

    ``notes`` is a folder that is kept between readings that are stopped: what the one before has left there helps the
    next.
    """

    def after(self, done: int, notes: Path) -> Iterator[Pair]: ...  # noqa: D102


def expected_pairs(corpus: "Corpus") -> int | None:
    """About how many pairs there are, without reading them; None where nobody knows."""
    return corpus.expected() if isinstance(corpus, Counted) else None


def pairs_to_learn_from(corpus: "Corpus", pairs: int) -> Beginning:
    """All pairs; of what is costly to read, only about so many."""
    if isinstance(corpus, Costly):
        return corpus.beginning(pairs)
    return Beginning((pair for pair in corpus), expected_pairs(corpus))


def pairs_after(corpus: "Corpus", done: int, notes: Path) -> Iterator[Pair]:
    """All pairs but the first ``done``."""
    return corpus.after(done, notes) if isinstance(corpus, Resumable) else islice(corpus, done, None)


def with_progress(pairs: Iterator[Pair], label: str, total: int | None, done: int = 0) -> Iterator[Pair]:
    """The same pairs, while stderr shows how many have been read, how fast, and the time left.

    Where stderr is a file it has a line now and then, and nothing of what takes less than a quarter of a minute.
    """
    pause = 0.2 if sys.stderr.isatty() else 15
    yield from tqdm(
        pairs,
        label,
        total,
        leave=False,
        mininterval=pause,
        delay=pause,
        unit=" pairs",
        unit_scale=True,
        dynamic_ncols=True,
        initial=done,
    )


class Changed(ABC):
    """A corpus with the pairs of another, each changed; what that one can do, it can do too."""

    def __init__(self, corpus: "Corpus") -> None:
        self.corpus = corpus

    @abstractmethod
    def change(self, pair: Pair) -> Pair:
        """What becomes of a pair."""

    def __iter__(self) -> Iterator[Pair]:
        return map(self.change, self.corpus)

    def expected(self) -> int | None:
        """As `expected_pairs` says of the other."""
        return expected_pairs(self.corpus)

    def beginning(self, pairs: int) -> Beginning:
        """As `pairs_to_learn_from` reads the other."""
        start = pairs_to_learn_from(self.corpus, pairs)
        return start._replace(pairs=map(self.change, start.pairs))

    def after(self, done: int, notes: Path) -> Iterator[Pair]:
        """As `pairs_after` reads the other."""
        return map(self.change, pairs_after(self.corpus, done, notes))
