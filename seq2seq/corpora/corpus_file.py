"""A corpus file that is read several times: once it is hashed, changed content raises an error.

A corpus is hashed, encoded, and read again for validation or a cleaned copy. If another program changed the file
meanwhile, the ids would be cached under the wrong hash.
"""

import codecs
import hashlib
import io
import logging
import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from seq2seq.corpora.archives import archive_kind, member_names, split_path
from seq2seq.corpora.content import Text, Unpacked, as_text, decompress, unpack
from seq2seq.corpora.lines import damaged, decoded_lines, unreadable
from seq2seq.corpora.streams import DamagedError
from seq2seq.errors import DataError

BLOCK = 1 << 20
"""Bytes per hash."""

SAMPLE = 1_000_000
"""Bytes of text from which the number of lines is estimated."""

ENCODING = "data.encoding"
"""The setting with the encoding of corpus files."""

log = logging.getLogger("seq2seq")


class CorpusFile:
    """A file of a corpus, whose content says how it is read (`corpora.content`).

    Args:
        path: of the file; ``corpus.zip/train.en`` is a file in an archive. Anything except a regular file, such as a
            named pipe, can be read only once.
        encoding: of its text; None: UTF-8.
        setting: the name of the setting with the encoding, for messages.

    Raises:
        DataError: the file is missing or a folder.
    """

    def __init__(self, path: Path, encoding: str | None = None, setting: str = ENCODING) -> None:
        self.path, self.encoding, self._setting = path, encoding, setting
        self._place, self._member = split_path(path)
        try:
            self._place.stat()
            if path.is_dir():
                raise IsADirectoryError
        except OSError as error:
            raise unreadable(path, error) from None
        self._read = self._noted = False

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
            with self._place.open("rb") as file:
                return [hashlib.sha256(block).digest() for block in iter(lambda: file.read(BLOCK), b"")]
        except OSError as error:
            raise unreadable(self.path, error) from None

    def require_regular(self) -> None:
        """Check that the file can be read several times.

        Raises:
            DataError: it is not a regular file, but a pipe for example.
        """
        if self._place.exists() and not self.is_regular:
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
            file: IO[bytes] = stack.enter_context(self._place.open("rb"))
            if "_hashes" in self.__dict__:
                verified = _VerifiedBytes(self.path, file, self._hashes)
                file = stack.enter_context(io.BufferedReader(verified, BLOCK))
            yield file

    @property
    def is_regular(self) -> bool:
        """Whether it can be read several times."""
        return self._place.is_file()

    @property
    def identity(self) -> str:
        """`content`, and how the bytes become lines."""
        returns = ["carriage returns"] if self.carriage_returns else []
        return " ".join([self.content, *filter(None, (self._member, self.encoding)), *returns])

    @cached_property
    def carriage_returns(self) -> bool:
        """Whether lines end in carriage returns.

        Raises:
            ConfigError, DataError: as `text`.
        """
        self.require_regular()
        with self.text() as text:
            return text.carriage_returns

    @cached_property
    def is_packed(self) -> bool:
        """Whether it is compressed, or in an archive."""
        try:
            with self.decompressed() as unpacked:
                return bool(self._member) or unpacked.layers > 0
        except OSError as error:
            raise unreadable(self.path, error) from None

    @contextmanager
    def decompressed(self) -> Iterator[Unpacked]:
        """The bytes without gzip, xz and bzip2; those of an archive if it is one.

        Raises:
            DataError: as `raw`, or the file is damaged.
            OSError: as raised by the system.
        """
        with self.raw() as file:
            with self._checked():
                unpacked = decompress(file, str(self.path))
            yield unpacked

    @contextmanager
    def unpacked(self) -> Iterator[IO[bytes]]:
        """The bytes without compression; from an archive those of its only text, or of the named file.

        Raises:
            DataError: as `raw`; the file is damaged; or an archive has several texts.
            OSError: as raised by the system.
        """
        with self.raw() as file:
            with self._checked():
                unpacked = unpack(file, str(self.path), self._member)
            yield unpacked.stream

    @contextmanager
    def text(self) -> Iterator[Text]:
        """The text as UTF-8 with line feeds.

        Raises:
            ConfigError: unknown encoding.
            DataError: as `unpacked`; or the file is no text or in another encoding.
            DamagedError: while reading.
            OSError: as raised by the system.
        """
        with self.raw() as file:
            with self._checked():
                text = as_text(file, str(self.path), self.encoding, self._setting, self._member)
            yield text

    @contextmanager
    def _checked(self) -> Iterator[None]:
        try:
            yield
        except DamagedError as error:
            raise damaged(str(self.path), 0, error) from None

    @cached_property
    def members(self) -> tuple[str, ...]:
        """The names of the files in it, if it is an archive and its path names none.

        Raises:
            DataError: as `decompressed`.
            OSError: as raised by the system.
        """
        if self._member:
            return ()
        with self.decompressed() as unpacked:
            kind = archive_kind(unpacked.start)
            with self._checked():
                return () if kind is None else member_names(unpacked.stream, kind)

    def lines(self, undecodable: str = "strict") -> Generator[str, None, None]:
        """The lines, as `seq2seq.corpora.lines.read_lines`; notes are logged once.

        Args:
            undecodable: what happens to bytes that are not UTF-8, as ``errors`` of `bytes.decode`.

        Raises:
            ConfigError, DataError: as `read_lines` and `raw`.
        """
        note, self._noted = None if self._noted else log.warning, True
        how = self.encoding, self._setting, self._member, note, undecodable
        try:
            with self.raw() as file:
                yield from decoded_lines(file, str(self.path), None, *how)
        except OSError as error:
            raise unreadable(self.path, error) from None

    def blocks(self, undecodable: str = "strict") -> Generator[str, None, None]:
        """The text in blocks of about a megabyte, for formats whose lines mean nothing.

        Args:
            undecodable: as for `lines`.

        Raises:
            ConfigError, DataError: as `lines`.
        """
        decoder = codecs.getincrementaldecoder("utf-8")(undecodable)
        try:
            with self.text() as text:
                for block in iter(lambda: text.stream.read(BLOCK), b""):
                    yield decoder.decode(block)
                yield decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            for _ in self.lines():  # raises the error that names the line
                pass
        except DamagedError as error:
            raise damaged(str(self.path), 0, error) from None
        except OSError as error:
            raise unreadable(self.path, error) from None

    def expected_lines(self) -> int | None:
        """Approximate number of lines, from the file's size and its first million bytes of text; None if unknown.

        A pipe is not read, because its content would be lost.
        """
        if self._member or not self.is_regular:
            return None
        try:
            with self._place.open("rb") as file:
                text = as_text(file, str(self.path), self.encoding, self._setting, self._member)
                sample = text.stream.read(SAMPLE)
                return round(sample.count(b"\n") * os.fstat(file.fileno()).st_size / file.tell()) if sample else None
        except (OSError, EOFError, DataError):
            return None


def corpus_file(file: "Path | CorpusFile") -> CorpusFile:
    """A file given by its path, or as it is."""
    return file if isinstance(file, CorpusFile) else CorpusFile(file)


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
