import gzip
from collections.abc import Iterator
from pathlib import Path

import datasets
import numpy as np
import pytest

from seq2seq.data import table as table_module
from seq2seq.data.table import Table, encode_corpus
from seq2seq.errors import DataError
from seq2seq.text.clean import FilterConfig
from seq2seq.text.corpus import PairList
from seq2seq.text.files import TextFiles
from seq2seq.text.tokenizer import Tokenizers
from seq2seq.text.tokenizer_config import Algorithm, TokenizerConfig
from seq2seq.text.types import Pair
from seq2seq.text.vocabulary import build_tokenizers

PAIRS = [Pair("the dog sees the cat" + " x" * (n % 7), "der Hund sieht die Katze" * (1 + n % 3)) for n in range(50)]


class Counted:
    """A corpus that counts how often it is read."""

    def __init__(self, pairs: list[Pair], fingerprint: str = "1") -> None:
        self.name, self.fingerprint, self.pairs, self.reads = "pairs", fingerprint, pairs, 0

    def __iter__(self) -> Iterator[Pair]:
        self.reads += 1
        return iter(self.pairs)


@pytest.fixture(scope="module")
def tokenizers() -> Tokenizers:
    return build_tokenizers(TokenizerConfig(algorithm=Algorithm.bpe, size=290), PairList("pairs", PAIRS))


@pytest.mark.parametrize("chunk", [7, 50, 10_000])
def test_rows_and_lengths_are_those_of_the_text(
    tokenizers: Tokenizers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(table_module, "CHUNK", chunk)
    table = encode_corpus(PairList("pairs", PAIRS), tokenizers, tmp_path / "train.arrow", None)
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
    table = encode_corpus(PairList("pairs", PAIRS), tokenizers, tmp_path / "train.arrow", None)
    with pytest.raises(IndexError, match=r"\[0, 50\)"):
        table.rows(np.array([0, index]))


def test_the_file_is_a_datasets_file(tokenizers: Tokenizers, tmp_path: Path) -> None:
    encode_corpus(PairList("pairs", PAIRS), tokenizers, tmp_path / "train.arrow", None)
    opened = datasets.Dataset.from_file(str(tmp_path / "train.arrow"))
    assert len(opened) == 50
    assert opened[3]["source"] == tokenizers.source.encode(PAIRS[3].source)


def test_filters_drop_and_report(tokenizers: Tokenizers, tmp_path: Path) -> None:
    pairs = [*PAIRS, Pair("", "x"), Pair(" \u2028 ", "x"), Pair("a", "b " * 500), Pair("a", "x " * 90)]
    table = encode_corpus(PairList("pairs", pairs), tokenizers, tmp_path / "t.arrow", FilterConfig(max_ratio=9))
    assert len(table) == 50
    assert table.report == (
        "kept 50 of 54 pairs; dropped 2 blank, 1 too long (over 200 pieces), 1 length ratio (over 9)"
    )
    assert Table(tmp_path / "t.arrow").report == table.report


def test_nothing_is_prepared_twice(tokenizers: Tokenizers, tmp_path: Path) -> None:
    path, corpus = tmp_path / "train.arrow", Counted(PAIRS)
    first = encode_corpus(corpus, tokenizers, path, FilterConfig())
    again = encode_corpus(corpus, tokenizers, path, FilterConfig())
    assert corpus.reads == 1
    assert again.report == first.report
    assert len(again) == len(first)


def test_a_change_of_corpus_filters_or_tokenizers_prepares_anew(tokenizers: Tokenizers, tmp_path: Path) -> None:
    path, corpus = tmp_path / "train.arrow", Counted(PAIRS)
    old = encode_corpus(corpus, tokenizers, path, FilterConfig())
    encode_corpus(corpus, tokenizers, path, FilterConfig(max_length=90))
    encode_corpus(corpus, tokenizers, path, None)
    other = build_tokenizers(TokenizerConfig(size=290), PairList("pairs", PAIRS))
    encode_corpus(corpus, Tokenizers(tokenizers.source, other.target), path, None)
    assert corpus.reads == 4
    changed = Counted(PAIRS[:9], fingerprint="2")
    assert len(encode_corpus(changed, tokenizers, path, None)) == 9
    assert len(old) == 50  # a table that is open stays what it was
    assert old.rows(np.array([49]))[0][0].tolist() == tokenizers.source.encode(PAIRS[49].source)


def test_damaged_and_foreign_files(tokenizers: Tokenizers, tmp_path: Path) -> None:
    path, corpus = tmp_path / "train.arrow", Counted(PAIRS)
    encode_corpus(corpus, tokenizers, path, None)
    whole = path.read_bytes()
    for data in (b"", b"something else", whole[: len(whole) // 2], whole[:-200]):
        path.write_bytes(data)
        with pytest.raises(DataError, match=r"train\.arrow is no encoded corpus") as error:
            Table(path)
        assert "\n" not in str(error.value)
        assert len(encode_corpus(corpus, tokenizers, path, None)) == 50
    with pytest.raises(DataError, match="is no encoded corpus"):
        Table(tmp_path / "none.arrow")


def test_a_corpus_that_fails_leaves_no_file(tokenizers: Tokenizers, tmp_path: Path) -> None:
    (tmp_path / "text.en").write_bytes(b"a\n\xff\n")
    (tmp_path / "text.de").write_bytes(b"b\nc\n")
    files = TextFiles(tmp_path / "text.en", tmp_path / "text.de")
    with pytest.raises(DataError, match="line 2"):
        encode_corpus(files, tokenizers, tmp_path / "data" / "train.arrow", None)
    with pytest.raises(DataError, match=r"no pair is left: kept 0 of 1 pairs; dropped 1 blank"):
        encode_corpus(PairList("pairs", [Pair("", "b")]), tokenizers, tmp_path / "data" / "train.arrow", None)
    assert list((tmp_path / "data").iterdir()) == []


def test_hostile_text_stays_aligned(tokenizers: Tokenizers, tmp_path: Path) -> None:
    lines = [f"{n} a\u2028b\u0085c\x0bd\x0ce\rf\u2029g" for n in range(9)]
    (tmp_path / "text.en.gz").write_bytes(gzip.compress("\r\n".join(lines).encode()))
    (tmp_path / "text.de").write_text("".join(f"{n}\n" for n in range(9)))
    files = TextFiles(tmp_path / "text.en.gz", tmp_path / "text.de")
    sources, targets = encode_corpus(files, tokenizers, tmp_path / "t.arrow", None).rows(np.arange(9))
    decoded = [
        (tokenizers.source.decode(s.tolist()), tokenizers.target.decode(t.tolist()))
        for s, t in zip(sources, targets, strict=True)
    ]
    assert decoded == [(f"{n} a b c d e f g", str(n)) for n in range(9)]
