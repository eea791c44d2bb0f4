"""One process at a time in a run folder or at an output, so that no other process overwrites its files.

`filelock` takes and waits for the lock (flock, or LockFileEx on Windows). Its `FileLock` is not used because it leaves
its file behind on Unix, and because messages here name the process that holds the lock.
"""

import logging
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from filelock import lock_descriptor

from seq2seq.errors import RunError
from seq2seq.system.atomic import FULL, atomic_write, is_at, kept_name, make_folder, unwritable, writing
from seq2seq.system.descriptors import BINARY, NO_LINK, NO_WAIT, read_at
from seq2seq.system.launcher import is_first

LOCK = ".lock"
"""Name of the lock file, which names its process and is removed at the end. One that was left behind locks nothing."""

SIGNATURE = b"\nprocess "
"""Beginning of a lock file. The first byte is never read, because Windows refuses to read locked bytes."""

log = logging.getLogger("seq2seq")

_descriptors: set[int] = set()
"""Descriptors of the files that this process has locked."""


def _close_in_child() -> None:
    """Close the locks in a forked process, so that they end with the parent."""
    while _descriptors:
        os.close(_descriptors.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)


@contextmanager
def locked(folder: Path, wait: bool = False) -> Iterator[None]:
    """Lock a run folder against all other processes. The folder is created if it is missing.

    The system releases the lock when the process ends, however it ends; child processes do not keep it. On network
    file systems with locks it also holds between machines. A file system without locks gives a warning.

    If a run has several processes, only the first takes the lock. A folder that this function created is removed at the
    end if it is empty.

    Args:
        folder: the run folder. A second lock on it by the same process is refused as well.
        wait: wait for another process that holds the lock, with a warning, instead of raising RunError.

    Raises:
        RunError: another process holds the lock, the folder cannot be created, or ``.lock`` is not a lock file.
    """
    with _hold(_Place(folder / LOCK, folder, "folder with run=PATH"), wait):
        yield


@contextmanager
def locked_output(path: Path, wait: bool = False) -> Iterator[None]:
    """Lock an output file or folder against all other processes.

    The lock file is next to it and is removed at the end.

    Args:
        path: the output. Its parent folder is created if it is missing.
        wait: as in `locked`.

    Raises:
        RunError: another process is writing the output, or it cannot be written.
    """
    lock = path.with_name(f".{kept_name(path)}{LOCK}")
    with _hold(_Place(lock, path, "with output=PATH"), wait):
        yield


@contextmanager
def output_file(path: Path) -> Iterator[Path]:
    """A path to write (and close) a file at. The file replaces ``path`` at the end of the context.

    A symbolic link stays, and the file it points to is replaced. A special file, such as a device or a named pipe, is
    written to directly.

    Args:
        path: as the user named it.

    Raises:
        RunError: another process is writing it, it is a folder, the disk is full, or it cannot be written.
    """
    with writing(path):
        special = os.path.exists(path) and not os.path.isfile(path)
        path = Path(os.path.realpath(path)) if path.is_symlink() and not special else path
    if not special:
        with locked_output(path), atomic_write(path) as temporary:
            yield temporary
        return
    if path.is_dir():
        raise RunError(f"{path} is a folder: name a file with output=PATH")
    try:
        yield path
    except OSError as error:
        if error.errno in FULL or error.filename == str(path):
            raise unwritable(path, error) from None
        raise


class _Place(NamedTuple):
    """The locked path, and the words of its error messages."""

    lock: Path
    """The lock file."""
    path: Path
    """The locked folder or output."""
    another: str
    """How to name another: ``folder with run=PATH``."""


@contextmanager
def _hold(place: _Place, wait: bool) -> Iterator[None]:
    """Hold a lock. A folder that was created for it and is still empty is removed at the end."""
    if not is_first():
        yield
        return
    path, folder = place.lock, place.lock.parent
    try:
        descriptor, created = _acquire(place, wait)
    except FileExistsError:
        raise RunError(f"{folder} is not a folder: choose another {place.another}") from None
    except OSError as error:
        raise unwritable(path, error) from None
    _descriptors.add(descriptor)
    try:
        yield
    finally:
        if descriptor in _descriptors:
            _release(descriptor, path)
            if created:
                with suppress(OSError):  # it is not empty
                    folder.rmdir()


def _acquire(place: _Place, wait: bool) -> tuple[int, bool]:
    """Lock the lock file. Returns its descriptor, and whether its folder was created."""
    while True:
        created = not place.lock.parent.exists()
        make_folder(place.lock.parent)  # at each attempt: the last holder may have removed the folder
        try:
            descriptor = _open(place)
        except FileNotFoundError:
            continue
        try:
            if not _lock(descriptor, place, wait) or is_at(descriptor, place.lock):
                _sign(descriptor)
                return descriptor, created
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # the last holder has removed this file


def _open(place: _Place) -> int:
    """Open the lock file, or create it, and return its descriptor.

    Other files of that name are refused: through a link the holder would empty a file elsewhere.

    Raises:
        RunError: the path is a link, a pipe or another file.
    """
    path = place.lock
    foreign = RunError(f"{path} is not a lock file: remove it, or choose another {place.another}")
    if path.is_symlink():  # before it is opened: not every system has NO_LINK
        raise foreign
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | NO_LINK | NO_WAIT | BINARY, 0o666)
    except OSError:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise foreign from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode) or not SIGNATURE[1:].startswith(
        read_at(descriptor, len(SIGNATURE) - 1, 1)
    ):
        os.close(descriptor)
        raise foreign
    return descriptor


def _release(descriptor: int, path: Path) -> None:
    """Remove the lock file and release the lock."""
    _descriptors.remove(descriptor)
    try:
        path.unlink()  # before the release: afterwards the file may belong to another process
    except OSError:  # Windows does not remove open files
        os.close(descriptor)
        with suppress(OSError):  # another process has opened it meanwhile
            path.unlink()
    else:
        os.close(descriptor)


def _lock(descriptor: int, place: _Place, wait: bool) -> bool:
    """Lock an open file. Returns False if the file system has no locks.

    Raises:
        RunError: another process holds the lock, and ``wait`` is False.
    """
    try:
        if lock_descriptor(descriptor, blocking=False):
            return True
    except OSError as error:
        log.warning("%s cannot be locked (%s): do not start a second run there", place.path, error.strerror)
        return False
    holder = read_at(descriptor, 200, 1).decode(errors="replace").split("\n")[0] or "another process"
    if not wait:
        raise RunError(f"{place.path} is in use by {holder}: wait until it ends, or choose another {place.another}")
    log.warning("%s is in use by %s: waiting until it ends", place.path, holder)
    return lock_descriptor(descriptor)


def _sign(descriptor: int) -> None:
    """Write the holder's name for other processes' messages, after the first byte (see `SIGNATURE`)."""
    os.ftruncate(descriptor, 0)
    os.write(descriptor, SIGNATURE + f"{os.getpid()} on {socket.gethostname()}\n".encode())
