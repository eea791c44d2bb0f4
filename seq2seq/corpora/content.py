"""What the bytes of a file are, whatever its name: compressed, an archive, text in an encoding, or no text at all.

gzip, xz and bzip2 are decompressed. Other encodings than UTF-8 are read if they are named, and files whose lines mostly
end in carriage returns are read as such lines. Everything else is an error that says what the file is and what to do.
"""

import codecs
import gzip
import logging
from pathlib import Path
from typing import IO, Any, NamedTuple

from seq2seq.corpora import encodings
from seq2seq.corpora.archives import archive_kind, choice, member_names, open_member, split_path, texts
from seq2seq.corpora.streams import decompressed, peek, peek_line, recoded, with_line_feeds
from seq2seq.errors import DataError

MAX_LINE_BYTES = 1_000_000
"""Bytes per line, its end included. A longer line is not text, but for example a decompression bomb."""

SAMPLE = 10_000
"""Bytes that show UTF-16 and UTF-32, and how lines end unless the first line is longer."""

NESTED = 3
"""Layers of compression and archives: a.en.gz in a tar.gz has three."""

OTHERS = {
    b"7z\xbc\xaf\x27\x1c": "a 7z archive: unpack it with 7z x {name}, and name a text file in it",
    b"Rar!\x1a\x07": "a RAR archive: unpack it with unrar x {name}, and name a text file in it",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: decompress it with zstd -d {name}",
    b"%PDF-": "a PDF document, which has no sentences: try pdftotext {name}, and correct the text by hand",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an old Word or Excel file (.doc, .xls): save a table as .xlsx or CSV, and "
    "text as plain text (UTF-8)",
    b"{\\rtf": "a rich-text document: save it as plain text (UTF-8)",
    b"SQLite format 3\0": "an SQLite database: export its table as CSV",
    b"PAR1\x15": "a Parquet file, with columns: name it as data.file or data.train.file",
}
"""Files that are no text, by their first bytes."""

IN_ZIP = {
    "word/": "a Word document (.docx): save it as plain text (UTF-8), one sentence per line; save a table as CSV",
    "xl/": "an Excel workbook (.xlsx): save a table with both languages as CSV (UTF-8), or name it as data.file",
    "ppt/": "a presentation (.pptx): save its text as plain text (UTF-8)",
    "META-INF/manifest.xml": "an OpenDocument file (.odt, .ods): save text as plain text (UTF-8), and a table as CSV",
    "META-INF/container.xml": "an e-book (.epub): convert it to plain text (UTF-8)",
}
"""Zip archives that are files of other programs, by the beginning of a member's name."""

log = logging.getLogger("seq2seq")


class Text(NamedTuple):
    """The text of a file as a stream of UTF-8 with line feeds."""

    stream: IO[bytes]
    packed: bool
    """Whether it was compressed or in an archive."""
    carriage_returns: bool
    """Whether its lines end in carriage returns, which became line feeds."""


class Unpacked(NamedTuple):
    """The bytes of a file after decompression."""

    stream: IO[bytes]
    start: bytes
    """The first line, at most a million bytes."""
    layers: int
    """Layers of compression and archives that were removed."""


def decompress(file: IO[bytes], name: str, layers: int = 0) -> Unpacked:
    """Remove gzip, xz and bzip2 compression, whatever the name says.

    Raises:
        DamagedError: while reading.
        DataError: too many layers.
    """
    while True:
        file, start = peek_line(file, MAX_LINE_BYTES + 1)
        kind = compression(start)
        if kind is None:
            return Unpacked(file, start, layers)
        layers += 1
        if layers > NESTED:
            raise DataError(f"{name} is compressed several times: decompress it first")
        file = decompressed(_decompressor(file, kind, name), kind)


def _decompressor(file: IO[bytes], kind: str, name: str) -> Any:
    try:
        if kind == "gzip":
            return gzip.GzipFile(fileobj=file)
        if kind == "xz":
            import lzma  # this and the next: not in every build of Python

            return lzma.LZMAFile(file)
        import bz2

        return bz2.BZ2File(file)
    except ImportError:
        raise DataError(f"{name} is compressed with {kind}, which this Python cannot read: decompress it") from None


def compression(start: bytes) -> str | None:
    """The compression of a file that begins so; None for none."""
    if start.startswith(b"\x1f\x8b\x08"):
        return "gzip"
    if start.startswith(b"\xfd7zXZ\0"):
        return "xz"
    return "bzip2" if start[:3] == b"BZh" and start[4:10] in (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90") else None


def unpack(file: IO[bytes], name: str, member: str = "") -> Unpacked:
    """Decompress a file, and open the only text in an archive, or the named one.

    Raises:
        DamagedError: while reading.
        DataError: the archive has several texts, not this one, or cannot be read from a pipe.
    """
    unpacked = decompress(file, name)
    kind = archive_kind(unpacked.start)
    if kind is None:
        if member:
            raise DataError(f"{name}: no such file: check the path")
        return unpacked
    if not (file if kind == "tar" else unpacked.stream).seekable():
        raise DataError(f"{name} is a {kind} archive: unpack it, and name a text file in it")
    if not member:
        names = member_names(unpacked.stream, kind)
        refuse_in_zip(names, name)
        member = only_text(names, name)
    file.seek(0)
    stream = open_member(decompress(file, name).stream, kind, member)
    if stream is None:
        file.seek(0)
        archive = split_path(Path(name))[0]
        raise choice(archive, texts(member_names(decompress(file, name).stream, kind)))
    inner = decompress(stream, name, unpacked.layers + 1)
    if archive_kind(inner.start):
        raise DataError(f"{name} is an archive in an archive: unpack it, and name a text file in it")
    return inner


def only_text(names: tuple[str, ...], name: str) -> str:
    """The name of the only text in an archive.

    Raises:
        DataError: there are several, or none.
    """
    candidates = texts(names)
    if len(candidates) != 1:
        raise choice(Path(name), candidates)
    return candidates[0]


def refuse_in_zip(names: tuple[str, ...], name: str) -> None:
    """Check that a zip archive is not a file of another program.

    Raises:
        DataError: says what it is and what to do.
    """
    for beginning, what in IN_ZIP.items():
        if any(member.startswith(beginning) for member in names):
            raise DataError(f"{name} is {what}")


def refuse_no_text(start: bytes, name: str) -> None:
    """Check that a file that begins so is not known to be something else than text.

    Raises:
        DataError: says what it is and what to do.
    """
    for beginning, what in OTHERS.items():
        if start.startswith(beginning):
            raise DataError(f"{name} is {what.format(name=name)}")


def as_text(file: IO[bytes], name: str, encoding: str | None, setting: str | None, member: str = "") -> Text:
    """The text of an open file as UTF-8 with line feeds.

    Args:
        file: open at its start; one that is not seekable, such as standard input, is read no further than needed.
        name: of the file, for messages.
        encoding: of the text; None: UTF-8.
        setting: that contains the encoding, for messages; None: there is none.
        member: name of a file in an archive; empty: the only text in it.

    Raises:
        ConfigError: unknown encoding.
        DataError: the file is no text, or in another encoding; also while reading.
        DamagedError: while reading.
    """
    stream, start, layers = unpack(file, name, member)
    refuse_no_text(start, name)
    if name != "standard input":  # whose writer may be waiting
        stream, start = peek(stream, SAMPLE)
    codec = _checked_encoding(start, name, encoding, setting, layers > 0)
    stream, start = peek_line(stream if codec is None else recoded(stream, codec, name), MAX_LINE_BYTES + 1)
    if name != "standard input":
        stream, beginning = peek(stream, SAMPLE)
        start = max(start, beginning, key=len)
    elif start.endswith(b"\n"):  # one line shows no more
        return Text(stream, layers > 0, carriage_returns=False)
    returns = ends_in_carriage_returns(start)
    return Text(with_line_feeds(stream) if returns else stream, layers > 0, returns)


def ends_in_carriage_returns(start: bytes) -> bool:
    """Whether lines end in carriage returns: the beginning of the file has more of them alone than line feeds.

    These may stand in quoted cells of several lines, or after the last line. Elsewhere they end lines, in which
    carriage returns are characters of sentences.
    """
    alone = start.count(b"\r") - start.count(b"\r\n")
    unquoted = b"".join(start.split(b'"')[::2])
    return alone > start.count(b"\n") and b"\n" not in unquoted.rstrip(b"\r\n")


def _checked_encoding(start: bytes, name: str, encoding: str | None, setting: str | None, packed: bool) -> str | None:
    """Python's name of the encoding to read a file with; None for UTF-8."""
    wide = encodings.wide_encoding(start[:-1] if len(start) % 2 and start.endswith(b"\n") else start)
    codec = "utf-8" if encoding is None else encodings.codec(encoding, setting)
    if wide is None:
        if codec in ("utf-16", "utf-32") and start.isascii():
            return None  # as the saved sets of data.file, beside files in UTF-16
        if codec in ("utf-16", "utf-32"):
            raise DataError(
                f"{name} is not {codec.upper()}: leave {setting}={encoding} out, or name the byte order too, such as "
                f"{setting}={codec}-le"
            )
        utf8 = codec in ("utf-8", "utf-8-sig") or start.startswith(codecs.BOM_UTF8)
        if not utf8 and encodings.is_surely_utf8(start):
            raise DataError(
                f"{name} is UTF-8 and not {encoding}: leave {setting}={encoding} out, and convert other files that "
                "need it to UTF-8"
            )
        return None if utf8 else codec
    if codec[:6] != wide[:6]:
        raise DataError(f"{name} is {wide.upper()}: {encodings.advice(wide, name, setting, packed)}")
    marked = wide == codec[:6]
    return wide if marked or codec == wide[:6] else codec
