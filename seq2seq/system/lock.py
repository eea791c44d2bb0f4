"""One process at a time in a run folder: a second one would write over what the first has saved."""

import errno
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from seq2seq.errors import RunError
from seq2seq.system.atomic import make_folder, unwritable
from seq2seq.system.processes import is_first

try:
    import fcntl
except ImportError:  # Windows: nothing holds two processes apart there
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
"""The file that is locked. It names the process and goes when the run ends; one that was left behind locks nothing."""

HELD = {errno.EACCES, errno.EAGAIN}
"""What a system says where another process has the lock."""

log = logging.getLogger("seq2seq")


@contextmanager
def locked(folder: Path, wait: bool = False) -> Iterator[None]:
    """A run folder, made where it is missing, in which no other process can be while this is open.

    The system gives the lock back when the process ends, however it ends. It is a record lock (POSIX `fcntl`): unlike
    those of `flock`, it is not held on by processes that this one has forked after it was killed, and it also holds
    between machines on a network file system that has locks. Where there are none, a warning says so.

    Of several processes of one run the first alone has it. A folder that was made here and in which nothing has been
    put is taken away again.

    Args:
        folder: the folder.
        wait: where another process has it, a warning says so, and this one waits until that one has ended.

    Raises:
        RunError: another process has it, or there can be no such folder.
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
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()  # before it is given back: afterwards it may be another's
        os.close(descriptor)
        if not there:
            with suppress(OSError):  # there is something in it
                folder.rmdir()


def _acquire(path: Path, wait: bool) -> int:
    """Lock a file that is at ``path`` and stays there; its descriptor."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if not _lock(descriptor, path, wait) or _is_at(descriptor, path):
                _sign(descriptor)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # whoever had it has taken it away meanwhile


def _lock(descriptor: int, path: Path, wait: bool) -> bool:
    """Whether the file is now locked; False where the system has no locks.

    Raises:
        RunError: another process has the lock.
    """
    if fcntl is None:
        return False
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in HELD:
            log.warning("%s cannot be locked (%s): start no second run there", path.parent, error.strerror)
            return False
        holder = os.read(descriptor, 200).decode(errors="replace").split("\n")[0] or "another process"
        if not wait:
            raise RunError(
                f"{path.parent} is in use by {holder}: wait until it has ended, or choose another folder with run=PATH"
            ) from None
        log.warning("%s is in use by %s: waiting until it has ended", path.parent, holder)
        fcntl.lockf(descriptor, fcntl.LOCK_EX)
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is the one that the path names."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _sign(descriptor: int) -> None:
    """Say who has the lock, for the message that others get."""
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
