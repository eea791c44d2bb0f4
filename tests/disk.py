"""Imitation of a full disk on any system: the kernel limits the size of files (EFBIG)."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Limit the size of written files within the context; Python ignores the accompanying signal."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def damage(path: Path, how: str) -> None:
    """Damage a file: ``missing`` deletes it, ``bit`` flips a bit in the middle, a number is the share that is kept."""
    whole = path.read_bytes()
    path.unlink()  # a new file: the old one may be mapped into memory
    if how == "bit":
        place = len(whole) // 2
        while whole[place] == ord("Z"):  # torch's padding: a changed bit there has no effect
            place += 1
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
    elif how != "missing":
        path.write_bytes(whole[: int(float(how) * len(whole))])


HOW = ["missing", "bit", "0", "0.5", "0.99"]
"""The ways to `damage` a file."""
