"""Atomic writing of files and folders: a reader finds the old content or the new one, never a part."""

import errno
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from filelock import lock_descriptor
from safetensors import SafetensorError

from seq2seq.errors import RunError
from seq2seq.system.descriptors import BINARY, NO_LINK, NO_WAIT

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Error numbers of a full disk, an exceeded quota and an exceeded file size."""

SUFFIX = ".seq2seq.tmp"
"""End of the names of temporary files and folders. Nothing else is ever removed as a leftover."""

NAME_KEPT = 50
"""Characters of a file's name that its temporary name repeats. Names have at most 255 bytes, characters up to 4."""

USES_LOCKS = find_spec("fcntl") is not None
"""Whether temporary files are locked while they are written. On Windows an open file cannot be removed anyway."""


def kept_name(path: Path) -> str:
    """The name of a file as in the names of its lock and temporary files: of a long one the beginning and a hash."""
    if len(path.name) <= NAME_KEPT:
        return path.name
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:8]
    return f"{path.name[: NAME_KEPT - 9]}-{digest}"


def temporary_path(path: Path) -> Path:
    """A new name next to ``path``, different at each call, for content that will replace ``path``."""
    return path.with_name(f"{kept_name(path)}.{secrets.token_hex(8)}{SUFFIX}")


def is_temporary(place: Path, path: Path | None = None) -> bool:
    """Whether a name is from `temporary_path`; if ``path`` is given, whether it is for this path."""
    match = re.fullmatch(r"(.*)\.[0-9a-f]{16}" + re.escape(SUFFIX), place.name, re.DOTALL)
    return match is not None and (path is None or match[1] == kept_name(path))


def remove_leftovers(folder: Path, path: Path | None = None) -> None:
    """Remove the temporary files and folders that killed processes left in a folder.

    Files that a process is still writing stay: they are locked, or open on Windows. safetensors replaces the locked
    file, so where other processes may write weights, the caller must have locked the folder or the output.

    Args:
        folder: if it is missing, nothing is done.
        path: if given, remove only leftovers for this path.
    """
    with suppress(OSError):  # the folder is missing or cannot be read
        for place in [place for place in folder.iterdir() if is_temporary(place, path)]:
            with suppress(OSError):  # it is a link, belongs to another user, or was removed
                _remove_leftover(place)


def _remove_leftover(place: Path) -> None:
    """Remove a temporary file or folder that no process is writing."""
    if not USES_LOCKS:
        abandoned = temporary_path(place)
        place.rename(abandoned)  # fails if any file in it is open
        place = abandoned
    descriptor = _open(place) if USES_LOCKS else None
    try:
        if descriptor is not None and not (lock_descriptor(descriptor, blocking=False) and is_at(descriptor, place)):
            return
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink()
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _open(place: Path) -> int:
    """Open a temporary file or folder, but never through a link, and return its descriptor."""
    return os.open(place, (os.O_RDONLY if place.is_dir() else os.O_RDWR) | NO_LINK | NO_WAIT | BINARY)


def is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is the one at the path, not one that the path links to."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


@contextmanager
def _temporary(path: Path, make: Callable[[Path], object]) -> Iterator[Path]:
    """Create a temporary file or folder next to ``path``, lock it, and remove it at the end if it still exists.

    Raises:
        RunError: it cannot be created.
    """
    with writing(path):
        make_folder(path.parent)
        remove_leftovers(path.parent, path)
        temporary, descriptor = _make(path, make)
    try:
        yield temporary
    finally:
        with suppress(OSError):  # a full or read-only disk
            if temporary.is_dir():
                shutil.rmtree(temporary, ignore_errors=True)
            else:
                temporary.unlink(missing_ok=True)
        if descriptor is not None:
            os.close(descriptor)


def _make(path: Path, make: Callable[[Path], object]) -> tuple[Path, int | None]:
    """Create and lock a temporary file or folder. Returns its path and descriptor (None on Windows)."""
    while True:
        temporary = temporary_path(path)
        make(temporary)
        if not USES_LOCKS:
            return temporary, None
        descriptor = _open(temporary)
        try:
            acquired = lock_descriptor(descriptor, blocking=False)
        except OSError:  # without locks no other process removes it
            acquired = True
        if acquired and is_at(descriptor, temporary):
            return temporary, descriptor
        os.close(descriptor)  # another process has removed it as a leftover before it was locked


def _make_file(place: Path) -> None:
    """Create an empty file that only this user may read, where nothing exists, not even a link."""
    os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINK | BINARY, 0o600))


@contextmanager
def atomic_write(path: Path, before: Path | None = None) -> Iterator[Path]:
    """A temporary path next to ``path`` to write (and close) a file at. The folder is created if it is missing.

    The file is created here under an unpredictable name, so links in the folder cannot redirect it. At the end of the
    context it is synced to disk and renamed to ``path`` in one step, so a power failure at any time is safe. A link at
    ``path`` is replaced, not followed. After an error within the context the file is removed and ``path`` is unchanged.
    Files that a killed process left behind are removed by the next write.

    Args:
        path: the file.
        before: new name for the previous file at ``path``; None: it is replaced.

    Raises:
        RunError: the disk is full, or the file cannot be written.
        OSError: the body failed on another file.
    """
    with _temporary(path, _make_file) as temporary:
        try:
            yield temporary
        except (OSError, SafetensorError) as error:
            os_error = error if isinstance(error, OSError) else _os_error(error)
            if os_error.errno in FULL or os_error.filename == str(temporary):
                raise unwritable(path, os_error) from None
            raise
        with writing(path):
            with temporary.open("rb+") as file:  # for writing, because some systems sync no files opened for reading
                os.fsync(file.fileno())
            temporary.chmod(0o666 & ~_umask())
            if before is not None and path.exists():
                path.replace(before)
            temporary.replace(path)
        _sync_folder(path.parent)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A temporary folder next to ``path`` to write files in. At the end of the context it is renamed to ``path``.

    After an error within the context it is removed. The next write removes the leftovers of a killed process.

    Args:
        path: does not exist, or is an empty folder.

    Raises:
        RunError: the folder cannot be created, or something exists at ``path`` at the end.
    """
    with _temporary(path, Path.mkdir) as temporary:
        yield temporary
        with writing(path):
            temporary.replace(path)
        _sync_folder(path.parent)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """As `atomic_folder`, but raise at once if the folder is not empty."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise RunError(f"{path} already exists: delete it, or choose another folder with output=PATH")
    with atomic_folder(path) as new:
        yield new


def remove_outdated(path: Path) -> None:
    """Remove the last file of a command's output before the command writes its other files.

    If the last file exists, all files come from the same command, even if another command was killed.

    Raises:
        RunError: the file cannot be removed.
    """
    with writing(path):
        path.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn any OSError of the body, which writes ``path``, into an error of one line.

    Raises:
        RunError: in place of the OSError.
    """
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from None


def _umask() -> int:
    """The mask of permissions of new files. It can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def unwritable(path: Path, error: OSError) -> RunError:
    """The error for a file that cannot be written."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in FULL:
        return RunError(f"{path} cannot be written ({reason}): free some space and rerun the same command")
    return RunError(f"{path} cannot be written ({reason}): choose another path, or change its permissions")


def _os_error(error: SafetensorError) -> OSError:
    """The system's error behind one of safetensors, whose message has its number."""
    number = re.search(r"os error (\d+)", str(error))
    return OSError(int(number[1]) if number else None, str(error))


def make_folder(folder: Path) -> None:
    """Create a folder and its parents, and sync them so that they survive a power failure.

    Raises:
        OSError: the path is not a folder, or the folder cannot be created.
    """
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for place in missing:
        _sync_folder(place.parent)


def _sync_folder(folder: Path) -> None:
    """Sync the names in a folder to disk, if the system supports it."""
    with suppress(OSError):  # some systems cannot open folders, some cannot sync them
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
