"""The stream of batches: the rows of the sampler at any position."""

from itertools import islice

import numpy as np
import pytest
import torch

from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.data.batch import make_batch
from seq2seq.data.batch_sampler import BatchSampler, StreamPosition
from seq2seq.data.config import BatchConfig
from seq2seq.data.preparation import encode_corpus
from seq2seq.data.stream import SubwordResampler, batch_stream
from seq2seq.data.table import Table
from seq2seq.tokenizer.config import Algorithm, TokenizerConfig
from seq2seq.tokenizer.tokenizer import Tokenizers
from seq2seq.tokenizer.vocabulary import build_tokenizers

CORPUS = PairList("pairs", [Pair("the dog sees a cat " * n, "der Hund sieht eine Katze " * n) for n in (1, 2, 3)] * 4)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Table, BatchSampler, Tokenizers]:
    tokenizers = build_tokenizers(TokenizerConfig(algorithm=Algorithm.bpe, size=290), CORPUS)
    table = encode_corpus(CORPUS, tokenizers, tmp_path_factory.mktemp("data") / "train.arrow", None)
    return table, BatchSampler(table.source_lengths, table.target_lengths, BatchConfig(tokens=60), seed=1), tokenizers


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_a_stream_from_any_position_is_the_rest_of_the_stream(world, rate):
    table, order, tokenizers = world
    resample = SubwordResampler(tokenizers, TokenizerConfig(algorithm=Algorithm.bpe, sampling=rate), seed=1)
    stream = batch_stream(table, order, resample)
    whole = list(islice(stream(StreamPosition(0, 0)), 3 * len(order.epoch(0))))
    assert whole[-1][1].epoch >= 2, "the stream is endless"
    for number, (_, place) in enumerate(whole[:-2], 1):
        batch, after = next(stream(place))
        assert after == whole[number][1]
        assert all(torch.equal(one, other) for one, other in zip(batch, whole[number][0], strict=True))


@pytest.mark.parametrize("count", [2, 3])
def test_processes_share_a_stream_and_positions_count_all_its_batches(world, count):
    table, order, tokenizers = world
    resample = SubwordResampler(tokenizers, TokenizerConfig(algorithm=Algorithm.bpe, sampling=0.5), seed=1)
    whole = list(islice(batch_stream(table, order, resample)(StreamPosition(0, 1)), 3 * len(order.epoch(0)) * count))
    assert whole[-1][1].epoch >= 2
    for rank in range(count):
        own = batch_stream(table, order, resample, rank, count)(StreamPosition(0, 1))
        for turn in range(0, len(whole), count):
            batch, after = next(own)
            assert after == whole[turn + count - 1][1]
            assert all(torch.equal(one, other) for one, other in zip(batch, whole[turn + rank][0], strict=True))


def test_a_batch_has_the_rows_of_its_position_segmented_as_configured(world):
    table, order, tokenizers = world
    plain = batch_stream(table, order, SubwordResampler(tokenizers, TokenizerConfig(), seed=1))
    batch, _ = next(plain(StreamPosition(1, 0)))
    expected = make_batch(*table.rows(np.asarray(order.epoch(1)[0])))
    assert all(torch.equal(one, other) for one, other in zip(batch, expected, strict=True))
    config = TokenizerConfig(algorithm=Algorithm.bpe, sampling=0.9)
    sampled, _ = next(batch_stream(table, order, SubwordResampler(tokenizers, config, seed=1))(StreamPosition(1, 0)))
    assert sampled.labels_P.numel() > batch.labels_P.numel()
