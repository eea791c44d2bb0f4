"""Several corpora read as one, and tags that tell a model which of them a source is from."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from seq2seq.text.types import Pair

if TYPE_CHECKING:
    from seq2seq.text.corpus import Corpus


def tagged(text: str, tag: str | None) -> str:
    """The text with a tag as its first word; unchanged where it is blank or there is no tag.

    A tag such as ``<2de>`` says which language is asked for (Johnson et al. 2017, §3), one such as ``<bt>`` where the
    sentence is from (Caswell et al. 2019, §3).
    """
    return f"{tag} {text}" if tag and text.strip() else text


class Tagged:
    """A corpus whose every source begins with a tag."""

    def __init__(self, corpus: "Corpus", tag: str) -> None:
        self.corpus, self.tag = corpus, tag
        self.name = f"{corpus.name} ({tag})"
        self.fingerprint = f"tag {tag!r} {corpus.fingerprint}"

    def __iter__(self) -> Iterator[Pair]:
        return (Pair(tagged(source, self.tag), target) for source, target in self.corpus)


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
        self.fingerprint = " + ".join(part.corpus.fingerprint for part in self.parts)

    def __iter__(self) -> Iterator[Pair]:
        return chain.from_iterable(part.corpus for part in self.parts)
