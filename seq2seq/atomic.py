"""Files written whole or not at all: whoever reads finds the old content or the new one, never half of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def temporary_path(path: Path) -> Path:
    """Where `atomic_write` writes what is to become ``path``: all that a killed process can leave behind."""
    return path.with_name(path.name + ".tmp")


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path``, whose folder is made where it is missing, to write (and close) a file at.

    At the end of the context the file is forced to the disk and takes the name ``path`` in one step. An error within
    the context removes it and leaves ``path`` as it was; what a killed process left behind is overwritten next time.

    Raises:
        OSError: the file cannot be written, or nothing was written.
    """
    temporary = temporary_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield temporary
        with temporary.open("rb+") as file:  # for writing, though nothing is: some systems sync no other
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
