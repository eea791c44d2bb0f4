"""One process at a time in a run folder, or at an output: a second one would write over what the first has saved."""

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
from seq2seq.system.atomic import NAME_KEPT, is_at, make_folder, unwritable
from seq2seq.system.descriptors import BINARY, NO_LINK, NO_WAIT, read_at
from seq2seq.system.processes import is_first

LOCK = ".lock"
"""The file that is locked. It names the process and goes when the run ends; one that was left behind locks nothing."""

SIGNATURE = b"\nprocess "
"""How a lock file begins. The first byte is not read: Windows lets nobody read what is locked."""

log = logging.getLogger("seq2seq")

_descriptors: set[int] = set()
"""Those of the files that this process has locked."""


def _give_up() -> None:
    """In a process that was forked: the lock stays its parent's alone, and goes with it."""
    while _descriptors:
        os.close(_descriptors.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_give_up)


@contextmanager
def locked(folder: Path, wait: bool = False) -> Iterator[None]:
    """A run folder, made where it is missing, in which no other process can be while this is open.

    The system gives the lock back when the process ends, however it ends; processes that this one has started do not
    hold it on. It is what `filelock` takes on each system: flock, which also holds between machines on a network file
    system that has locks, or LockFileEx on Windows. Where there are no locks, a warning says so.

    Of several processes of one run the first alone has it. A folder that was made here and in which nothing has been
    put is taken away again.

    Args:
        folder: the folder; one that this process has locked already counts as another's.
        wait: where another process has it, a warning says so, and this one waits until that one has ended.

    Raises:
        RunError: another process has it, there can be no such folder, or ``.lock`` is something else than a lock file.
    """
    with _held(_Place(folder / LOCK, folder, "folder with run=PATH"), wait):
        yield


@contextmanager
def locked_output(path: Path, wait: bool = False) -> Iterator[None]:
    """A file or folder that a command writes, and that no other process writes while this is open.

    The file that is locked lies beside it and goes at the end.

    Args:
        path: the output, whose folder is made where it is missing.
        wait: as `locked` has it.

    Raises:
        RunError: another process writes it, or it cannot be written.
    """
    lock = path.with_name(f".{path.name[:NAME_KEPT]}{LOCK}")
    with _held(_Place(lock, path, "with output=PATH"), wait):
        yield


class _Place(NamedTuple):
    """What is locked, and how errors call it."""

    lock: Path
    """The file that is locked, in the folder to be made where it is missing."""
    path: Path
    another: str
    """How to name another: ``folder with run=PATH``."""


@contextmanager
def _held(place: _Place, wait: bool) -> Iterator[None]:
    """Hold a lock; a folder that was made for it and in which nothing has been put is taken away at the end."""
    if not is_first():
        yield
        return
    path, folder = place.lock, place.lock.parent
    try:
        descriptor, made = _acquire(place, wait)
    except FileExistsError:
        raise RunError(f"{folder} is no folder: choose another {place.another}") from None
    except OSError as error:
        raise unwritable(path, error) from None
    _descriptors.add(descriptor)
    try:
        yield
    finally:
        if descriptor in _descriptors:
            _release(descriptor, path)
            if made:
                with suppress(OSError):  # there is something in it
                    folder.rmdir()


def _acquire(place: _Place, wait: bool) -> tuple[int, bool]:
    """Lock a file that is there and stays there: its descriptor, and whether its folder was made for it."""
    while True:
        made = not place.lock.parent.exists()
        make_folder(place.lock.parent)  # at each try: whoever had the lock may have taken it away with the folder
        try:
            descriptor = _open(place)
        except FileNotFoundError:
            continue
        try:
            if not _lock(descriptor, place, wait) or is_at(descriptor, place.lock):
                _sign(descriptor)
                return descriptor, made
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # whoever had it has taken it away meanwhile


def _open(place: _Place) -> int:
    """The descriptor of a lock file, made where there is none.

    What else may have that name is not ours: a link would let the holder empty a file elsewhere.

    Raises:
        RunError: the path names a link, a pipe or another file.
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
    """Take the file away and give the lock back."""
    _descriptors.remove(descriptor)
    try:
        path.unlink()  # before it is given back: afterwards it may be another's
    except OSError:  # Windows takes away no open file
        os.close(descriptor)
        with suppress(OSError):  # nor this one, where another process has it now
            path.unlink()
    else:
        os.close(descriptor)


def _lock(descriptor: int, place: _Place, wait: bool) -> bool:
    """Whether the file is now locked; False where the system has no locks.

    Raises:
        RunError: another process has the lock.
    """
    try:
        if lock_descriptor(descriptor, blocking=False):
            return True
    except OSError as error:
        log.warning("%s cannot be locked (%s): start no second run there", place.path, error.strerror)
        return False
    holder = read_at(descriptor, 200, 1).decode(errors="replace").split("\n")[0] or "another process"
    if not wait:
        raise RunError(
            f"{place.path} is in use by {holder}: wait until it has ended, or choose another {place.another}"
        )
    log.warning("%s is in use by %s: waiting until it has ended", place.path, holder)
    return lock_descriptor(descriptor)


def _sign(descriptor: int) -> None:
    """Say who has the lock, for the message that others get; not in the first byte, which Windows lets none read."""
    os.ftruncate(descriptor, 0)
    os.write(descriptor, SIGNATURE + f"{os.getpid()} on {socket.gethostname()}\n".encode())
