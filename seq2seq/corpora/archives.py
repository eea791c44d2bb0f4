"""Texts in zip and tar archives, read as streams: nothing is extracted, links are not followed."""

import re
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any

from seq2seq.corpora.streams import DamagedError, decompressed
from seq2seq.errors import DataError

MEMBERS = 10_000
"""Files in an archive; one with more is no corpus."""

NO_TEXT = re.compile(
    r"(^|/)(README|LICEN[CS]E|COPYING|NOTICE|CHANGE)[^/]*$|\.(xml|ids|md|html?|pdf|scores?)(\.gz)?$", re.IGNORECASE
)
"""Names of files that stand beside the text of a corpus, as in OPUS."""

HIDDEN = re.compile(r"(^|/)(\.|__MACOSX/)")
"""Names of hidden files, such as ``._train.en``, in which macOS keeps attributes of train.en."""


def archive_kind(start: bytes) -> str | None:
    """``zip`` or ``tar`` if a file that begins so is an archive."""
    if start[:4] in (b"PK\3\4", b"PK\5\6"):
        return "zip"
    return "tar" if start[257:262] == b"ustar" else None


def split_path(path: Path) -> tuple[Path, str]:
    """The file on the disk and the name of a member: ``corpus.zip/train.en`` is train.en in corpus.zip."""
    with suppress(OSError):  # a folder that may not be entered, or a name that is too long: raised where it is opened
        if not path.exists():
            for parent in path.parents:
                if parent.is_file():
                    return parent, path.relative_to(parent).as_posix()
    return path, ""


def member_names(file: IO[bytes], kind: str) -> tuple[str, ...]:
    """The names of the files in an open archive, without ``./``; those that lead out of it are left out.

    Raises:
        DamagedError: the archive cannot be read, or has too many files.
    """
    return tuple(str(PurePosixPath(name)) for name, _ in _members(file, kind) if _is_inside(name))


def texts(names: tuple[str, ...]) -> list[str]:
    """The names of the files in an archive that may be text of the corpus."""
    visible = [name for name in names if not HIDDEN.search(name)] or list(names)
    return [name for name in visible if not NO_TEXT.search(name)] or visible


def open_member(file: IO[bytes], kind: str, name: str) -> IO[bytes] | None:
    """A stream of a file in an open archive; None: there is none of this name.

    Raises:
        DamagedError: as `member_names`; also while reading.
    """
    wanted = PurePosixPath(name)
    for other, stream in _members(file, kind):
        if _is_inside(other) and PurePosixPath(other) == wanted:
            with _archive_errors(kind):
                return decompressed(stream(), kind)
    return None


def _members(file: IO[bytes], kind: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Names of regular files, and functions that open them."""
    with _archive_errors(kind):
        members = _in_zip(file) if kind == "zip" else _in_tar(file)
        for number, member in enumerate(members):
            if number == MEMBERS:
                raise DamagedError(f"{kind} archive", f"more than {MEMBERS:,} files")
            yield member


def _in_zip(file: IO[bytes]) -> Iterator[tuple[str, Callable[[], Any]]]:
    archive = zipfile.ZipFile(file)
    for info in archive.infolist():
        if not info.is_dir() and not stat.S_ISLNK(info.external_attr >> 16):
            yield info.filename, partial(archive.open, info)


def _in_tar(file: IO[bytes]) -> Iterator[tuple[str, Callable[[], Any]]]:
    archive = tarfile.open(fileobj=file, mode="r|")  # noqa: SIM115  # its members are read after this function
    for info in archive:
        if info.isreg():
            yield info.name, partial(archive.extractfile, info)


@contextmanager
def _archive_errors(kind: str) -> Iterator[None]:
    """Converts the exceptions of zipfile and tarfile for damaged, encrypted and unsupported archives."""
    try:
        yield
    except (zipfile.BadZipFile, tarfile.TarError, NotImplementedError, RuntimeError) as error:
        raise DamagedError(f"{kind} archive", error) from None


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name and bool(path.parts)


def choice(path: Path, names: list[str], setting: str = "") -> DataError:
    """The error for an archive with several texts: names them and the way to choose, by a setting if it is known."""
    listed = ", ".join(names[:8]) + (f" and {len(names) - 8:,} more" if len(names) > 8 else "")
    example = f"{setting}{'=' if setting else ''}{path}/{names[0] if names else 'NAME'}"
    return DataError(
        f"{path} is an archive with {len(names)} files ({listed or 'none'}): name one as if the archive were a folder, "
        f"such as {example}; two sides are data.train.source and data.train.target"
    )
