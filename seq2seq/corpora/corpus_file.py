"""A file of text that is read several times, and must be the same each time: once it is hashed, other text is refused.

A corpus is hashed, encoded, and read again for a validation or a cleaned copy. A file that another program writes
meanwhile would give ids that do not belong to the hash they are kept under.
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
"""Bytes that are hashed together."""


class CorpusFile:
    """A file of a corpus, plain or ``.gz``.

    Args:
        path: where it lies. What is no regular file, such as a named pipe, can be read only once.

    Raises:
        DataError: there is no such file, or it is a folder.
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
        """A hash of the file's bytes, a second or two for each gigabyte: it does not depend on its name or age.

        Raises:
            DataError: the file cannot be read, or only once.
        """
        return hashlib.sha256(b"".join(self._hashes)).hexdigest()

    @cached_property
    def _hashes(self) -> list[bytes]:
        """A hash for each `BLOCK`; whatever is read from now on must have the same."""
        self.require_regular()
        try:
            with self.path.open("rb") as file:
                return [hashlib.sha256(block).digest() for block in iter(lambda: file.read(BLOCK), b"")]
        except OSError as error:
            raise unreadable(self.path, error) from None

    def require_regular(self) -> None:
        """Check that the file can be read several times.

        Raises:
            DataError: it is a pipe or the like.
        """
        if self.path.exists() and not self.path.is_file():
            raise DataError(f"{self.path} can be read only once: write it to a file first, and name that")

    @contextmanager
    def raw(self) -> Iterator[IO[bytes]]:
        """The bytes as they lie in the file, from its beginning.

        Raises:
            DataError: at once, where they can be read only once and have been; while they are read, where they are
                others than those that were hashed.
            OSError: as the system raises it.
        """
        if self._read:
            self.require_regular()
        self._read = True
        with ExitStack() as stack:
            file: IO[bytes] = stack.enter_context(self.path.open("rb"))
            if "_hashes" in self.__dict__:
                held = _HeldBytes(self.path, file, self._hashes)
                file = stack.enter_context(io.BufferedReader(held, BLOCK))
            yield file

    @contextmanager
    def unpacked(self) -> Iterator[IO[bytes]]:
        """The bytes, unpacked where the name ends in ``.gz``; errors are those of `raw`, and those of `gzip`."""
        with ExitStack() as stack:
            file = stack.enter_context(self.raw())
            if self.path.suffix == ".gz":
                file = cast(IO[bytes], stack.enter_context(gzip.GzipFile(fileobj=file)))
            yield file

    def lines(self) -> Generator[str, None, None]:
        """As `seq2seq.corpora.lines.read_lines` gives them.

        Raises:
            DataError: as it does, and as `raw`.
        """
        try:
            with self.unpacked() as file:
                yield from decoded_lines(file, str(self.path))
        except OSError as error:
            raise unreadable(self.path, error) from None

    def parsed(self, parse: Callable[[str, int], Result]) -> Iterator[Result]:
        """What a function makes of each line and its number, from 1; the file is closed where it raises.

        Raises:
            DataError: as `lines`.
        """
        with closing(self.lines()) as lines:
            for number, line in enumerate(lines, 1):
                yield parse(line, number)

    def expected_lines(self) -> int | None:
        """About how many lines there are; None where nobody knows."""
        return estimated_lines(self.path)


class _HeldBytes(io.RawIOBase):
    """The bytes of a file in blocks, each of which must have its hash."""

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
            self._take(number)
        part = self._block[start : start + len(buffer)]
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)

    def _take(self, number: int) -> None:
        """Read a block; the one behind the last must be empty."""
        self._file.seek(number * BLOCK)
        block = self._file.read(BLOCK)
        known = self._hashes[number] if number < len(self._hashes) else None
        if (hashlib.sha256(block).digest() if block else None) != known:
            raise DataError(f"{self._path} has changed while it was in use: start the same command again")
        self._number, self._block = number, block
