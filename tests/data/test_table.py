import contextlib
import errno
import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.corpora.files import TextFiles
from seq2seq.data import encoding
from seq2seq.data import table as table_module
from seq2seq.data.encoding import EncodedChunk, IdLists
from seq2seq.data.preparation import encode_corpus
from seq2seq.data.shards import read_shard, shard_path, write_shard
from seq2seq.data.table import Table
from seq2seq.errors import DataError, RunError
from seq2seq.tokenizer.config import Algorithm, TokenizerConfig
from seq2seq.tokenizer.tokenizer import Tokenizers
from seq2seq.tokenizer.vocabulary import build_tokenizers

PAIRS = [Pair("the dog sees the cat" + " x" * (n % 7), "der Hund sieht die Katze" * (1 + n % 3)) for n in range(50)]


@pytest.fixture(scope="module")
def tokenizers() -> Tokenizers:
    return build_tokenizers(TokenizerConfig(algorithm=Algorithm.bpe, size=290), PairList("pairs", PAIRS))


@pytest.mark.parametrize("chunk", [7, 50, 10_000])
def test_rows_and_lengths_are_those_of_the_text(
    tokenizers: Tokenizers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(encoding, "CHUNK", chunk)
    table = encode_corpus(PairList("pairs", PAIRS), tokenizers, tmp_path / "train", None)
    sources = [tokenizers.source.encode(pair.source) for pair in PAIRS]
    targets = [tokenizers.target.encode(pair.target) for pair in PAIRS]
    assert len(table) == 50
    assert table.source_lengths.dtype == table.target_lengths.dtype == np.int32
    assert table.source_lengths.tolist() == [len(ids) for ids in sources]
    assert table.target_lengths.tolist() == [len(ids) for ids in targets]
    order = np.random.default_rng(0).permutation(50)
    for rows, ids in zip(table.rows(order), (sources, targets), strict=True):
        assert [row.tolist() for row in rows] == [ids[i] for i in order]
        assert all(row.dtype == np.int32 for row in rows)
    assert table.rows(np.array([], dtype=np.int64)) == ([], [])


@pytest.mark.parametrize("index", [-1, 50])
def test_rows_outside_the_table(tokenizers: Tokenizers, tmp_path: Path, index: int) -> None:
    table = encode_corpus(PairList("pairs", PAIRS), tokenizers, tmp_path / "train", None)
    with pytest.raises(IndexError, match=r"\[0, 50\)"):
        table.rows(np.array([0, index]))


SIZES = (401, 401)
LISTS = st.lists(st.lists(st.integers(0, 400), max_size=9), min_size=1, max_size=6)


def rows(lists: list[list[int]], dtype: type) -> IdLists:
    offsets = np.cumsum([0, *map(len, lists)]).astype(np.int32)
    return IdLists(offsets, np.array([piece for ids in lists for piece in ids], dtype=dtype))


@given(
    shards=st.lists(st.lists(LISTS, max_size=3), min_size=1, max_size=3), dtype=st.sampled_from([np.uint16, np.int32])
)
def test_any_lists_are_read_back_from_any_number_of_files(tmp_path_factory, shards, dtype):
    """Batches without pairs and files without batches among them."""
    folder, lists = tmp_path_factory.mktemp("table"), [ids for shard in shards for batch in shard for ids in batch]
    for number, shard in enumerate(shards):
        chunks = [
            EncodedChunk(rows(batch, dtype), rows(batch[::-1], np.int32), 9, encoding.Counter()) for batch in shard
        ]
        write_shard(shard_path(folder, number), "key", chunks, "all" if number + 1 == len(shards) else None)
    if not lists:
        with pytest.raises(DataError, match="has no pairs"):
            Table(folder, SIZES)
        return
    table = Table(folder, SIZES)
    assert table.source_lengths.tolist() == list(map(len, lists))
    sources, targets = table.rows(np.arange(len(lists)))
    assert [row.tolist() for row in sources] == lists
    assert [row.tolist() for row in targets] == [ids for shard in shards for batch in shard for ids in batch[::-1]]


def test_files_are_not_mapped_and_are_closed_with_the_table(tokenizers: Tokenizers, tmp_path: Path) -> None:
    table = encode_corpus(PairList("pairs", PAIRS), tokenizers, tmp_path / "train", None)
    maps = Path("/proc/self/maps")
    if maps.exists():
        assert str(tmp_path) not in maps.read_text()
    before = len(os.listdir("/dev/fd"))
    del table
    assert len(os.listdir("/dev/fd")) == before - 1


def test_too_many_open_files_are_one_line_and_nothing_is_encoded_again(
    tokenizers: Tokenizers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = PairList("pairs", PAIRS)
    encode_corpus(corpus, tokenizers, tmp_path / "train", None)
    before = (tmp_path / "train" / "00000.safetensors").stat().st_mtime_ns

    def too_many(path: object, flags: int) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(table_module.os, "open", too_many)
    with pytest.raises(RunError, match=r"cannot be opened \(Too many open files\).*ulimit -n"):
        encode_corpus(corpus, tokenizers, tmp_path / "train", None)
    assert (tmp_path / "train" / "00000.safetensors").stat().st_mtime_ns == before


def test_a_truncated_file_is_detected(tokenizers: Tokenizers, tmp_path: Path) -> None:
    table = encode_corpus(PairList("pairs", PAIRS), tokenizers, tmp_path / "train", None)
    os.truncate(tmp_path / "train" / "00000.safetensors", 900)
    with pytest.raises(DataError, match=r"00000\.safetensors is damaged \(checksum mismatch"):
        table.rows(np.arange(50))


def flipped(path: Path, place: int, bit: int = 0) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.write_bytes(data)


@pytest.mark.parametrize("place", range(0, 300, 7))
def test_every_changed_bit_is_detected(tokenizers: Tokenizers, tmp_path: Path, place: int) -> None:
    """In the header, the offsets or the ids; the next run encodes the damaged shard again."""
    corpus, folder = PairList("pairs", PAIRS), tmp_path / "train"
    encode_corpus(corpus, tokenizers, folder, None)
    path = folder / "00000.safetensors"
    whole = path.read_bytes()
    flipped(path, len(whole) * place // 300, place % 8)
    with pytest.raises(DataError, match=r"00000\.safetensors is (damaged|not an encoded corpus)") as error:
        Table(folder, SIZES).rows(np.arange(50))
    assert "\n" not in str(error.value)
    assert len(encode_corpus(corpus, tokenizers, folder, None).rows(np.arange(50))[0]) == 50
    assert path.read_bytes() == whole


def test_a_block_is_checked_when_it_is_first_read(tmp_path: Path) -> None:
    """Damage does not stop a run that does not read it. The damaged shard is removed, earlier ones remain."""
    lists = [[number % 400] * 100 for number in range(2_000)]
    chunk = EncodedChunk(rows(lists, np.uint16), rows(lists, np.uint16), 2_000, encoding.Counter())
    write_shard(shard_path(tmp_path, 0), "key", [chunk], None)
    write_shard(shard_path(tmp_path, 1), "key", [chunk], "all")
    path = shard_path(tmp_path, 1)
    flipped(path, path.stat().st_size - 1)
    table = Table(tmp_path, SIZES)
    for pair in (0, 1_999, 2_000, 3_000):
        assert table.rows(np.array([pair]))[1][0].tolist() == lists[pair % 2_000]
    with pytest.raises(DataError, match=r"00001.* is damaged \(checksum mismatch.*: start the same command again"):
        table.rows(np.array([3_999, 5]))
    assert [path.name for path in tmp_path.iterdir()] == ["00000.safetensors"]


FORGED = {
    "ids of no token": ([0, 2, 4], [5, 6, 7, 290]),
    "negative ids": ([0, 2, 4], [5, 6, 7, -1]),
    "offsets that fall by more than a number holds": ([0, 2**31 - 1, -(2**31), -1, 4], [5, 6, 7, 8]),
}


@pytest.mark.parametrize("kind", FORGED)
@pytest.mark.parametrize("side", ["source", "target"])
def test_a_forged_shard_with_valid_checksums_is_refused_and_encoded_again(
    tokenizers: Tokenizers, tmp_path: Path, kind: str, side: str
) -> None:
    corpus, folder = PairList("pairs", PAIRS), tmp_path / "train"
    encode_corpus(corpus, tokenizers, folder, None)
    path = shard_path(folder, 0)
    whole, key = path.read_bytes(), read_shard(path).key
    offsets, ids = (np.array(numbers, np.int32) for numbers in FORGED[kind])
    forged, others = (
        IdLists(offsets, ids),
        IdLists(np.arange(len(offsets), dtype=np.int32), np.full(len(offsets) - 1, 5, np.uint16)),
    )
    both = (forged, others) if side == "source" else (others, forged)
    write_shard(path, key, [EncodedChunk(*both, 50, encoding.Counter())], "all")
    with contextlib.suppress(DataError):  # unless it was already encoded again
        encode_corpus(corpus, tokenizers, folder, None).rows(np.arange(len(offsets) - 1))
    assert len(encode_corpus(corpus, tokenizers, folder, None).rows(np.arange(50))[0]) == 50
    assert path.read_bytes() == whole


def test_shards_with_ids_of_two_types_are_refused(tmp_path: Path) -> None:
    for number, dtype in enumerate((np.uint16, np.int32)):
        chunk = EncodedChunk(rows([[5, 6]], dtype), rows([[5]], np.uint16), 1, encoding.Counter())
        write_shard(shard_path(tmp_path, number), "key", [chunk], "all" if number else None)
    with pytest.raises(DataError, match="ids of several types"):
        Table(tmp_path, SIZES)


@pytest.mark.parametrize(("name", "value"), [("read", "9"), ("dropped", {"blank": []}), ("key", 3), ("report", [])])
def test_forged_metadata_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name, value) -> None:
    chunk = EncodedChunk(rows([[5]], np.uint16), rows([[5]], np.uint16), 1, encoding.Counter())
    dumps = json.dumps
    monkeypatch.setattr(json, "dumps", lambda facts: dumps({**facts, name: value}))
    write_shard(shard_path(tmp_path, 0), "key", [chunk], "all")
    with pytest.raises(DataError, match="is not an encoded corpus"):
        read_shard(shard_path(tmp_path, 0))


def test_hostile_text_stays_aligned(tokenizers: Tokenizers, tmp_path: Path) -> None:
    lines = [f"{n} a\u2028b\u0085c\x0bd\x0ce\rf\u2029g" for n in range(9)]
    (tmp_path / "text.en.gz").write_bytes(gzip.compress("\r\n".join(lines).encode()))
    (tmp_path / "text.de").write_text("".join(f"{n}\n" for n in range(9)))
    files = TextFiles(tmp_path / "text.en.gz", tmp_path / "text.de")
    sources, targets = encode_corpus(files, tokenizers, tmp_path / "t", None).rows(np.arange(9))
    decoded = [
        (tokenizers.source.decode(s.tolist()), tokenizers.target.decode(t.tolist()))
        for s, t in zip(sources, targets, strict=True)
    ]
    assert decoded == [(f"{n} a b c d e f g", str(n)) for n in range(9)]
