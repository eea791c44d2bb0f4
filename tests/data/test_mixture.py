"""Several encoded corpora behind the interface of one."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.corpora.filters import FilterConfig
from seq2seq.corpora.mixture import MixedCorpus, WeightedCorpus
from seq2seq.data.batch_sampler import BatchSampler
from seq2seq.data.config import BatchConfig
from seq2seq.data.mixture import TableMixture, WeightedTable, encode_mixture
from seq2seq.data.preparation import corpus_key, encode_corpus
from seq2seq.data.shards import shard_path
from seq2seq.errors import DataError
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.tokenizer import Tokenizers
from seq2seq.tokenizer.vocabulary import build_tokenizers

ONE = PairList("one", [Pair(f"a {n}", f"b {n} {n}") for n in range(30)])
TWO = PairList("two", [Pair(f"c {n} c", f"d {n}") for n in range(20)])


@pytest.fixture(scope="module")
def tokenizers() -> Tokenizers:
    return build_tokenizers(TokenizerConfig(size=280), MixedCorpus([WeightedCorpus(ONE), WeightedCorpus(TWO)]))


@pytest.fixture(scope="module")
def mixture(tokenizers: Tokenizers, tmp_path_factory: pytest.TempPathFactory) -> TableMixture:
    mix = MixedCorpus([WeightedCorpus(ONE), WeightedCorpus(TWO, 2.5)])
    return encode_mixture(mix, tokenizers, tmp_path_factory.mktemp("data") / "train", FilterConfig())


def test_each_corpus_has_a_separate_table(tokenizers, tmp_path):
    encode_mixture(
        MixedCorpus([WeightedCorpus(ONE), WeightedCorpus(TWO), WeightedCorpus(ONE)]),
        tokenizers,
        tmp_path / "cache",
        None,
    )
    one, two = (tmp_path / "cache" / corpus_key(corpus, tokenizers, None)[:32] for corpus in (ONE, TWO))
    assert set((tmp_path / "cache").iterdir()) == {one, two}
    alone = encode_corpus(TWO, tokenizers, tmp_path / "two", None)
    assert shard_path(tmp_path / "two", 0).read_bytes() == shard_path(two, 0).read_bytes()
    assert len(alone) == 20


@given(indices=st.lists(st.integers(0, 49), max_size=30))
def test_rows_are_those_of_the_tables_in_the_order_of_the_indices(mixture, tokenizers, indices):
    pairs = [*ONE, *TWO]
    for side, rows in enumerate(mixture.rows(np.array(indices, dtype=np.int64))):
        assert [row.tolist() for row in rows] == [tokenizers[side].encode(pairs[n][side]) for n in indices]


def test_lengths_follow_the_rows(mixture):
    sources, targets = mixture.rows(np.arange(50))
    assert len(mixture) == 50
    assert mixture.source_lengths.tolist() == [len(row) for row in sources]
    assert mixture.target_lengths.tolist() == [len(row) for row in targets]


@pytest.mark.parametrize("index", [-1, 50])
def test_rows_outside_the_mixture(mixture, index):
    with pytest.raises(IndexError, match=r"\[0, 50\)"):
        mixture.rows(np.array([3, index]))


def test_weights_are_per_pair_and_none_if_all_are_one(mixture):
    assert mixture.weights.tolist() == [1.0] * 30 + [2.5] * 20
    assert TableMixture([part._replace(weight=1) for part in mixture.parts]).weights is None


def test_an_epoch_draws_each_corpus_by_its_weight(mixture):
    order = BatchSampler(mixture.source_lengths, mixture.target_lengths, BatchConfig(tokens=60), 1, mixture.weights)
    rows = np.concatenate(order.epoch(0))
    assert (rows < 30).sum() == 30
    assert (rows >= 30).sum() == 50


def test_the_report_names_every_part(mixture, tokenizers, tmp_path):
    assert mixture.report == "one: kept 30 of 30 pairs; two, weight 2.5: kept 20 of 20 pairs"
    table = encode_corpus(ONE, tokenizers, tmp_path / "one", FilterConfig())
    assert TableMixture([WeightedTable("one", table, 1)]).report == f"one: {table.report}"


def test_a_corpus_that_is_not_a_mixture_is_one_part(tokenizers, tmp_path):
    mixture = encode_mixture(ONE, tokenizers, tmp_path / "train", None)
    assert len(mixture) == 30
    assert mixture.weights is None
    assert [path.name for path in tmp_path.iterdir()] == ["train"]
    assert mixture.rows(np.array([7]))[1][0].tolist() == tokenizers.target.encode(ONE.pairs[7].target)


def test_a_part_without_kept_pairs_is_named(tokenizers, tmp_path: Path):
    blank = PairList("blank.tsv", [Pair("", "x")])
    with pytest.raises(DataError, match=r"^blank\.tsv: every pair was dropped"):
        encode_mixture(
            MixedCorpus([WeightedCorpus(ONE), WeightedCorpus(blank)]), tokenizers, tmp_path / "train", FilterConfig()
        )
