"""Text to ids in chunks."""

import pickle

import numpy as np
import pytest

from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.corpora.filters import FilterConfig
from seq2seq.data import encoding
from seq2seq.data.encoding import encode_chunk, encoded_chunks
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.tokenizer import Tokenizers
from seq2seq.tokenizer.vocabulary import build_tokenizers

PAIRS = [Pair(f"the dog sees {n} cats" * (n % 3), f"der Hund sieht {n} Katzen") for n in range(40)]


@pytest.fixture(scope="module")
def tokenizers() -> Tokenizers:
    return build_tokenizers(TokenizerConfig(size=290), PairList("pairs", PAIRS))


def test_a_chunk_has_the_kept_pairs_and_counts_the_dropped_ones(tokenizers):
    chunk = encode_chunk(tokenizers, FilterConfig(), False, 1, PAIRS)
    kept = [pair for pair in PAIRS if pair.source]
    assert chunk.read == 40
    assert chunk.dropped == {"blank": 14}
    for side, rows in enumerate((chunk.source, chunk.target)):
        lists = [ids.tolist() for ids in np.split(rows.ids, rows.offsets[1:-1])]
        assert lists == [tokenizers[side].encode(pair[side]) for pair in kept]
        assert rows.ids.dtype == np.uint16


def test_monolingual_chunks_filter_targets_only(tokenizers):
    chunk = encode_chunk(tokenizers, None, True, None, [("", "a"), ("", "")])
    assert (len(chunk.source.ids), chunk.dropped) == (0, {"blank": 1})


@pytest.mark.parametrize("size", [1, 7, 40, 41])
def test_several_processes_give_the_same_chunks_as_one(tokenizers, monkeypatch, size):
    monkeypatch.setattr(encoding, "CHUNK", size)
    one, two = (list(encoded_chunks(PAIRS, tokenizers, None, False, processes)) for processes in (1, 2))
    assert [chunk.read for chunk in one] == [size] * (40 // size) + ([40 % size] if 40 % size else [])
    for first, second in zip(one, two, strict=True):
        assert first.dropped == second.dropped
        assert first.target.ids.tolist() == second.target.ids.tolist()
        assert first.source.offsets.tolist() == second.source.offsets.tolist()


@pytest.mark.parametrize("processes", [1, 2])
def test_long_lines_make_chunks_of_fewer_pairs(tokenizers, monkeypatch, processes):
    """Otherwise ten thousand lines of any length would be in memory at a time."""
    monkeypatch.setattr(encoding, "CHARACTERS", 100)
    pairs = [Pair("a" * 60, "b" * 60), *[Pair("a b", "c")] * 30, Pair("a" * 99, "b")]
    chunks = list(encoded_chunks(pairs, tokenizers, None, False, processes))
    assert [chunk.read for chunk in chunks] == [1, 25, 6]
    assert sum(len(chunk.target.offsets) - 1 for chunk in chunks) == 32


def test_a_pickled_joint_tokenizer_is_still_joint(tokenizers):
    unpickled = pickle.loads(pickle.dumps(tokenizers))
    assert unpickled.joint
    assert unpickled.source.encode("ein Hund") == tokenizers.source.encode("ein Hund")
