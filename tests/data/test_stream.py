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
from seq2seq.data.stream import BothDirections, SubwordResampler, batch_stream, without_tags
from seq2seq.data.table import Table
from seq2seq.tokenizer.config import Algorithm, TokenizerConfig
from seq2seq.tokenizer.tokenizer import EOS, PAD, Tokenizers
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


def bidirectional(world, until: StreamPosition, tags=(), rank=0, count=1):
    table, order, _ = world
    return batch_stream(table, order, BothDirections(until, 1, tags), rank, count)


def pairs_of(batch):
    """The sources and targets of a batch, without EOS and BOS."""
    sources = [row[: length - 1].tolist() for row, length in zip(batch.source_BS, batch.source_lengths_B, strict=True)]
    ends = (batch.target_BT != PAD).sum(1).tolist()
    targets = [row[1:end].tolist() for row, end in zip(batch.target_BT, ends, strict=True)]
    assert batch.labels_P.tolist() == [token for target in targets for token in [*target, EOS]]
    return list(zip(sources, targets, strict=True))


def test_a_position_is_that_after_a_number_of_batches(world):
    _, order, _ = world
    positions = [StreamPosition(0, 0), *(after for _, after in islice(order.stream(StreamPosition(0, 0)), 20))]
    assert positions[-1].epoch >= 2
    assert [order.position_after(batches) for batches in range(21)] == positions


def test_pairs_are_reversed_at_random_up_to_a_position_and_then_never(world):
    table, order, _ = world
    start = StreamPosition(0, 0)
    plain = list(islice(batch_stream(table, order, lambda rows, after: rows)(start), 30))
    both = list(islice(bidirectional(world, order.position_after(20))(start), 30))
    counts = [0, 0]
    for (before, after), (now, same_after) in zip(plain[:20], both[:20], strict=True):
        assert after == same_after
        for (source, target), pair in zip(pairs_of(before), pairs_of(now), strict=True):
            assert pair in [(source, target), (target, source)]
            counts[pair == (target, source)] += 1
    assert min(counts) > 0.35 * sum(counts)
    for (before, _), (now, _) in zip(plain[20:], both[20:], strict=True):
        assert all(torch.equal(one, other) for one, other in zip(before, now, strict=True))


@pytest.mark.parametrize("count", [1, 2])
def test_a_bidirectional_stream_from_any_position_is_the_rest_of_the_stream(world, count):
    _, order, _ = world
    until = order.position_after(6)
    whole = list(islice(bidirectional(world, until)(StreamPosition(0, 0)), 12))
    for begin in range(0, 10, count):
        place = order.position_after(begin)
        for rank in range(count):
            batch, after = next(bidirectional(world, until, rank=rank, count=count)(place))
            assert after == whole[begin + count - 1][1]
            assert all(torch.equal(one, other) for one, other in zip(batch, whole[begin + rank][0], strict=True))


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_reversed_pair_loses_the_tags_of_its_source(algorithm):
    text = "the dog sees a cat"
    corpus = PairList("tagged", [Pair(f"<2de> <bt> {text}", "der Hund sieht eine Katze")] * 2)
    tokenizers = build_tokenizers(TokenizerConfig(algorithm=algorithm, size=300), corpus, ["<2de>", "<bt>"])
    tags = tokenizers.source.ids_of_tags(["<2de>", "<bt>"])
    for source in (text, f"<2de> {text}", f"<2de> <bt> {text}"):
        row = without_tags(tokenizers.source.encode(source), tags)
        assert row == tokenizers.source.encode(text)
    later = tokenizers.source.encode(f"{text} <bt>")
    assert without_tags(later, tags) == later, "only leading tags"
    sources, targets = BothDirections(StreamPosition(1, 0), 1, tags)(
        ([tokenizers.source.encode(f"<2de> {text}")] * 20, [[7, 8]] * 20), StreamPosition(0, 1)
    )
    assert {tuple(row) for row in targets} == {(7, 8), tuple(tokenizers.source.encode(text))}
    assert {len(row) for row in sources} == {2, len(tokenizers.source.encode(f"<2de> {text}"))}


def test_text_is_segmented_again_up_to_a_position_and_then_as_in_translation(world):
    table, order, tokenizers = world
    config, start = TokenizerConfig(algorithm=Algorithm.bpe, sampling=0.5), StreamPosition(0, 0)
    until = order.position_after(7)

    def batches(transform):
        return [batch for batch, _ in islice(batch_stream(table, order, transform)(start), 14)]

    plain = batches(lambda rows, after: rows)
    whole, part = (batches(SubwordResampler(tokenizers, config, 1, until=end)) for end in (None, until))
    assert not any(equal(one, other) for one, other in zip(whole, plain, strict=True))
    assert all(equal(one, other) for one, other in zip(part, [*whole[:7], *plain[7:]], strict=True))


def equal(one, other):
    return one.source_BS.shape == other.source_BS.shape and all(map(torch.equal, one, other))


def test_a_reversed_pair_is_segmented_again_on_its_new_source_side(world):
    _, _, tokenizers = world
    source, target = (tokenizers.source.encode(text) for text in next(iter(CORPUS)))
    config = TokenizerConfig(algorithm=Algorithm.bpe, sampling=0.9, sample_target=False)
    resample, both = SubwordResampler(tokenizers, config, seed=1), BothDirections(StreamPosition(1, 0), 1)
    position = StreamPosition(0, 1)
    sources, targets = resample(both(([source] * 30, [target] * 30), position), position)
    assert {tuple(row) for row in targets} == {tuple(source), tuple(target)}
    spelled = {tokenizers.source.decode(row) for row in sources}
    assert spelled == {tokenizers.source.decode(source), tokenizers.source.decode(target)}
    assert len({tuple(row) for row in sources}) > 10
