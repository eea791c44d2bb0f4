"""Monolingual text for language models: the target side of a corpus, as pairs with an empty source."""

from seq2seq.corpora.config import DataConfig, Split, without_source
from seq2seq.corpora.corpus import Corpus, MappedCorpus, Pair, PairSample
from seq2seq.corpora.mixture import MixedCorpus, WeightedCorpus
from seq2seq.corpora.reading import Corpora, read_corpora, read_split
from seq2seq.errors import ConfigError


class TargetSide(MappedCorpus):
    """The target sentences of a corpus, repeated ones included."""

    monolingual = True

    def __init__(self, corpus: Corpus) -> None:
        super().__init__(corpus)
        self.name = f"{corpus.name} (target side)"

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the corpus and the side."""
        return f"target side {self.corpus.fingerprint}"

    def map_pair(self, pair: Pair) -> Pair:
        """The pair without its source."""
        return Pair("", pair.target)

    def vocabulary_sample(self, size: int) -> PairSample:
        """A sample with as many sentences as ``size`` pairs have."""
        return super().vocabulary_sample(2 * size)


def read_target_split(config: DataConfig, split: Split) -> Corpus | None:
    """The target side of a split, found as by `read_split`; None if there is no test split.

    A target file is sufficient; a source file is ignored.

    Raises:
        ConfigError, DataError: as `read_split`.
    """
    corpus = read_split(without_source(config), split)
    return None if corpus is None else TargetSide(corpus)


def require_split(config: DataConfig, split: Split, language_model: bool = False) -> Corpus:
    """A split that must exist, found as by `read_split`; for a language model its target side.

    Raises:
        ConfigError: there is no such split; or as `read_split`.
        DataError: as `read_split`.
    """
    corpus = (read_target_split if language_model else read_split)(config, split)
    if corpus is None:
        files = f"data.{split}.target=…" if language_model else f"data.{split}.source=… and .target=…"
        raise ConfigError(f"there is no {split} set: name one with {files}")
    return corpus


def read_target_corpora(config: DataConfig) -> Corpora:
    """The target sides of all three splits, found as by `read_corpora`.

    Raises:
        ConfigError, DataError: as `read_corpora`.
    """
    train, validation, test = read_corpora(without_source(config))
    parts = train.parts if isinstance(train, MixedCorpus) else [WeightedCorpus(train)]
    sides = MixedCorpus([part._replace(corpus=TargetSide(part.corpus)) for part in parts])
    return Corpora(sides, TargetSide(validation), None if test is None else TargetSide(test))
