"""The text of a run, and its encoded pairs."""

import logging
from pathlib import Path
from typing import NamedTuple

from seq2seq.config.recipes import TrainConfig
from seq2seq.corpora.config import source_tags
from seq2seq.corpora.corpus import Corpus
from seq2seq.corpora.held_out import held_out_warnings
from seq2seq.corpora.monolingual import read_target_corpora
from seq2seq.corpora.reading import check_files, corpora_notes, read_corpora
from seq2seq.data.batch_sampler import BatchSampler, Curriculum
from seq2seq.data.mixture import TableMixture, encode_mixture
from seq2seq.data.preparation import encode_cached
from seq2seq.data.table import Table
from seq2seq.portable.placeholders import Placeholders
from seq2seq.run.files import FileRecord, record_files
from seq2seq.run.folder import CONFIG
from seq2seq.system.processes import is_first
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.protection import protected_corpus
from seq2seq.tokenizer.tokenizer import Tokenizers

log = logging.getLogger("seq2seq")


class Texts(NamedTuple):
    """The text of a run and how its tokenizers read it."""

    train: Corpus
    """What is trained on, with its placeholders protected."""
    validation: Corpus
    """As it is: validation translates it as a user would."""
    tokenizer: TokenizerConfig
    placeholders: Placeholders | None
    tags: list[str]
    """Tags that may begin a source sentence."""


class Batches(NamedTuple):
    """Encoded text in batches, and the tokenizers that encoded it."""

    tokenizers: Tokenizers
    table: TableMixture
    validation: Table
    sampler: BatchSampler


def read_texts(config: TrainConfig, folder: Path) -> tuple[Texts, dict[str, FileRecord]]:
    """Open the text that the settings name, and record its files.

    Raises:
        DataError: a text cannot be read, or has no pairs.
    """
    data, tokenizer = config.text()
    corpora = read_corpora(data) if config.translates else read_target_corpora(data)
    train, validation, test = corpora
    for text in (train, validation):  # a file that changes after this point is refused
        _ = text.fingerprint
    files = record_files(config, folder, corpora)
    check_files(data.test, test)
    if is_first() and not (folder / CONFIG).exists():  # once for a run
        for note in corpora_notes(corpora):
            log.info("%s", note)
        for warning in held_out_warnings(data, corpora):
            log.warning("%s", warning)
    tags = source_tags(data)
    placeholders = tokenizer.protection(tags)
    train = protected_corpus(train, placeholders)
    return Texts(train, validation, tokenizer.with_symbols(), placeholders, tags), files


def encode(config: TrainConfig, texts: Texts, tokenizers: Tokenizers, cache: Path) -> Batches:
    """Encode the training and validation text, or open what is encoded already."""
    data = config.data
    table = encode_mixture(texts.train, tokenizers, cache, data.filters, data.workers)
    validation = protected_corpus(texts.validation, texts.placeholders)
    return Batches(
        tokenizers,
        table,
        encode_cached(validation, tokenizers, cache, None, data.workers),
        batch_sampler(config, table),
    )


def batch_sampler(config: TrainConfig, table: TableMixture, curriculum: Curriculum | None = None) -> BatchSampler:
    """The random batches of the training pairs, short pairs first with a curriculum."""
    lengths = table.source_lengths, table.target_lengths
    return BatchSampler(*lengths, config.batch, config.seed, table.weights, curriculum)
