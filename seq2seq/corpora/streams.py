"""Streams of bytes that stand for a file: put back what was read, decompress, convert to UTF-8 with line feeds."""

import codecs
import io
from collections.abc import Callable
from typing import IO, Any, cast

from seq2seq.errors import DataError

BLOCK = 1 << 20
"""Bytes per read."""


class DamagedError(EOFError):
    """Compressed data or an archive is damaged or incomplete.

    Attributes:
        what: is damaged, such as ``gzip data``.
    """

    def __init__(self, what: str, error: object) -> None:
        super().__init__(str(error))
        self.what = what


class _Bytes(io.RawIOBase):
    """A stream that produces blocks of any size."""

    def __init__(self) -> None:
        self._ready = b""

    def readable(self) -> bool:
        return True

    def _block(self, size: int) -> bytes | None:
        """The next bytes, about as many as ``size``; None at the end."""
        raise NotImplementedError

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            block = self._block(len(buffer))
            if block is None:
                return 0
            self._ready = block
        part = self._ready[: len(buffer)]
        self._ready = self._ready[len(part) :]
        buffer[: len(part)] = part
        return len(part)


class _PutBack(_Bytes):
    def __init__(self, start: bytes, rest: IO[bytes]) -> None:
        super().__init__()
        self._ready, self._rest = start, rest

    def _block(self, size: int) -> bytes | None:
        return cast(Any, self._rest).read1(size) or None  # what is there: a program may wait for its translation


class _Decompressed(_Bytes):
    def __init__(self, packed: Any, kind: str) -> None:
        super().__init__()
        self._packed, self._kind = packed, kind

    def _block(self, size: int) -> bytes | None:
        try:
            return self._packed.read1(size) or None
        except (DataError, DamagedError):  # of a layer below
            raise
        except Exception as error:  # zlib, lzma, zipfile and tarfile have errors of their own
            if isinstance(error, OSError) and error.errno is not None:  # of the system
                raise
            raise DamagedError(f"{self._kind} data", error) from None


class _Recoded(_Bytes):
    def __init__(self, file: IO[bytes], encoding: str, name: str) -> None:
        super().__init__()
        self._file, self._encoding, self._name = file, encoding, name
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._read, self._ended = 0, False

    def _block(self, size: int) -> bytes | None:
        if self._ended:
            return None
        block = cast(Any, self._file).read1(size)
        self._ended = not block
        try:
            text = self._decoder.decode(block, final=self._ended)
        except UnicodeDecodeError as error:
            place = self._read + len(block) - len(error.object) + error.start + 1
            raise DataError(
                f"{self._name}: byte 0x{error.object[error.start]:02x} at position {place:,} of the file is not "
                f"{self._encoding}: name its encoding, or fix the file"
            ) from None
        self._read += len(block)
        return text.encode("utf-8")


class _LineFeeds(_Bytes):
    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file, self._after_return = file, False

    def _block(self, size: int) -> bytes | None:
        block = cast(Any, self._file).read1(size)
        if not block:
            return None
        rest = block[1:] if self._after_return and block.startswith(b"\n") else block
        self._after_return = block.endswith(b"\r")
        return cast(bytes, rest.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))


def put_back(start: bytes, rest: IO[bytes]) -> IO[bytes]:
    """A stream of bytes that were read and of those that follow."""
    return io.BufferedReader(_PutBack(start, rest), BLOCK)


def decompressed(packed: Any, kind: str) -> IO[bytes]:
    """A stream of a decompressor (with `read1`) whose errors are `DamagedError`.

    Args:
        packed: the decompressor.
        kind: of the data, for messages.
    """
    return io.BufferedReader(_Decompressed(packed, kind), BLOCK)


def recoded(file: IO[bytes], encoding: str, name: str) -> IO[bytes]:
    """A stream of UTF-8 from text in another encoding.

    Raises:
        DataError: while reading: bytes are invalid in the encoding.
    """
    return io.BufferedReader(_Recoded(file, encoding, name), BLOCK)


def with_line_feeds(file: IO[bytes]) -> IO[bytes]:
    """A stream with a line feed for each carriage return, and for one with its line feed."""
    return io.BufferedReader(_LineFeeds(file), BLOCK)


def peek_line(file: IO[bytes], limit: int) -> tuple[IO[bytes], bytes]:
    """A stream with all bytes of a file, and its first line of at most ``limit`` bytes."""
    return _peek(file, lambda: file.readline(limit))


def peek(file: IO[bytes], size: int) -> tuple[IO[bytes], bytes]:
    """A stream with all bytes of a file, and the first ``size`` of them."""
    return _peek(file, lambda: file.read(size))


def _peek(file: IO[bytes], read: Callable[[], bytes]) -> tuple[IO[bytes], bytes]:
    start = file.tell() if file.seekable() else None
    beginning = read()
    if start is None:
        return put_back(beginning, file), beginning
    file.seek(start)
    return file, beginning
