"""One process at a time in a run folder: a second one would write over what the first has saved."""

import logging
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import lock_descriptor

from seq2seq.errors import RunError
from seq2seq.system.atomic import is_at, make_folder, unwritable
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
    if not is_first():
        yield
        return
    path, there = folder / LOCK, folder.exists()
    try:
        make_folder(folder)
        descriptor = _acquire(path, wait)
    except FileExistsError:
        raise RunError(f"{folder} is no folder: choose another with run=PATH") from None
    except OSError as error:
        raise unwritable(path, error) from None
    _descriptors.add(descriptor)
    try:
        yield
    finally:
        if descriptor in _descriptors:
            _release(descriptor, path)
            if not there:
                with suppress(OSError):  # there is something in it
                    folder.rmdir()


def _acquire(path: Path, wait: bool) -> int:
    """Lock a file that is at ``path`` and stays there; its descriptor."""
    while True:
        descriptor = _open(path)
        try:
            if not _lock(descriptor, path, wait) or is_at(descriptor, path):
                _sign(descriptor)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # whoever had it has taken it away meanwhile


def _open(path: Path) -> int:
    """The descriptor of a lock file, made where there is none.

    What else may have that name is not ours: a link would let the holder empty a file elsewhere.

    Raises:
        RunError: the path names a link, a pipe or another file.
    """
    foreign = RunError(f"{path} is not a lock file: remove it, or choose another folder with run=PATH")
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


def _lock(descriptor: int, path: Path, wait: bool) -> bool:
    """Whether the file is now locked; False where the system has no locks.

    Raises:
        RunError: another process has the lock.
    """
    try:
        if lock_descriptor(descriptor, blocking=False):
            return True
    except OSError as error:
        log.warning("%s cannot be locked (%s): start no second run there", path.parent, error.strerror)
        return False
    holder = read_at(descriptor, 200, 1).decode(errors="replace").split("\n")[0] or "another process"
    if not wait:
        raise RunError(
            f"{path.parent} is in use by {holder}: wait until it has ended, or choose another folder with run=PATH"
        )
    log.warning("%s is in use by %s: waiting until it has ended", path.parent, holder)
    return lock_descriptor(descriptor)


def _sign(descriptor: int) -> None:
    """Say who has the lock, for the message that others get; not in the first byte, which Windows lets none read."""
    os.ftruncate(descriptor, 0)
    os.write(descriptor, SIGNATURE + f"{os.getpid()} on {socket.gethostname()}\n".encode())
