"""Pairs and corpora with symbols in place of their placeholders."""

from collections.abc import Sequence

from seq2seq.corpora.corpus import Corpus, MappedCorpus, Pair
from seq2seq.corpora.mixture import MixedCorpus, WeightedCorpus
from seq2seq.portable.placeholders import PATTERNS, SYMBOLS, Placeholders


class ProtectedCorpus(MappedCorpus):
    """A corpus with symbols for placeholders."""

    def __init__(self, corpus: Corpus, placeholders: Placeholders) -> None:
        super().__init__(corpus)
        self.placeholders = placeholders
        self.name, self.monolingual = corpus.name, corpus.monolingual

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the corpus and of what is replaced."""
        return f"1 {self.placeholders!r} {PATTERNS} {SYMBOLS} {self.corpus.fingerprint}"

    def map_pair(self, pair: Pair) -> Pair:
        """The pair with symbols."""
        return Pair(*self.placeholders.replace_pair(*pair))


def protected_pairs(pairs: Sequence[Pair], placeholders: Placeholders | None) -> Sequence[Pair]:
    """The pairs with the symbols that translation uses for the placeholders of the source; None changes nothing."""
    if placeholders is None:
        return pairs
    symbols = [placeholders.symbols(pair.source or pair.target) for pair in pairs]
    return [Pair(*(placeholders.replace(text, own) for text in pair)) for pair, own in zip(pairs, symbols, strict=True)]


def protected_corpus(corpus: Corpus, placeholders: Placeholders | None) -> Corpus:
    """The corpus with symbols for placeholders, each part of a mixture by itself; None changes nothing."""
    if placeholders is None:
        return corpus
    if isinstance(corpus, MixedCorpus):
        parts: Sequence[WeightedCorpus] = corpus.parts
        return MixedCorpus([part._replace(corpus=ProtectedCorpus(part.corpus, placeholders)) for part in parts])
    return ProtectedCorpus(corpus, placeholders)
