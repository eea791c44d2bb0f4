"""Text in one language, for a language model: the target side alone, in pairs whose source is empty."""

from dataclasses import replace
from typing import TypeVar

from seq2seq.corpora.config import DataConfig, FilesConfig, Split
from seq2seq.corpora.corpus import Corpus, MappedCorpus, Pair, PairSample
from seq2seq.corpora.mixture import MixedCorpus, WeightedCorpus
from seq2seq.corpora.reading import Corpora, read_corpora, read_split

Files = TypeVar("Files", bound=FilesConfig)


class TargetSide(MappedCorpus):
    """The target sentences of a corpus; one that stands there twice is read twice."""

    def __init__(self, corpus: Corpus) -> None:
        super().__init__(corpus)
        self.name = f"{corpus.name} (target side)"

    @property
    def fingerprint(self) -> str:
        """That of the corpus, and which side it is."""
        return f"target side {self.corpus.fingerprint}"

    def map_pair(self, pair: Pair) -> Pair:
        """The pair without its source."""
        return Pair("", pair.target)

    def vocabulary_sample(self, size: int) -> PairSample:
        """As many sentences as ``size`` pairs have."""
        return super().vocabulary_sample(2 * size)


def read_target(config: DataConfig, split: Split) -> Corpus | None:
    """The target side of a split; None for a test split that is not there.

    It is found by the rule of `corpora.corpus.read`, but a target file is enough: a source file is ignored.

    Raises:
        ConfigError, DataError: as `read` does.
    """
    corpus = read_split(without_source(config), split)
    return None if corpus is None else TargetSide(corpus)


def read_targets(config: DataConfig) -> Corpora:
    """The target sides of all three splits; only test may be missing. ``data.more`` joins the training split.

    Raises:
        ConfigError, DataError: as `seq2seq.corpora.corpus.read_corpora` does.
    """
    train, validation, test = read_corpora(without_source(config))
    parts = train.parts if isinstance(train, MixedCorpus) else [WeightedCorpus(train)]
    sides = MixedCorpus([part._replace(corpus=TargetSide(part.corpus)) for part in parts])
    return Corpora(sides, TargetSide(validation), None if test is None else TargetSide(test))


def without_source(config: DataConfig) -> DataConfig:
    """The same settings, with the target's file and column in the place of the source's, and no tags."""
    return replace(
        config,
        source_language=config.target_language,
        source_column=config.target_column,
        source_tag=None,
        train=_twice(config.train),
        validation=_twice(config.validation),
        test=_twice(config.test),
        more=[replace(part, source_tag=None) for part in map(_twice, config.more)],
    )


def _twice(files: Files) -> Files:
    """A target file stands for both sides; where there is none, what is named is left for `read` to judge."""
    return files if files.target is None else replace(files, source=files.target)
