"""Recognise the files of other programs by their content."""

import re
import zipfile
from contextlib import suppress
from pathlib import Path

from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.corpora.documents.document import Document
from seq2seq.corpora.documents.markup import xml_encoding
from seq2seq.corpora.documents.po import PoFile
from seq2seq.corpora.documents.table import TableDocument
from seq2seq.corpora.documents.tmx import TmxFile
from seq2seq.corpora.documents.xliff import XliffFile
from seq2seq.corpora.documents.xlsx import XlsxFile
from seq2seq.corpora.lines import unreadable
from seq2seq.errors import ConfigError

HEAD = 1 << 16
"""Bytes at the start of a file that decide what it is."""

TABLES = (".csv", ".tsv", ".tab")
"""Endings of the names of tables, which cannot be told from lines of text by their content alone."""

CATALOGUE = re.compile(r"\ufeff?(?:[ \t]*(?:#[^\r\n]*)?[\r\n]+)*+msg(?:id|ctxt)[ \t]+\"")

KINDS: tuple[type[Document], ...] = (TmxFile, XliffFile, PoFile, XlsxFile, TableDocument)


def document_kind(file: CorpusFile) -> type[TmxFile | XliffFile | PoFile | XlsxFile] | None:
    """What a file is by its first bytes; None: none of these.

    Raises:
        DataError: the file is missing, a folder, or can be read only once.
    """
    file.require_regular()
    try:
        with file.unpacked() as opened:
            head = opened.read(HEAD)
        if head.startswith(b"PK\3\4"):
            with suppress(zipfile.BadZipFile), file.raw() as raw, zipfile.ZipFile(raw) as archive:
                return XlsxFile if any(name.startswith("xl/") for name in archive.namelist()) else None
    except (OSError, EOFError) as error:
        raise unreadable(file.path, error if isinstance(error, OSError) else OSError(str(error))) from None
    with suppress(LookupError):
        text = head.decode(xml_encoding(head), "replace")
        if text.lstrip("\ufeff \t\r\n").startswith("<"):
            root = re.search(r"<(?:\w+:)?(tmx|xliff)[\s>]", text)
            return None if root is None else TmxFile if root[1] == "tmx" else XliffFile
        if CATALOGUE.match(text):
            return PoFile
    return None


def open_document(
    path: Path,
    languages: tuple[str, str],
    columns: tuple[str | None, str | None] = (None, None),
) -> Document | None:
    """The file as a document, or None for lines of text.

    Args:
        path: of the file, plain or ``.gz``.
        languages: codes of source and target.
        columns: the settings source_column and target_column; a file is a table too if one is set.

    Raises:
        DataError: as `document_kind`, or as the class of the document.
        ConfigError: columns are set for a file without any.
    """
    kind = document_kind(CorpusFile(path))
    name = path.name.lower().removesuffix(".gz")
    if kind is XlsxFile:
        return XlsxFile(path, *languages, *columns)
    if kind is not None:
        if columns != (None, None):
            raise ConfigError(f"{path} is {kind.format}, without columns: leave source_column and target_column out")
        return kind(path, *languages)
    if name.endswith(TABLES) or columns != (None, None):
        return TableDocument(path, *languages, *columns)
    return None


def check_output(document: Document | None, source: str, output: str) -> None:
    """Check that the name of an output does not contradict the format of its input.

    Raises:
        ConfigError: it ends as another format.
    """
    given, wanted = (Path(name.lower().removesuffix(".gz")).suffix for name in (source, output))
    others = {ending for kind in KINDS for ending in getattr(kind, "endings", ())} | {*TABLES, ".json", ".ods", ".docx"}
    allowed = {given, *(() if document is None else document.endings)}
    if wanted in others and wanted not in allowed:
        kind = "lines of text" if document is None else f"{document.format}"
        raise ConfigError(
            f"{source} is {kind}, and so is its translation, but output={output} ends in {wanted}: name a file that "
            f"ends in {given or '.txt'}"
        )
