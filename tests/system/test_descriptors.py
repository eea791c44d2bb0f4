"""Files read at a position, with and without `os.pread`."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from seq2seq.system.descriptors import open_to_read, read_at, seek_and_read


@pytest.mark.parametrize("read", [read_at, seek_and_read])
def test_threads_share_a_descriptor(tmp_path, read):
    numbers = [number.to_bytes(4, "big") for number in range(3_000)]
    (tmp_path / "numbers").write_bytes(b"".join(numbers))
    descriptor = open_to_read(tmp_path / "numbers")
    with ThreadPoolExecutor(8) as threads:
        result = list(threads.map(lambda place: read(descriptor, 4, place), range(0, 12_000, 4)))
    assert result == numbers
    assert read(descriptor, 9, 11_996) == numbers[-1], "only the available bytes"
    assert read(descriptor, 9, 12_000) == b""
    os.close(descriptor)


def test_bytes_are_read_unchanged(tmp_path):
    """Line ends and Ctrl-Z; on Windows alone this can fail."""
    (tmp_path / "bytes").write_bytes(b"a\r\n\x1ab\n")
    descriptor = open_to_read(tmp_path / "bytes")
    assert read_at(descriptor, 100, 0) == b"a\r\n\x1ab\n"
    os.close(descriptor)
