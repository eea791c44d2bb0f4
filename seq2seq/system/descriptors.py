"""Files opened by descriptor, with the same behaviour on every system: as bytes, and read by several threads."""

import os
import threading
from pathlib import Path

BINARY: int = getattr(os, "O_BINARY", 0)
"""For every `os.open`: without it, Windows converts line ends and stops at the first Ctrl-Z."""

NO_LINK: int = getattr(os, "O_NOFOLLOW", 0)
"""For `os.open`: fails if the path is a symbolic link. Windows lacks it, but few users can create links there."""

NO_WAIT: int = getattr(os, "O_NONBLOCK", 0)
"""For `os.open`: does not wait for the writer of a named pipe. It has no effect on regular files."""


def open_to_read(path: Path) -> int:
    """Open a file for reading and return its descriptor.

    Raises:
        OSError: the file cannot be opened.
    """
    return os.open(path, os.O_RDONLY | BINARY)


_seek_lock = threading.Lock()  # threads share the position of a descriptor


def seek_and_read(descriptor: int, size: int, position: int) -> bytes:
    """Read up to ``size`` bytes at ``position``, like `os.pread`, on systems without it.

    Args:
        descriptor: of a file that is read by this function only.
        size: number of bytes.
        position: offset of the first byte.
    """
    with _seek_lock:
        os.lseek(descriptor, position, os.SEEK_SET)
        return os.read(descriptor, size)


read_at = getattr(os, "pread", seek_and_read)
"""``read_at(descriptor, size, position)``: bytes of a file. Threads may share the descriptor."""
