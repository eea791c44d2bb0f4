"""Recognize the files of other programs by their content."""

import re
from contextlib import suppress
from pathlib import Path

from seq2seq.corpora.config import FileFormat
from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.corpora.documents.document import Document
from seq2seq.corpora.documents.markup import xml_encoding
from seq2seq.corpora.documents.po import PoFile
from seq2seq.corpora.documents.table import TableDocument
from seq2seq.corpora.documents.tmx import TmxFile
from seq2seq.corpora.documents.xliff import XliffFile
from seq2seq.corpora.documents.xlsx import XlsxFile
from seq2seq.corpora.lines import damaged, unreadable
from seq2seq.corpora.streams import DamagedError
from seq2seq.errors import ConfigError

HEAD = 1 << 16
"""Bytes at the start of a file that decide what it is."""

TABLES = (".csv", ".tsv", ".tab")
"""Endings of the names of tables, which cannot be told from lines of text by their content alone."""

CATALOGUE = re.compile(r"\ufeff?(?:[ \t]*(?:#[^\r\n]*)?[\r\n]+)*+msg(?:id|ctxt)[ \t]+\"")

Kind = TmxFile | XliffFile | PoFile | XlsxFile

KIND_OF_FORMAT: dict[FileFormat, type[Kind]] = {
    FileFormat.xlsx: XlsxFile,
    FileFormat.tmx: TmxFile,
    FileFormat.xliff: XliffFile,
    FileFormat.po: PoFile,
}


def kind_of_file(file: CorpusFile) -> type[Kind] | None:
    """What a file is by its content; None: none of these.

    Raises:
        DataError: the file is missing, a folder, damaged, or can be read only once.
    """
    file.require_regular()
    try:
        if file.members:
            return XlsxFile if any(name.startswith("xl/") for name in file.members) else None
        with file.unpacked() as opened:
            head = opened.read(HEAD)
    except DamagedError as error:
        raise damaged(str(file.path), 0, error) from None
    except OSError as error:
        raise unreadable(file.path, error) from None
    with suppress(LookupError):
        text = head.decode(xml_encoding(head), "replace")
        if text.lstrip("\ufeff \t\r\n").startswith("<"):
            root = re.search(r"<(?:[\w.-]+:)?([\w.-]+)", re.sub(r"(?s)<!--.*?(?:-->|\Z)", "", text))
            roots: dict[str, type[Kind]] = {"tmx": TmxFile, "xliff": XliffFile}
            return roots.get(root[1] if root else "")
        if CATALOGUE.match(text):
            return PoFile
    return None


def open_kind(
    kind: type[Kind], file: CorpusFile, languages: tuple[str, str], columns: tuple[str | None, str | None]
) -> Document:
    """A file of a known kind; see `open_document` for the arguments and errors."""
    return XlsxFile(file, *languages, *columns) if issubclass(kind, XlsxFile) else kind(file, *languages)


def open_document(
    file: CorpusFile,
    languages: tuple[str, str],
    columns: tuple[str | None, str | None] = (None, None),
    format: FileFormat | None = None,
) -> Document | None:
    """The file as a document, or None for lines of text.

    Args:
        file: the file.
        languages: codes of source and target.
        columns: the settings source_column and target_column; a file is a table too if one is set.
        format: of the file; None: what its content and its name say.

    Raises:
        DataError: as `kind_of_file`, or as the class of the document.
        ConfigError: columns are set for a file without any, or the format cannot be written back.
    """
    if format is FileFormat.lines:
        return None
    if format not in (None, FileFormat.table, *KIND_OF_FORMAT):
        raise ConfigError(
            f"format={format} cannot be translated: set lines, table, {', '.join(map(str, KIND_OF_FORMAT))} or null"
        )
    table = format is FileFormat.table or columns != (None, None)
    kind = kind_of_file(file) if format is None else KIND_OF_FORMAT.get(format)
    if kind is not None:
        if kind is not XlsxFile and columns != (None, None):
            raise ConfigError(
                f"{file.path} is {kind.format}, without columns: leave source_column and target_column out"
            )
        return open_kind(kind, file, languages, columns)
    if table or file.path.name.lower().removesuffix(".gz").endswith(TABLES):
        return TableDocument(file, *languages, *columns)
    return None


def check_output(document: Document | None, source: str, output: str) -> None:
    """Check that the name of an output does not contradict the format of its input.

    Raises:
        ConfigError: it ends as another format.
    """
    given, wanted = (Path(name.lower().removesuffix(".gz")).suffix for name in (source, output))
    others = {ending for kind in KIND_OF_FORMAT.values() for ending in kind.endings} | {
        *TABLES,
        ".json",
        ".ods",
        ".docx",
    }
    allowed = {given, *(() if document is None else document.endings)}
    if isinstance(document, XlsxFile) and wanted not in document.endings:
        raise ConfigError(f"{source} is a workbook, and so is its translation: name output=FILE{document.endings[0]}")
    if wanted in others and wanted not in allowed:
        kind = "lines of text" if document is None else f"{document.format}"
        raise ConfigError(
            f"{source} is {kind}, and so is its translation, but output={output} ends in {wanted}: name a file that "
            f"ends in {given or '.txt'}"
        )
