"""Files by their descriptors, alike on every system: opened as bytes, and read at a position by several threads."""

import os
import threading
from pathlib import Path

BINARY: int = getattr(os, "O_BINARY", 0)
"""For every `os.open`: without it Windows changes line ends and stops at the first Ctrl-Z."""

NO_LINK: int = getattr(os, "O_NOFOLLOW", 0)
"""For `os.open`: fails where the path itself is a symbolic link. Windows lacks it; there few may make links."""

NO_WAIT: int = getattr(os, "O_NONBLOCK", 0)
"""For `os.open`: a named pipe that nobody writes to opens at once. Of a file it changes nothing."""


def open_to_read(path: Path) -> int:
    """The descriptor of a file that is only read.

    Raises:
        OSError: it cannot be opened.
    """
    return os.open(path, os.O_RDONLY | BINARY)


_seeking = threading.Lock()  # a descriptor has one position, and its threads share it


def seek_and_read(descriptor: int, size: int, position: int) -> bytes:
    """What `os.pread` does, where the system has none; so much as there is.

    Args:
        descriptor: of a file that nobody else reads by its position.
        size: bytes to read.
        position: bytes before the first of them.
    """
    with _seeking:
        os.lseek(descriptor, position, os.SEEK_SET)
        return os.read(descriptor, size)


read_at = getattr(os, "pread", seek_and_read)
"""``read_at(descriptor, size, position)``: bytes of a file; threads may share the descriptor."""
