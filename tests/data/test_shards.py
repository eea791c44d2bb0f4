"""Files of encoded pairs: written pairs are read back, other files are refused."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from seq2seq.data.encoding import EncodedChunk, IdLists
from seq2seq.data.shards import read_shard, shard_path, write_shard
from seq2seq.errors import DataError

ONE = IdLists(np.array([0, 2, 2, 5], np.int32), np.array([7, 8, 9, 10, 11], np.uint16))
TWO = IdLists(np.array([0, 0, 1, 2], np.int32), np.array([70_000, 5], np.int32))
CHUNKS = [EncodedChunk(ONE, TWO, 5, Counter({"blank": 2})), EncodedChunk(ONE, TWO, 4, Counter({"blank": 1}))]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_shard(shard_path(tmp_path, 3), "the key", CHUNKS, None)
    return tmp_path / "00003.safetensors"


def test_the_header_of_a_shard(path):
    shard = read_shard(path)
    assert (shard.key, shard.read, shard.report, shard.pairs) == ("the key", 9, None, 6)
    assert shard.dropped == Counter({"blank": 3})
    write_shard(path, "the key", CHUNKS, "kept all")
    assert read_shard(path).report == "kept all"


def test_ids_are_at_the_positions_in_the_header(path):
    data, shard = path.read_bytes(), read_shard(path)
    sides = (shard.source, [0, 2, 2, 5, 7, 7, 10], ONE), (shard.target, [0, 0, 1, 2, 2, 3, 4], TWO)
    for column, offsets, rows in sides:
        assert column.offsets.tolist() == offsets
        ids = np.frombuffer(data, column.dtype, count=offsets[-1], offset=column.position)
        assert ids.tolist() == [*rows.ids, *rows.ids]


def test_the_file_is_a_valid_safetensors_file(path):
    arrays = load_file(path)
    assert arrays["target.ids"].tolist() == [70_000, 5, 70_000, 5]
    assert sorted(arrays) == ["source.ids", "source.offsets", "target.ids", "target.offsets"]


def test_an_empty_shard(tmp_path):
    write_shard(tmp_path / "empty", "key", [], "none")
    assert read_shard(tmp_path / "empty").pairs == 0


def test_damaged_and_foreign_files(path):
    whole = path.read_bytes()
    size = int.from_bytes(whole[:8], "little")
    damaged = [whole[:8] + head + whole[8 + size :] for head in (b"[" * size, b"3".ljust(size), b"{}".ljust(size))]
    damaged += [whole.replace(b"U16", b"F16"), whole.replace(b"key", b"kez"), b"\xff" * 99]
    damaged += [whole.replace(b'read\\": 9', b'read\\": 8'), whole.replace(b"checksums", b"checksumz")]
    for end in (b"10", b"-1", b"9" * 40, b"9" * 15):  # checked before memory is allocated for the ids
        head = re.sub(rb'("source.ids":.*?"data_offsets":.\d+,)\d+', rb"\g<1>" + end, whole[8 : 8 + size])
        damaged.append(len(head).to_bytes(8, "little") + head + whole[8 + size :])
    for data in (b"", b"something else", whole[: len(whole) // 2], whole[:-1], *damaged):
        assert data != whole
        path.write_bytes(data)
        with pytest.raises(
            DataError, match=r"00003\.safetensors is not an encoded corpus \(.*delete its folder"
        ) as error:
            read_shard(path)
        assert "\n" not in str(error.value)
    with pytest.raises(DataError, match="is not an encoded corpus"):
        read_shard(path.with_name("none"))
