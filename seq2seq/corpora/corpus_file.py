"""A corpus file that is read several times: once it is hashed, changed content raises an error.

A corpus is hashed, encoded, and read again for validation or a cleaned copy. If another program changed the file
meanwhile, the ids would be cached under the wrong hash.
"""

import gzip
import hashlib
import io
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import IO, Any, TypeVar, cast

from seq2seq.corpora.lines import decoded_lines, estimated_lines, unreadable
from seq2seq.errors import DataError

Result = TypeVar("Result")

BLOCK = 1 << 20
"""Bytes per hash."""


class CorpusFile:
    """A file of a corpus, plain or ``.gz``.

    Args:
        path: of the file. Anything except a regular file, such as a named pipe, can be read only once.

    Raises:
        DataError: the file is missing or a folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.stat()
        except OSError as error:
            raise unreadable(path, error) from None
        if path.is_dir():
            raise unreadable(path, IsADirectoryError())
        self._read = False

    @cached_property
    def content(self) -> str:
        """A hash of the file's bytes, independent of its name and age; takes one or two seconds per gigabyte.

        Raises:
            DataError: the file cannot be read, or is not a regular file.
        """
        return hashlib.sha256(b"".join(self._hashes)).hexdigest()

    @cached_property
    def _hashes(self) -> list[bytes]:
        """A hash for each `BLOCK`, which later reads are compared with."""
        self.require_regular()
        try:
            with self.path.open("rb") as file:
                return [hashlib.sha256(block).digest() for block in iter(lambda: file.read(BLOCK), b"")]
        except OSError as error:
            raise unreadable(self.path, error) from None

    def require_regular(self) -> None:
        """Check that the file can be read several times.

        Raises:
            DataError: it is not a regular file, but a pipe for example.
        """
        if self.path.exists() and not self.path.is_file():
            raise DataError(f"{self.path} can be read only once: write the text to a file and name the file")

    @contextmanager
    def raw(self) -> Iterator[IO[bytes]]:
        """The file's bytes, open at the start.

        Raises:
            DataError: the file can be read only once and has been; or, while reading, it differs from its hash.
            OSError: as raised by the system.
        """
        if self._read:
            self.require_regular()
        self._read = True
        with ExitStack() as stack:
            file: IO[bytes] = stack.enter_context(self.path.open("rb"))
            if "_hashes" in self.__dict__:
                verified = _VerifiedBytes(self.path, file, self._hashes)
                file = stack.enter_context(io.BufferedReader(verified, BLOCK))
            yield file

    @contextmanager
    def unpacked(self) -> Iterator[IO[bytes]]:
        """The bytes, decompressed if the name ends in ``.gz``; raises the errors of `raw` and of `gzip`."""
        with ExitStack() as stack:
            file = stack.enter_context(self.raw())
            if self.path.suffix == ".gz":
                file = cast(IO[bytes], stack.enter_context(gzip.GzipFile(fileobj=file)))
            yield file

    def lines(self) -> Generator[str, None, None]:
        """The lines, as `seq2seq.corpora.lines.read_lines`.

        Raises:
            DataError: as `read_lines` and `raw`.
        """
        try:
            with self.unpacked() as file:
                yield from decoded_lines(file, str(self.path))
        except OSError as error:
            raise unreadable(self.path, error) from None

    def parsed(self, parse: Callable[[str, int], Result]) -> Iterator[Result]:
        """The results of a function of each line and its number, from 1; the file is closed if the function raises.

        Raises:
            DataError: as `lines`.
        """
        with closing(self.lines()) as lines:
            for number, line in enumerate(lines, 1):
                yield parse(line, number)

    def expected_lines(self) -> int | None:
        """Approximate number of lines; None if unknown."""
        return estimated_lines(self.path)


class _VerifiedBytes(io.RawIOBase):
    """The bytes of a file, read in blocks that are compared with their hashes."""

    def __init__(self, path: Path, file: IO[bytes], hashes: list[bytes]) -> None:
        self._path, self._file, self._hashes = path, file, hashes
        self._position, self._number, self._block = 0, -1, b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: os.fstat(self._file.fileno()).st_size}
        self._position = start[whence] + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        number, start = divmod(self._position, BLOCK)
        if number != self._number:
            self._load(number)
        part = self._block[start : start + len(buffer)]
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)

    def _load(self, number: int) -> None:
        """Read a block; the block after the last must be empty."""
        self._file.seek(number * BLOCK)
        block = self._file.read(BLOCK)
        expected = self._hashes[number] if number < len(self._hashes) else None
        if (hashlib.sha256(block).digest() if block else None) != expected:
            raise DataError(f"{self._path} has changed while it was in use: start the same command again")
        self._number, self._block = number, block
