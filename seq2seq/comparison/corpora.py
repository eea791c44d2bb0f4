"""The text of a comparison: the test set, and the text where words are counted."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from seq2seq.comparison.config import CompareConfig
from seq2seq.comparison.rare_words import Frequencies, Words, count_words
from seq2seq.comparison.systems import outputs_of
from seq2seq.corpora.config import DataConfig, Split
from seq2seq.corpora.corpus import Corpus
from seq2seq.corpora.monolingual import require_split
from seq2seq.corpora.reading import language_of_text, names_corpus, read_split
from seq2seq.errors import ConfigError, DataError
from seq2seq.run.files import run_data, run_text
from seq2seq.run.folder import RunFolder
from seq2seq.tokenizer.normalization import Normalization, normalize


def first_run(names: Sequence[str]) -> Path | None:
    """The first run folder among the systems, whose corpus is the test set where none is named.

    Raises:
        DataError: a name matches nothing.
    """
    return next((path for name in names for path in outputs_of(name) if path.is_dir()), None)


def read_test_set(config: CompareConfig, run: Path | None) -> Corpus:
    """Read the test set of the settings, or else of the run; without source tags.

    Raises:
        ConfigError: neither has a test set.
        DataError, RunError: the test set cannot be read.
    """
    if run is None and not names_corpus(config.data, config.split):
        raise ConfigError(
            f"systems has only text files, so the test set is not known: set data.{config.split}.source=FILE "
            f"data.{config.split}.target=FILE"
        )
    return require_split(_data(config, run, config.split), config.split)


def normalization(run: Path | None) -> Normalization:
    """The Unicode form in which texts are compared: that of the run, or NFC."""
    return Normalization.nfc if run is None else RunFolder.open(run).normalization


def frequencies(config: CompareConfig, run: Path | None, references: Sequence[str], language: str) -> Frequencies:
    """Count words in the training text if it is known and readable, else in the references of a language."""
    form = normalization(run)
    reason, words = "because training_lines=0", Words(config.lowercase, language)
    if config.training_lines:
        try:
            if run is None and not names_corpus(config.data, Split.train):
                raise ConfigError("the training text is not known: set data.train")
            corpus = read_split(_data(config, run, Split.train), Split.train)
            assert corpus is not None  # only a test split may be missing
            lines = [normalize(pair.target, form) for pair in islice(corpus, config.training_lines)]
            description = f"the training text, target side, {len(lines):,} lines of {corpus.name}"
            return Frequencies(count_words(lines, words), description)
        except (ConfigError, DataError) as error:
            reason = f"because {error}"
    return Frequencies(count_words(references, words), f"the references, {reason}")


def target_language(config: CompareConfig, run: Path | None, named: bool) -> str:
    """Language code of the references: that of the settings if it is named or not the default, else that of the run."""
    given = config.data
    return given.target_language if run is None or named else language_of_text(given, run_data(RunFolder.open(run)))


def _data(config: CompareConfig, run: Path | None, split: Split) -> DataConfig:
    data = config.data if run is None else run_text(RunFolder.open(run), config.data, split)
    return replace(data, source_tag=None)
