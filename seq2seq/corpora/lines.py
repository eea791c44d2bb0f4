"""Lines of text files: only a line feed ends a line, so that two aligned files stay aligned.

``str.splitlines`` and many text loaders also split at U+2028, U+2029, U+0085, vertical tab, form feed or a lone
carriage return. One such character inside a sentence then shifts all following pairs by one line.
"""

import codecs
import gzip
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, cast

from seq2seq.errors import DataError

SAMPLE = 1_000_000
"""Bytes from which the number of lines is estimated."""

MAX_LINE_BYTES = 1_000_000
"""Bytes per line, its end included. A longer line is not text, but for example a decompression bomb."""


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a UTF-8 file, one at a time, without their ends; ``.gz`` files are decompressed.

    A line ends at a line feed only. A carriage return before it (CRLF) and a byte-order mark at the start of the file
    are removed. The last line feed may be missing; blank lines are kept.

    Raises:
        DataError: the file is missing, unreadable or damaged, is not UTF-8 (the message has line and byte), or has a
            line of more than `MAX_LINE_BYTES` bytes.
    """
    try:
        with open_binary(path) as file:
            yield from decoded_lines(file, str(path))
    except OSError as error:
        raise unreadable(path, error) from None


def read_input(name: str, skipped: list[int] | None = None) -> tuple[Iterator[str], int | None]:
    """The lines of a file, or of standard input for ``-``, and their number; None if they can be read only once.

    Counting reads the whole file, so that an invalid line is reported before any work.

    Args:
        name: the file.
        skipped: as for `decoded_lines`; for standard input only.

    Raises:
        DataError: as `read_lines`: immediately for a file, otherwise while reading.
    """
    if name == "-":
        return decoded_lines(sys.stdin.buffer, "standard input", skipped), None
    path = Path(name).expanduser()
    once = path.exists() and not path.is_file()  # a pipe
    return read_lines(path), None if once else sum(1 for _ in read_lines(path))


def estimated_lines(path: Path) -> int | None:
    """Approximate number of lines, from the file's size and its first million (compressed) bytes; None if unreadable.

    A pipe is not read, because its content would be lost.
    """
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            start, size = file.read(SAMPLE), os.fstat(file.fileno()).st_size
        if path.suffix == ".gz":
            unpacker = zlib.decompressobj(wbits=31)
            text = unpacker.decompress(start, 100 * SAMPLE)  # a limit for highly compressed files
            read = len(start) - len(unpacker.unused_data) - len(unpacker.unconsumed_tail)
        else:
            text, read = start, len(start)
    except (OSError, zlib.error):
        return None
    return round(text.count(b"\n") * size / read) if read else None


def decoded_lines(file: IO[bytes], name: str, skipped: list[int] | None = None) -> Iterator[str]:
    """The lines of an open binary stream, by the rules of `read_lines`.

    Args:
        file: the stream.
        name: of the stream, for messages.
        skipped: receives the numbers of lines that are too long, and they are yielded as blank; None: an error.

    Raises:
        DataError: damaged gzip data, bytes that are not UTF-8, or a line that is too long.
        OSError: as raised by the stream.
    """
    number = 0
    try:
        for number, raw in enumerate(raw_lines(file), 1):
            if len(raw) > MAX_LINE_BYTES:
                if skipped is None:
                    raise too_long(name, number)
                skipped.append(number)
                while raw and not raw.endswith(b"\n"):
                    raw = file.readline(MAX_LINE_BYTES)
                yield ""
                continue
            line = raw.removesuffix(b"\n").removesuffix(b"\r")
            if number == 1 and raw.startswith(codecs.BOM_UTF8):
                if raw == codecs.BOM_UTF8:  # an empty file with a byte-order mark
                    return
                line = line.removeprefix(codecs.BOM_UTF8)
            yield line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name}, line {number:,}: byte 0x{error.object[error.start]:02x} at position {error.start + 1} is not "
            f"UTF-8: save it as UTF-8 in a text editor, or convert it: iconv -f ISO-8859-1 -t UTF-8 OLD > NEW"
        ) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{name}: damaged or incomplete gzip data after line {number:,} ({error}): fetch or compress the file again"
        ) from None


def raw_lines(file: IO[bytes]) -> Iterator[bytes]:
    """The lines of an open binary stream; a longer line is truncated to one byte more than `MAX_LINE_BYTES`."""
    return iter(partial(file.readline, MAX_LINE_BYTES + 1), b"")


def too_long(name: str, number: int) -> DataError:
    """The error for a line that is too long."""
    return DataError(
        f"{name}, line {number:,} has more than {MAX_LINE_BYTES:,} bytes: name a text file with one sentence per line"
    )


def open_binary(path: Path) -> IO[bytes]:
    """The file's bytes, decompressed if its name ends in ``.gz``."""
    return cast(IO[bytes], gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


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
