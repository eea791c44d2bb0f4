"""Several corpora read as one, and tags that tell a model which corpus a source is from."""

from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from seq2seq.corpora.corpus import Corpus, MappedCorpus, Pair, PairSample
from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.portable.normalization import is_blank


def add_tag(text: str, tag: str | None) -> str:
    """The text with a tag as its first word; blank text, or any text without a tag, is returned unchanged.

    A tag such as ``<2de>`` names the target language (Johnson et al. 2017, section 3), one such as ``<bt>`` the origin
    of the sentence (Caswell et al. 2019, section 3).
    """
    return f"{tag} {text}" if tag and not is_blank(text) else text


def without_tags(text: str, tags: Collection[str]) -> str:
    """The text without the words at its start that are tags."""
    words = text.split()
    count = next((number for number, word in enumerate(words) if word not in tags), len(words))
    return " ".join(words[count:]) if count else text


class TaggedCorpus(MappedCorpus):
    """A corpus with a tag at the start of every source."""

    def __init__(self, corpus: Corpus, tag: str) -> None:
        super().__init__(corpus)
        self.tag = tag
        self.name = f"{corpus.name} ({tag})"

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the corpus and the tag."""
        return f"tag {self.tag!r} {self.corpus.fingerprint}"

    def map_pair(self, pair: Pair) -> Pair:
        """The pair with the tag before its source."""
        return Pair(add_tag(pair.source, self.tag), pair.target)


def without_tag(corpus: Corpus) -> Corpus:
    """The corpus without the tag that `TaggedCorpus` adds; itself if it has none."""
    return corpus.corpus if isinstance(corpus, TaggedCorpus) else corpus


class WeightedCorpus(NamedTuple):
    """One corpus of a mixture."""

    corpus: Corpus
    weight: float = 1.0
    """Average repetitions of each pair per epoch."""


class MixedCorpus(Corpus):
    """Several corpora, one after the other. Reading ignores the weights: the batch sampler applies them.

    Args:
        parts: at least one.
    """

    def __init__(self, parts: Sequence[WeightedCorpus]) -> None:
        self.parts = list(parts)
        self.name = " + ".join(part.corpus.name for part in self.parts)

    @property
    def fingerprint(self) -> str:
        """Those of all parts."""
        return " + ".join(part.corpus.fingerprint for part in self.parts)

    def __iter__(self) -> Iterator[Pair]:
        return chain.from_iterable(part.corpus for part in self.parts)

    @property
    def files(self) -> Sequence[CorpusFile]:
        """Those of all parts."""
        return [file for part in self.parts for file in part.corpus.files]

    def expected_pairs(self) -> int | None:
        """The sum over the parts; None if one is unknown."""
        return _total([part.corpus.expected_pairs() for part in self.parts])

    def vocabulary_sample(self, size: int) -> PairSample:
        """The samples of all parts, each of at most ``size`` pairs where reading all is slow."""
        samples = [part.corpus.vocabulary_sample(size) for part in self.parts]
        return PairSample(
            chain.from_iterable(sample.pairs for sample in samples), _total([sample.expected for sample in samples])
        )


def _total(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
