"""Files of encoded pairs: what is written comes back, what is none is refused."""

from collections import Counter
from pathlib import Path

import datasets
import numpy as np
import pytest

from seq2seq.data.encoding import Chunk, Rows
from seq2seq.data.shards import read_shard, shard_path, write_shard
from seq2seq.errors import DataError

ONE = Rows(np.array([0, 2, 2, 5], np.int32), np.array([7, 8, 9, 10, 11], np.uint16))
TWO = Rows(np.array([0, 0, 1, 2], np.int32), np.array([70_000, 5], np.int32))
CHUNKS = [Chunk(ONE, TWO, 5, Counter({"blank": 2})), Chunk(ONE, TWO, 4, Counter({"blank": 1}))]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_shard(shard_path(tmp_path, 3), "the key", CHUNKS, None)
    return tmp_path / "00003.arrow"


def test_what_a_shard_says_of_itself(path):
    shard = read_shard(path)
    assert (shard.key, shard.read, shard.report, len(shard)) == ("the key", 9, None, 6)
    assert shard.dropped == Counter({"blank": 3})
    write_shard(path, "the key", CHUNKS, "kept all")
    assert read_shard(path).report == "kept all"


def test_ids_lie_where_it_says(path):
    data = path.read_bytes()
    for columns in read_shard(path).columns:
        for column, rows in zip(columns, (ONE, TWO), strict=True):
            assert column.offsets.tolist() == rows.offsets.tolist()
            ids = np.frombuffer(data, column.dtype, count=len(rows.ids), offset=column.position)
            assert ids.tolist() == rows.ids.tolist()


def test_the_file_is_a_datasets_file(path):
    opened = datasets.Dataset.from_file(str(path))
    assert opened[2] == opened[5] == {"source": [9, 10, 11], "target": [5]}
    assert len(opened) == 6


def test_a_shard_of_nothing(tmp_path):
    write_shard(tmp_path / "empty", "key", [], "none")
    assert len(read_shard(tmp_path / "empty")) == 0


def test_damaged_and_foreign_files(path):
    whole = path.read_bytes()
    for data in (b"", b"something else", whole[: len(whole) // 2], whole[:-200]):
        path.write_bytes(data)
        with pytest.raises(DataError, match=r"00003\.arrow is no encoded corpus \(.*delete its folder") as error:
            read_shard(path)
        assert "\n" not in str(error.value)
    with pytest.raises(DataError, match="is no encoded corpus"):
        read_shard(path.with_name("none"))
