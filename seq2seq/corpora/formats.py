"""Files with both sides of every pair: the content of a file chooses its reader, not the ending of its name.

Each format is one entry of `FORMATS`: its name in ``data.format``, how it is recognized, and what opens it.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from seq2seq.corpora.archives import archive_kind, choice, texts
from seq2seq.corpora.columns import JsonFile, JsonLinesFile, ParquetFile
from seq2seq.corpora.config import DataConfig, FileFormat
from seq2seq.corpora.content import refuse_in_zip, refuse_no_text
from seq2seq.corpora.corpus import Corpus
from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.corpora.documents.document import same_language
from seq2seq.corpora.documents.opening import KIND_OF_FORMAT, Kind, kind_of_file, open_kind
from seq2seq.corpora.files import TextFiles, TsvFile
from seq2seq.corpora.lines import unreadable
from seq2seq.corpora.streams import DamagedError
from seq2seq.corpora.table import TableFile
from seq2seq.errors import ConfigError, DataError

START = 10_000
"""Bytes at the beginning of a file by which its format is recognized."""


OBJECT = re.compile(r'\s*\{\s*("(?:[^"\\]|\\.)*+"\s*(:|$)|\}\s*$|"[^"]*$)')
"""The first line of JSON lines. A sentence may begin with {} or {"name"}."""

VALUES = re.compile(
    r'\s*(\[\s*(\{\s*(["}]|$)|\[\s*"|$)|\{\s*$|\[\s*"(?:[^"\\]|\\.)*+"\s*,\s*"(?:[^"\\]|\\.)*+"\s*\]\s*$)'
)
"""The first line of a JSON array, of an object that spans lines, or of lines with two texts each: ["Yes.", "Ja."]."""


class Start(NamedTuple):
    """The beginning of a file, by which its format is recognized."""

    file: CorpusFile
    raw: bytes
    """The first bytes without compression (gzip, xz, bzip2), of an archive as it is."""
    members: tuple[str, ...]
    """Names of the files in it, if it is a zip or tar archive."""
    line: str
    """The first line with text, or its beginning, if it is text."""


class Format(NamedTuple):
    """A format of files with pairs."""

    name: str
    """Value of ``data.format``; `FileFormat` lists them."""
    recognizes: Callable[[Start], bool]
    """Whether a file that begins so has this format; formats are tried in their order."""
    open: Callable[[CorpusFile, DataConfig], Corpus]
    """The corpus in a file of this format; the settings name languages and columns."""


def open_pairs(config: DataConfig, path: Path, setting: str = "data.file") -> Corpus:
    """The corpus in one file with both sides, in the format of ``data.format`` or that of its content.

    Args:
        config: names of languages and columns, the encoding, and the format if it is given.
        path: the file; ``corpus.zip/train.tsv`` is a file in an archive.
        setting: what names the file, for messages.

    Raises:
        ConfigError: a column of a TSV file is not a number, or the format has no pairs.
        DataError: the file is missing or damaged, of another kind, has no columns or lacks a named one; or an archive
            has several texts.
    """
    corpus = _open(config, path, setting)
    corpus.languages = config.source_language, config.target_language
    return corpus


def _open(config: DataConfig, path: Path, setting: str) -> Corpus:
    if path.is_dir():
        raise DataError(f"{path} is a folder: name a file in it, or read it as a data set with data.hub.name={path}")
    file = CorpusFile(path, config.encoding)
    file.require_regular()
    if config.format is not None:
        return _named_format(config.format, setting).open(file, config)
    try:
        start = _start(file)
    except OSError as error:
        raise unreadable(path, error) from None
    if not start.raw:
        raise DataError(f"{path}: no lines found: check that this is the right file")
    found = next((form for form in FORMATS if form.recognizes(start)), None)
    if found is not None:
        return found.open(file, config)
    if start.members:
        return _in_archive(config, file, start, setting)
    refuse_no_text(start.raw, str(path))
    return TABLE.open(file, config)


def _named_format(name: FileFormat, setting: str) -> Format:
    for form in (*FORMATS, TABLE, TSV):
        if form.name == name:
            return form
    raise ConfigError(
        f"data.format={name} is for files of one side, and {setting} has both: leave data.format out, or name the "
        "files as data.train.source and data.train.target"
    )


def _start(file: CorpusFile) -> Start:
    with file.decompressed() as unpacked:
        raw, members = unpacked.start[:START], file.members if archive_kind(unpacked.start) else ()
    binary = members or raw.startswith(b"PAR1")
    text = "" if binary else _beginning(file)
    return Start(file, raw, members, next((line for line in text.split("\n") if line.strip()), ""))


def _beginning(file: CorpusFile) -> str:
    """The first characters of a text; empty if it is none, or in another encoding."""
    with suppress(DataError, ConfigError, DamagedError), file.text() as text:
        return text.stream.read(START).decode("utf-8", "ignore").removeprefix("\ufeff")
    return ""


def _in_archive(config: DataConfig, file: CorpusFile, start: Start, setting: str) -> Corpus:
    """Two aligned files with the codes of the languages as endings (OPUS), or the only file in an archive."""
    refuse_in_zip(start.members, str(file.path))
    names = texts(start.members)
    codes = config.source_language, config.target_language
    sides = [[name for name in names if _is_of(name, code)] for code in codes]
    if any(len(side) != 1 for side in sides):  # of a.en a.fr b.en b.de, b is English and German
        both = set.intersection(*({_without_language(name) for name in side} for side in sides))
        sides = [[name for name in side if _without_language(name) in both] for side in sides]
    if codes[0] != codes[1] and [len(side) for side in sides] == [1, 1]:
        return TextFiles(*(CorpusFile(file.path / side[0], config.encoding) for side in sides))
    if len(names) == 1:
        return open_pairs(config, file.path / names[0], setting)
    raise choice(file.path, names, setting)


def _is_of(name: str, code: str) -> bool:
    """Whether the name of a file ends in a language: ``GNOME.en-ga.ga`` is Irish."""
    ending = name.removesuffix(".gz").rpartition(".")[2]
    return ending == code or same_language(code, ending)


def _without_language(name: str) -> str:
    """A name without the ending that names its language."""
    return name.removesuffix(".gz").rpartition(".")[0]


def column_names(config: DataConfig) -> tuple[str, str]:
    """The names of the columns of source and target: the languages, unless the settings name others."""
    return config.source_column or config.source_language, config.target_column or config.target_language


def _document_format(name: FileFormat, kind: type[Kind]) -> Format:
    """The format of a file of another program."""
    return Format(
        name,
        lambda start: kind_of_file(start.file) is kind,
        lambda file, config: open_kind(
            kind,
            file,
            (config.source_language, config.target_language),
            (config.source_column, config.target_column),
        ),
    )


def _open_parquet(file: CorpusFile, config: DataConfig) -> Corpus:
    if file.is_packed:
        raise DataError(f"{file.path} is a compressed Parquet file: decompress or unpack it")
    return ParquetFile(file, *column_names(config))


def _open_table(file: CorpusFile, config: DataConfig) -> Corpus:
    languages, columns = (config.source_language, config.target_language), (config.source_column, config.target_column)
    return TableFile(file, *languages, *columns)


FORMATS = [
    *(_document_format(name, kind) for name, kind in KIND_OF_FORMAT.items()),
    Format("parquet", lambda start: start.raw.startswith(b"PAR1"), _open_parquet),
    Format(
        "jsonl",
        lambda start: OBJECT.match(start.line) is not None,
        lambda file, config: JsonLinesFile(file, *column_names(config)),
    ),
    Format(
        "json",
        lambda start: VALUES.match(start.line) is not None,
        lambda file, config: JsonFile(file, *column_names(config)),
    ),
]
"""Formats that are recognized; the first that recognizes a file reads it."""

TABLE = Format("table", lambda start: True, _open_table)
"""Text that no other format recognizes."""

TSV = Format(
    "tsv",
    lambda start: False,
    lambda file, config: TsvFile(file, config.source_column or "1", config.target_column or "2"),
)
"""Only if the settings name it."""
