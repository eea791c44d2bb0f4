"""The file that a user names for what a command writes: by one process at a time, and whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seq2seq.errors import RunError
from seq2seq.system.atomic import FULL, atomic_write, unwritable, writing
from seq2seq.system.lock import locked_output


@contextmanager
def output_file(path: Path) -> Iterator[Path]:
    """A path to write (and close) a file at; at the end of the context that file takes the place of ``path``.

    A link stays, and the file that it names is replaced. What is no regular file, such as a device or a named pipe, is
    written into and never replaced.

    Args:
        path: as the user has named it.

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
