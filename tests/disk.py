"""A disk that is full, on any system: the kernel lets no file grow beyond so many bytes and says so (EFBIG)."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def little_room(size: int) -> Iterator[None]:
    """Files that are larger cannot be written while this is open; Python ignores the signal that goes with it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def spoil(path: Path, how: str) -> None:
    """Damage a file: ``missing``, ``bit`` (one, in the middle) or a number, the part of it that is left."""
    whole = path.read_bytes()
    path.unlink()  # a new file: the old one may be mapped into memory
    if how == "bit":
        place = len(whole) // 2
        while whole[place] == ord("Z"):  # torch fills up with it between tensors: there a bit does no harm
            place += 1
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
    elif how != "missing":
        path.write_bytes(whole[: int(float(how) * len(whole))])


HOW = ["missing", "bit", "0", "0.5", "0.99"]
"""The ways to `spoil` a file."""
