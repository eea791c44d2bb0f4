"""Lines of text files: only a line feed ends a line, so that two aligned files stay aligned.

The content of a file says how it is read (see `corpora.content`), not the ending of its name.

``str.splitlines`` and many text loaders also split at U+2028, U+2029, U+0085, vertical tab, form feed or a lone
carriage return. One such character inside a sentence then shifts all following pairs by one line.
"""

import codecs
import gzip
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, cast

from seq2seq.corpora.archives import split_path
from seq2seq.corpora.content import MAX_LINE_BYTES as MAX_LINE_BYTES
from seq2seq.corpora.content import as_text
from seq2seq.corpora.encodings import not_utf8
from seq2seq.corpora.rows import SAMPLE as TABLE_SAMPLE
from seq2seq.corpora.rows import table_sign
from seq2seq.corpora.streams import DamagedError
from seq2seq.errors import DataError

SAMPLE = 100_000
"""Bytes after a line that is not UTF-8 from which its encoding is guessed."""

log = logging.getLogger("seq2seq")


def read_lines(
    path: Path,
    encoding: str | None = None,
    setting: str | None = None,
    note: Callable[[str], None] | None = log.warning,
) -> Iterator[str]:
    """The lines of a text file, one at a time, without their ends; gzip, xz and bzip2 are decompressed.

    A line ends at a line feed only, or at carriage returns too (`content.ends_in_carriage_returns`). A carriage return
    before a line feed (CRLF) and a byte-order mark at the start of the file are removed. The last line end may be
    missing; blank lines are kept.

    Args:
        path: the file; ``corpus.zip/train.en`` is a file in an archive.
        encoding: of the text; None: UTF-8.
        setting: that contains the encoding, for messages; None: there is none.
        note: receives a line about text that is read in another way than usual; None: nothing does.

    Raises:
        ConfigError: unknown encoding.
        DataError: the file is missing, unreadable or damaged, is no text, is in another encoding (the message has line
            and byte), or has a line of more than `MAX_LINE_BYTES` bytes.
    """
    place, member = split_path(path)
    try:
        with place.open("rb") as file:
            yield from decoded_lines(file, str(path), None, encoding, setting, member, note)
    except OSError as error:
        raise unreadable(path, error) from None


def read_input(
    name: str, skipped: list[int] | None = None, encoding: str | None = None, setting: str | None = None
) -> tuple[Iterator[str], int | None]:
    """The lines of a file, or of standard input for ``-``, and their number; None if they can be read only once.

    Counting reads the whole file, so that an invalid line is reported before any work.

    Args:
        name: the file.
        skipped: as for `decoded_lines`; for standard input only.
        encoding, setting: as for `read_lines`.

    Raises:
        ConfigError: as `read_lines`.
        DataError: as `read_lines`: immediately for a file, otherwise while reading.
    """
    if name == "-":
        return decoded_lines(sys.stdin.buffer, "standard input", skipped, encoding, setting), None
    path = Path(name).expanduser()
    if path.exists() and not path.is_file():  # a pipe
        return read_lines(path, encoding, setting), None
    lines = read_lines(path, encoding, setting)
    beginning = list(islice(lines, TABLE_SAMPLE))
    if sign := table_sign(beginning):
        log.warning("%s looks like a table (%s): each line is read as a sentence", path, sign)
    return read_lines(path, encoding, setting, note=None), len(beginning) + sum(1 for _ in lines)


def decoded_lines(
    file: IO[bytes],
    name: str,
    skipped: list[int] | None = None,
    encoding: str | None = None,
    setting: str | None = None,
    member: str = "",
    note: Callable[[str], None] | None = log.warning,
    undecodable: str = "strict",
) -> Iterator[str]:
    """The lines of an open binary stream, by the rules of `read_lines`.

    Args:
        file: the stream.
        name: of the stream, for messages.
        skipped: receives the numbers of lines that are too long, and they are yielded as blank; None: an error.
        encoding, setting, note: as for `read_lines`.
        member: name of a file in an archive; empty: the only text in it.
        undecodable: what happens to bytes that are not UTF-8, as ``errors`` of `bytes.decode`.

    Raises:
        ConfigError, DataError: as `read_lines`.
        OSError: as raised by the stream.
    """
    number = 0
    try:
        text = as_text(file, name, encoding, setting, member)
        if text.carriage_returns and note is not None:
            note(f"{name}: lines end in carriage returns, and are read so")
        for number, raw in enumerate(raw_lines(text.stream), 1):
            if len(raw) > MAX_LINE_BYTES:
                if skipped is None:
                    raise too_long(name, number)
                skipped.append(number)
                while raw and not raw.endswith(b"\n"):
                    raw = text.stream.readline(MAX_LINE_BYTES)
                yield ""
                continue
            line = raw.removesuffix(b"\n").removesuffix(b"\r")
            if number == 1 and raw.startswith(codecs.BOM_UTF8):
                if raw == codecs.BOM_UTF8:  # an empty file with a byte-order mark
                    return
                line = line.removeprefix(codecs.BOM_UTF8)
            yield line.decode("utf-8", undecodable)
    except UnicodeDecodeError as error:
        following = b"" if name == "standard input" else text.stream.read(SAMPLE)  # its writer may be waiting
        raise not_utf8(name, number, error, raw + following, setting, text.packed) from None
    except DamagedError as error:
        raise damaged(name, number, error) from None


def damaged(name: str, number: int, error: DamagedError) -> DataError:
    """The error for compressed data or an archive that is damaged after a line."""
    return DataError(
        f"{name}: damaged or incomplete {error.what} after line {number:,} ({error}): fetch or compress the file again"
    )


def raw_lines(file: IO[bytes]) -> Iterator[bytes]:
    """The lines of an open binary stream; a longer line is truncated to one byte more than `MAX_LINE_BYTES`."""
    return iter(partial(file.readline, MAX_LINE_BYTES + 1), b"")


def too_long(name: str, number: int) -> DataError:
    """The error for a line that is too long."""
    return DataError(
        f"{name}, line {number:,} has more than {MAX_LINE_BYTES:,} bytes: name a text file with one sentence per line"
    )


@contextmanager
def open_output(path: Path, like: Path) -> Iterator[IO[bytes]]:
    """A file to write bytes to, compressed if ``like``, its final name, ends in ``.gz``."""
    with path.open("wb") as file:
        if like.suffix != ".gz":
            yield file
            return
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:  # no name or time: reproducible
            yield cast(IO[bytes], packed)


def unreadable(path: Path, error: OSError) -> DataError:
    """The error for a file that cannot be opened or read."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return DataError(f"{path}: no such file: check the path")
    if isinstance(error, IsADirectoryError):
        return DataError(f"{path} is a folder, not a file: name one file")
    return DataError(f"{path} cannot be read: {error.strerror or error}")
