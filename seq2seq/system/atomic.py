"""Files written whole or not at all: whoever reads finds the old content or the new one, never half of it."""

import errno
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
"""What a system says where there is no more room: on the disk, in a user's share of it, or for so large a file."""

MARK = ".seq2seq.tmp"
"""How the names of our temporary files and folders end. Nothing else is ever removed as a leftover."""

NAME_KEPT = 50
"""Characters of a file's name that its temporary name repeats: systems allow 255 bytes, and a character has up to 4."""

HOLDS = find_spec("fcntl") is not None
"""Whether temporary files are locked while they are written. Windows needs no lock: an open file cannot be removed."""


def temporary_path(path: Path) -> Path:
    """A name beside ``path``, another one at each call, for what is to become ``path``."""
    return path.with_name(f"{path.name[:NAME_KEPT]}.{secrets.token_hex(8)}{MARK}")


def is_temporary(place: Path, path: Path | None = None) -> bool:
    """Whether a name is one that `temporary_path` gives, for ``path`` where that is stated."""
    found = re.fullmatch(r"(.*)\.[0-9a-f]{16}" + re.escape(MARK), place.name, re.DOTALL)
    return found is not None and (path is None or found[1] == path.name[:NAME_KEPT])


def remove_leftovers(folder: Path, path: Path | None = None) -> None:
    """Remove the temporary files and folders that killed processes left in a folder; of ``path`` where it is stated.

    What a process is still writing is left alone: it is locked, or open on Windows. safetensors replaces the file that
    was locked, so that only who has locked the folder or the output itself may call this where others write weights.
    """
    with suppress(OSError):  # the folder is missing, or cannot be read
        for place in [place for place in folder.iterdir() if is_temporary(place, path)]:
            with suppress(OSError):  # it is a link, another's, or gone
                _remove_leftover(place)


def _remove_leftover(place: Path) -> None:
    """Remove a temporary file or folder that no process holds."""
    if not HOLDS:
        abandoned = temporary_path(place)
        place.rename(abandoned)  # refused where anything within is open
        place = abandoned
    descriptor = _open(place) if HOLDS else None
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
    """The descriptor of a temporary file or folder, never of what a link names."""
    return os.open(place, (os.O_RDONLY if place.is_dir() else os.O_RDWR) | NO_LINK | NO_WAIT | BINARY)


def is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is the one that the path names, and no link to it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


@contextmanager
def _temporary(path: Path, make: Callable[[Path], object]) -> Iterator[Path]:
    """A new temporary file or folder beside ``path``, held while this is open, and removed at the end if still there.

    Raises:
        RunError: it cannot be made.
    """
    with writing(path):
        make_folder(path.parent)
        remove_leftovers(path.parent, path)
        temporary, descriptor = _make(path, make)
    try:
        yield temporary
    finally:
        with suppress(OSError):  # where nothing can be written there may be nothing to remove
            if temporary.is_dir():
                shutil.rmtree(temporary, ignore_errors=True)
            else:
                temporary.unlink(missing_ok=True)
        if descriptor is not None:
            os.close(descriptor)


def _make(path: Path, make: Callable[[Path], object]) -> tuple[Path, int | None]:
    """Make a temporary file or folder and lock it: the path, and the descriptor that holds it (None on Windows)."""
    while True:
        temporary = temporary_path(path)
        make(temporary)
        if not HOLDS:
            return temporary, None
        descriptor = _open(temporary)
        try:
            free = lock_descriptor(descriptor, blocking=False)
        except OSError:  # there are no locks here, and so nobody removes it
            free = True
        if free and is_at(descriptor, temporary):
            return temporary, descriptor
        os.close(descriptor)  # another process has taken it for a leftover before it was locked


def _make_file(place: Path) -> None:
    """Make an empty file where nothing is, not even a link; nobody else may read it."""
    os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINK | BINARY, 0o600))


@contextmanager
def atomic_write(path: Path, before: Path | None = None) -> Iterator[Path]:
    """A temporary path beside ``path``, whose folder is made where it is missing, to write (and close) a file at.

    The file is made here, under a name that nobody can foresee: whoever put links into the folder leads it nowhere.
    At the end of the context it is forced to the disk and takes the name ``path`` in one step; so power may fail at
    any time. A link at ``path`` is replaced, not followed. An error within the context removes the file and leaves
    ``path`` as it was; what a killed process left behind is removed next time.

    Args:
        path: the file.
        before: the name that what was at ``path`` takes; None: it is replaced.

    Raises:
        RunError: the disk is full, or the file cannot be written.
        OSError: the body has met with an error of another file.
    """
    with _temporary(path, _make_file) as temporary:
        try:
            yield temporary
        except (OSError, SafetensorError) as error:
            told = error if isinstance(error, OSError) else _told_by_rust(error)
            if told.errno in FULL or told.filename == str(temporary):
                raise unwritable(path, told) from None
            raise
        with writing(path):
            with temporary.open("rb+") as file:  # for writing, though nothing is: some systems sync no other
                os.fsync(file.fileno())
            temporary.chmod(0o666 & ~_umask())
            if before is not None and path.exists():
                path.replace(before)
            temporary.replace(path)
        _sync_folder(path.parent)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside ``path`` to write files in; at the end of the context it takes the name ``path``.

    An error within the context leaves nothing; what a killed process left behind is removed next time.

    Args:
        path: where nothing is, or an empty folder.

    Raises:
        RunError: the folder cannot be made, or there is something at ``path`` by now.
    """
    with _temporary(path, Path.mkdir) as temporary:
        yield temporary
        with writing(path):
            temporary.replace(path)
        _sync_folder(path.parent)


def remove_outdated(path: Path) -> None:
    """Remove the file that tells that a command's output is whole, before the other files of that output are written.

    That file is written last. So where it is, all of them are of the same command, whenever another was killed.

    Raises:
        RunError: it cannot be removed.
    """
    with writing(path):
        path.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What is within writes ``path``.

    Raises:
        RunError: in place of any OSError.
    """
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from None


def _umask() -> int:
    """What this user lets others not do with new files; it can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def unwritable(path: Path, error: OSError) -> RunError:
    """The one line for a file that cannot be written."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in FULL:
        return RunError(f"{path} cannot be written ({reason}): make room for it, and give the same command again")
    return RunError(
        f"{path} cannot be written ({reason}): choose another place, or see that this one can be written to"
    )


def _told_by_rust(error: SafetensorError) -> OSError:
    """What the system told safetensors, which keeps its number in the text alone."""
    number = re.search(r"os error (\d+)", str(error))
    return OSError(int(number[1]) if number else None, str(error))


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, so that they are still there after a power failure.

    Raises:
        OSError: there is something else in its place, or it cannot be made.
    """
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for place in missing:
        _sync_folder(place.parent)


def _sync_folder(folder: Path) -> None:
    """Force the names in a folder to the disk, where the system can."""
    with suppress(OSError):  # some can open no folder, and some can sync none
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
