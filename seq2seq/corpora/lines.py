"""Lines of a text file, exactly: only a line feed ends a line, so two aligned files stay aligned.

``str.splitlines`` and many text loaders also break at U+2028, U+2029, U+0085, vertical tab, form feed or a
lone carriage return. One such character inside a sentence then shifts every following pair by one line.
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
"""Bytes by which the lines of a file are estimated."""


LONGEST = 1_000_000
"""Bytes of a line, its end included. What has a longer one is no text, such as zeros that were packed to nothing."""


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a UTF-8 file, one at a time, without their ends; ``.gz`` files are unpacked on the fly.

    A line ends at a line feed and nowhere else; one carriage return before it is taken off (CRLF), as is a
    byte-order mark at the start of the file. A missing last line feed is fine; blank lines are kept.

    Raises:
        DataError: the file is missing, unreadable, damaged, not UTF-8 (names the line and the byte), or has a line of
            more than `LONGEST` bytes.
    """
    try:
        with open_binary(path) as file:
            yield from decoded_lines(file, str(path))
    except OSError as error:
        raise unreadable(path, error) from None


def read_input(name: str) -> tuple[Iterator[str], int | None]:
    """The lines of a file, or of standard input for ``-``, and how many they are; None for what can be read only once.

    Counting them reads a file through, so that what is wrong with a line is said before any work.

    Raises:
        DataError: as `read_lines` does, at once for a file and from the lines otherwise.
    """
    if name == "-":
        return decoded_lines(sys.stdin.buffer, "standard input"), None
    path = Path(name).expanduser()
    once = path.exists() and not path.is_file()  # a pipe
    return read_lines(path), None if once else sum(1 for _ in read_lines(path))


def estimated_lines(path: Path) -> int | None:
    """About how many lines a file has, going by its size and its first million bytes; None where these cannot be read.

    Of a packed file these are bytes before unpacking. A pipe is left alone: what is taken out of it is gone.
    """
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            start, size = file.read(SAMPLE), os.fstat(file.fileno()).st_size
        if path.suffix == ".gz":
            unpacker = zlib.decompressobj(wbits=31)
            text = unpacker.decompress(start, 100 * SAMPLE)  # and no more, of what was packed to next to nothing
            read = len(start) - len(unpacker.unused_data) - len(unpacker.unconsumed_tail)
        else:
            text, read = start, len(start)
    except (OSError, zlib.error):
        return None
    return round(text.count(b"\n") * size / read) if read else None


def decoded_lines(file: IO[bytes], name: str) -> Iterator[str]:
    """The lines of an open binary stream, by the rules of `read_lines`; ``name`` is what errors call it.

    Raises:
        DataError: damaged gzip data, bytes that are not UTF-8 (names the line and the byte), or a line too long.
        OSError: as the stream raises it.
    """
    number = 0
    try:
        for number, raw in enumerate(raw_lines(file), 1):
            if len(raw) > LONGEST:
                raise too_long(name, number)
            line = raw.removesuffix(b"\n").removesuffix(b"\r")
            if number == 1 and raw.startswith(codecs.BOM_UTF8):
                if raw == codecs.BOM_UTF8:  # a mark and nothing else: an empty file
                    return
                line = line.removeprefix(codecs.BOM_UTF8)
            yield line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name}, line {number:,}: byte 0x{error.object[error.start]:02x} at position {error.start + 1} is not "
            f"UTF-8; convert the file first, for example: iconv -f ISO-8859-1 -t UTF-8 OLD > NEW"
        ) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{name}: damaged or incomplete gzip data after line {number:,} ({error}); fetch or pack the file again"
        ) from None


def raw_lines(file: IO[bytes]) -> Iterator[bytes]:
    """The lines of an open binary stream; of one of more than `LONGEST` bytes, one byte more than that."""
    return iter(partial(file.readline, LONGEST + 1), b"")


def too_long(name: str, number: int) -> DataError:
    """The one-line error for a line that is none."""
    return DataError(f"{name}, line {number:,} has more than {LONGEST:,} bytes: this is no text with a sentence a line")


def open_binary(path: Path) -> IO[bytes]:
    """The file's bytes, unpacked where its name ends in ``.gz``."""
    return cast(IO[bytes], gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


@contextmanager
def open_output(path: Path, like: Path) -> Iterator[IO[bytes]]:
    """A file to write bytes to, packed where ``like``, the name that it is to have, ends in ``.gz``."""
    with path.open("wb") as file:
        if like.suffix != ".gz":
            yield file
            return
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:  # neither a name nor a time: the same each time
            yield cast(IO[bytes], packed)


def unreadable(path: Path, error: OSError) -> DataError:
    """The one-line error for a file that the system will not open or read."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return DataError(f"{path}: no such file; check the path")
    if isinstance(error, IsADirectoryError):
        return DataError(f"{path} is a folder, not a file; name one file")
    return DataError(f"{path} cannot be read: {error.strerror or error}")
