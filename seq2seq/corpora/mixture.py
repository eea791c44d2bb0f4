"""Several corpora read as one, and tags that tell a model which of them a source is from."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from seq2seq.corpora.pair import Pair
from seq2seq.corpora.reading import Beginning, Changed, pairs_to_learn_from

if TYPE_CHECKING:
    from seq2seq.corpora.corpus import Corpus


def tagged(text: str, tag: str | None) -> str:
    """The text with a tag as its first word; unchanged where it is blank or there is no tag.

    A tag such as ``<2de>`` says which language is asked for (Johnson et al. 2017, §3), one such as ``<bt>`` where the
    sentence is from (Caswell et al. 2019, §3).
    """
    return f"{tag} {text}" if tag and text.strip() else text


class Tagged(Changed):
    """A corpus whose every source begins with a tag."""

    def __init__(self, corpus: "Corpus", tag: str) -> None:
        super().__init__(corpus)
        self.tag = tag
        self.name = f"{corpus.name} ({tag})"

    @property
    def fingerprint(self) -> str:
        """That of the corpus, and the tag."""
        return f"tag {self.tag!r} {self.corpus.fingerprint}"

    def change(self, pair: Pair) -> Pair:
        """The pair with the tag before its source."""
        return Pair(tagged(pair.source, self.tag), pair.target)


class Part(NamedTuple):
    """A corpus in a mix."""

    corpus: "Corpus"
    weight: float = 1.0
    """How often an epoch holds each of its pairs, on average."""


class Mix:
    """Corpora one after the other, as a corpus: what a vocabulary is learnt from. Weights change nothing here.

    Args:
        parts: at least one.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = list(parts)
        self.name = " + ".join(part.corpus.name for part in self.parts)

    @property
    def fingerprint(self) -> str:
        """Those of all parts."""
        return " + ".join(part.corpus.fingerprint for part in self.parts)

    def __iter__(self) -> Iterator[Pair]:
        return chain.from_iterable(part.corpus for part in self.parts)

    def beginning(self, pairs: int) -> Beginning:
        """All pairs; of each part that is costly to read, only about so many."""
        starts = [pairs_to_learn_from(part.corpus, pairs) for part in self.parts]
        known = [start.expected for start in starts if start.expected is not None]
        return Beginning(
            chain.from_iterable(start.pairs for start in starts), sum(known) if len(known) == len(starts) else None
        )
