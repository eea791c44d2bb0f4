"""Files written whole or not at all: whoever reads finds the old content or the new one, never half of it."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError

from seq2seq.errors import RunError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What a system says where there is no more room: on the disk, in a user's share of it, or for so large a file."""


def temporary_path(path: Path) -> Path:
    """Where `atomic_write` writes what is to become ``path``: all that a killed process can leave behind."""
    return path.with_name(path.name + ".tmp")


@contextmanager
def atomic_write(path: Path, before: Path | None = None) -> Iterator[Path]:
    """A temporary path beside ``path``, whose folder is made where it is missing, to write (and close) a file at.

    At the end of the context the file is forced to the disk and takes the name ``path`` in one step; so power may fail
    at any time. An error within the context removes it and leaves ``path`` as it was; what a killed process left behind
    is overwritten next time.

    Args:
        path: the file.
        before: the name that what was at ``path`` takes; None: it is replaced.

    Raises:
        RunError: the disk is full, or the file cannot be written.
        OSError: the body has met with an error of another file.
    """
    temporary = temporary_path(path)
    try:
        with writing(path):
            make_folder(path.parent)
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
            temporary.chmod(0o666 & ~_umask())  # safetensors lets nobody else read what it writes
            if before is not None and path.exists():
                path.replace(before)
            temporary.replace(path)
        _sync_folder(path.parent)
    finally:
        with suppress(OSError):  # where nothing can be written there may be nothing to remove
            temporary.unlink(missing_ok=True)


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
