"""Recognise the files of other programs by their content."""

import re
import zipfile
from collections.abc import Sequence
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

Kind = TmxFile | XliffFile | PoFile | XlsxFile

KINDS: tuple[type[Kind], ...] = (TmxFile, XliffFile, PoFile, XlsxFile)


def document_kind(head: bytes, members: Sequence[str] = ()) -> type[Kind] | None:
    """What a file is; None: none of these.

    Args:
        head: its first bytes, unpacked if it is compressed.
        members: names of the files in it, if it is an archive.
    """
    if members:
        return XlsxFile if any(name.startswith("xl/") for name in members) else None
    with suppress(LookupError):
        text = head.decode(xml_encoding(head), "replace")
        if text.lstrip("\ufeff \t\r\n").startswith("<"):
            root = re.search(r"<(?:[\w.-]+:)?([\w.-]+)", re.sub(r"(?s)<!--.*?-->", "", text))
            roots: dict[str, type[Kind]] = {"tmx": TmxFile, "xliff": XliffFile}
            return roots.get(root[1] if root else "")
        if CATALOGUE.match(text):
            return PoFile
    return None


def kind_of_file(file: CorpusFile) -> type[Kind] | None:
    """What a file is; as `document_kind`.

    Raises:
        DataError: the file is missing, a folder, or can be read only once.
    """
    file.require_regular()
    try:
        with file.unpacked() as opened:
            head = opened.read(HEAD)
        members: Sequence[str] = ()
        if head.startswith(b"PK\3\4"):
            with suppress(zipfile.BadZipFile), file.raw() as raw, zipfile.ZipFile(raw) as archive:
                members = archive.namelist()
    except (OSError, EOFError) as error:
        raise unreadable(file.path, error if isinstance(error, OSError) else OSError(str(error))) from None
    return document_kind(head, members)


def open_kind(
    kind: type[Kind], path: Path, languages: tuple[str, str], columns: tuple[str | None, str | None]
) -> Document:
    """A file of a known kind; see `open_document` for the arguments and errors."""
    return XlsxFile(path, *languages, *columns) if issubclass(kind, XlsxFile) else kind(path, *languages)


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
    kind = kind_of_file(CorpusFile(path))
    if kind is not None:
        if kind is not XlsxFile and columns != (None, None):
            raise ConfigError(f"{path} is {kind.format}, without columns: leave source_column and target_column out")
        return open_kind(kind, path, languages, columns)
    if path.name.lower().removesuffix(".gz").endswith(TABLES) or columns != (None, None):
        return TableDocument(path, *languages, *columns)
    return None


def check_output(document: Document | None, source: str, output: str) -> None:
    """Check that the name of an output does not contradict the format of its input.

    Raises:
        ConfigError: it ends as another format.
    """
    given, wanted = (Path(name.lower().removesuffix(".gz")).suffix for name in (source, output))
    others = {ending for kind in KINDS for ending in kind.endings} | {*TABLES, ".json", ".ods", ".docx"}
    allowed = {given, *(() if document is None else document.endings)}
    if wanted in others and wanted not in allowed:
        kind = "lines of text" if document is None else f"{document.format}"
        raise ConfigError(
            f"{source} is {kind}, and so is its translation, but output={output} ends in {wanted}: name a file that "
            f"ends in {given or '.txt'}"
        )
