"""Files with both sides of every pair: the content of a file chooses its reader, not the ending of its name.

Each format is one entry of `FORMATS`: its name in ``data.format``, how it is recognised, and what opens it.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from seq2seq.corpora.columns import JsonLinesFile, ParquetFile
from seq2seq.corpora.config import DataConfig
from seq2seq.corpora.corpus import Corpus
from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.corpora.documents.opening import KINDS, Kind, document_kind, open_kind
from seq2seq.corpora.files import TsvFile  # noqa: F401
from seq2seq.corpora.lines import unreadable
from seq2seq.corpora.table import TableFile
from seq2seq.errors import ConfigError, DataError  # noqa: F401

START = 100_000
"""Bytes at the beginning of a file by which its format is recognised."""


class Start(NamedTuple):
    """The beginning of a file, by which its format is recognised."""

    file: CorpusFile
    raw: bytes
    """The first bytes, decompressed (gzip, xz, bzip2)."""
    members: tuple[str, ...] = ()
    """Names of the files in it, if it is a zip or tar archive."""


class Format(NamedTuple):
    """A format of files with pairs."""

    name: str
    """Value of ``data.format``."""
    title: str
    """For messages."""
    recognizes: Callable[[Start], bool]
    """Whether a file that begins so has this format; formats are tried in their order."""
    open: Callable[[CorpusFile, DataConfig], Corpus]
    """The corpus in a file of this format; the settings name languages and columns."""


def open_pairs(config: DataConfig, path: Path, setting: str = "data.file") -> Corpus:
    """The corpus in one file with both sides, in the format of ``data.format`` or that of its content.

    Args:
        config: names of languages and columns, and the format if it is given.
        path: the file.
        setting: what names the file, for messages.

    Raises:
        ConfigError: unknown ``data.format``, or a column of a TSV file that is not a number.
        DataError: the file is missing or damaged, of another kind, has no columns or lacks a named one.
    """
    file = CorpusFile(path)
    file.require_regular()
    try:
        with file.unpacked() as raw:
            start = Start(file, raw.read(START))
    except OSError as error:
        raise unreadable(path, error) from None
    for form in FORMATS:
        if form.recognizes(start):
            return form.open(file, config)
    raise DataError(f"{path} is empty")


def column_names(config: DataConfig) -> tuple[str, str]:
    """The names of the columns of source and target: the languages, unless the settings name others."""
    return config.source_column or config.source_language, config.target_column or config.target_language


def _document_format(kind: type[Kind]) -> Format:
    """The format of a file of another program."""
    return Format(
        kind.__name__.removesuffix("File").lower(),
        kind.format,
        lambda start: document_kind(start.raw, start.members) is kind,
        lambda file, config: open_kind(
            kind,
            file.path,
            (config.source_language, config.target_language),
            (config.source_column, config.target_column),
        ),
    )


FORMATS = [
    *map(_document_format, KINDS),
    Format(
        "parquet",
        "Parquet",
        lambda start: start.raw.startswith(b"PAR1"),
        lambda file, config: ParquetFile(file.path, *column_names(config)),
    ),
    Format(
        "jsonl",
        "JSON lines",
        lambda start: re.match(rb'\s*\{\s*(["}]|$)', start.raw) is not None,
        lambda file, config: JsonLinesFile(file.path, *column_names(config)),
    ),
    Format(
        "table",
        "a table (CSV, or separated by tabs)",
        lambda start: True,
        lambda file, config: TableFile(
            file.path, config.source_language, config.target_language, config.source_column, config.target_column
        ),
    ),
]
"""All formats; the first that recognises a file reads it, and the last reads what no other does."""
