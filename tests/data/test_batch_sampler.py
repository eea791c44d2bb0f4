"""The order of batches: a function of lengths, seed and epoch."""

from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from seq2seq.data.batch_sampler import BatchSampler, Curriculum, Indices, StreamPosition
from seq2seq.data.config import BatchConfig
from seq2seq.errors import ConfigError
from seq2seq.settings import validate

PAIRS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=60)
BUDGETS = st.tuples(st.integers(1, 120), st.integers(1, 4))

# The order of versions without weights, for the lengths in the test below.
OLD = [[11, 2, 9], [6, 3, 0], [4], [10, 7], [1, 8, 5]]


def order(pairs: list[tuple[int, int]], tokens: int = 40, pool: int = 2, seed: int = 0) -> BatchSampler:
    """Over (source, target) lengths."""
    lengths = np.array(pairs, dtype=np.int32)
    return BatchSampler(lengths[:, 0], lengths[:, 1], BatchConfig(tokens=tokens, pool=pool), seed)


def plain(batches: list[Indices]) -> list[list[int]]:
    return [batch.tolist() for batch in batches]


def normal_lengths(count: int) -> NDArray[np.int32]:
    """Log-normal around 12 tokens, like sentences."""
    return np.random.default_rng(5).lognormal(2.5, 0.5, count).astype(np.int32) + 1


@given(PAIRS, BUDGETS, st.integers(0, 1000), st.integers(0, 5))
def test_an_epoch_contains_every_pair_once(pairs, budget, seed, epoch):
    batches = plain(order(pairs, *budget, seed).epoch(epoch))
    assert sorted(row for batch in batches for row in batch) == list(range(len(pairs)))
    assert all(batches)


@given(PAIRS, BUDGETS, st.integers(0, 1000))
def test_a_batch_keeps_its_budget_on_both_sides_with_eos(pairs, budget, seed):
    tokens = budget[0]
    for batch in plain(order(pairs, *budget, seed).epoch(0)):
        widest = max(max(pairs[row]) + 1 for row in batch)
        assert len(batch) * widest <= tokens or len(batch) == 1


def test_batches_are_as_full_as_the_budget_allows():
    # Five sentences of 9 tokens and EOS: a budget of 40 tokens allows four of them.
    assert sorted(len(batch) for batch in order([(9, 9)] * 5, tokens=40).epoch(0)) == [1, 4]
    assert sorted(len(batch) for batch in order([(9, 9)] * 5, tokens=39).epoch(0)) == [2, 3]
    assert sorted(len(batch) for batch in order([(9, 9)] * 5, tokens=50).epoch(0)) == [5]


def test_a_sentence_longer_than_the_budget_is_a_batch_by_itself():
    pairs = [(3, 3), (3, 3), (200, 3), (3, 200)]
    assert sorted(sorted(batch) for batch in plain(order(pairs, tokens=40, pool=100).epoch(0))) == [[0, 1], [2], [3]]


def test_a_long_sentence_does_not_widen_the_batches_after_it():
    pairs = [(200, 3), (4, 4), (4, 4), (4, 4)]
    assert sorted(sorted(batch) for batch in plain(order(pairs, tokens=40, pool=100).epoch(0))) == [[0], [1, 2, 3]]


@given(PAIRS, BUDGETS, st.integers(0, 1000), st.integers(0, 5))
def test_the_same_seed_and_epoch_give_the_same_batches(pairs, budget, seed, epoch):
    first, again = order(pairs, *budget, seed), order(pairs, *budget, seed)
    first.epoch(epoch + 1)  # earlier calls have no effect
    assert plain(first.epoch(epoch)) == plain(again.epoch(epoch))


def test_another_seed_or_epoch_gives_other_batches():
    pairs = [(int(length), int(length)) for length in normal_lengths(300)]
    result = [plain(order(pairs, seed=seed).epoch(epoch)) for seed in (0, 1) for epoch in (0, 1)]
    for number, one in enumerate(result):
        for other in result[:number]:
            assert one != other
            # Not only the order of batches changes, but also their sentences.
            assert {frozenset(batch) for batch in one} != {frozenset(batch) for batch in other}


def test_batches_are_not_ordered_by_length():
    lengths = normal_lengths(3000)
    batches = order([(int(length), int(length)) for length in lengths], tokens=200, pool=50).epoch(0)
    means = [lengths[batch].mean() for batch in batches]
    neighbours = np.abs(np.diff(means)).mean()
    assert neighbours > 0.5 * np.abs(np.subtract.outer(means, means)).mean()


@given(PAIRS, BUDGETS, st.integers(0, 1000), st.integers(0, 30))
def test_the_stream_resumes_at_any_position(pairs, budget, seed, taken):
    one, other = order(pairs, *budget, seed), order(pairs, *budget, seed)
    whole = list(islice(one.stream(StreamPosition(0, 0)), taken + 20))
    place = whole[taken - 1][1] if taken else StreamPosition(0, 0)
    rest = list(islice(other.stream(place), 20))
    assert [(batch.tolist(), after) for batch, after in rest] == [
        (batch.tolist(), after) for batch, after in whole[taken:]
    ]


def test_the_stream_is_epoch_after_epoch():
    sampler = order([(3, 3)] * 10, tokens=16)
    epochs = [plain(sampler.epoch(number)) for number in range(3)]
    assert [len(batches) for batches in epochs] == [3, 3, 3]
    batches, places = zip(*islice(sampler.stream(StreamPosition(0, 0)), 9), strict=True)
    assert plain(batches) == epochs[0] + epochs[1] + epochs[2]
    assert places[:4] == (StreamPosition(0, 1), StreamPosition(0, 2), StreamPosition(1, 0), StreamPosition(1, 1))


def padding_share(pairs: list[tuple[int, int]], pool: int) -> float:
    """Share of padding in an epoch's padded target tokens."""
    lengths = np.array([target + 1 for _, target in pairs])
    batches = order(pairs, tokens=1000, pool=pool).epoch(0)
    return 1 - lengths.sum() / sum(len(batch) * lengths[batch].max() for batch in batches)


def test_sentences_of_similar_length_share_batches():
    pairs = [(int(length), int(length)) for length in normal_lengths(5000)]
    assert padding_share(pairs, pool=100) < 0.03
    assert padding_share(pairs, pool=100) < padding_share(pairs, pool=10) < padding_share(pairs, pool=1)
    assert padding_share(pairs, pool=1) > 0.2  # the test needs different lengths


def test_batches_with_two_target_lengths_have_sources_of_similar_length(monkeypatch):
    """Reference: ascending source lengths within every target length mix long and short sources in such batches."""
    generator = np.random.default_rng(1)
    targets = normal_lengths(5000)
    sources = np.maximum(1, targets + generator.normal(0, 3, len(targets)).round().astype(np.int32))

    def padded() -> int:
        batches = BatchSampler(sources, targets, BatchConfig(tokens=512), seed=0).epoch(0)
        return sum(len(batch) * (sources[batch].max() + 1) for batch in batches)

    result = padded()
    monkeypatch.setattr(BatchSampler, "_by_length", lambda _, pool: np.lexsort((sources[pool], targets[pool])))
    assert result < 0.985 * padded()


def weighted(weights: list[float], tokens: int = 40, pool: int = 2, seed: int = 0) -> BatchSampler:
    """Over pairs of 3 to 9 tokens."""
    lengths = (3 + np.arange(len(weights)) % 7).astype(np.int32)
    return BatchSampler(lengths, lengths, BatchConfig(tokens=tokens, pool=pool), seed, np.array(weights))


def counts(sampler: BatchSampler, epoch: int, pairs: int) -> NDArray[np.int64]:
    """Number of repetitions of each pair in an epoch."""
    return np.bincount(np.concatenate(sampler.epoch(epoch)), minlength=pairs)


def test_batches_without_weights_are_those_of_earlier_versions():
    """Runs that started before weights existed resume with the same batches."""
    lengths = (np.arange(12, dtype=np.int32) * 7) % 10 + 1
    batches = BatchSampler(lengths, lengths[::-1].copy(), BatchConfig(tokens=30, pool=2), seed=3).epoch(4)
    assert plain(batches) == OLD


@given(PAIRS, BUDGETS, st.integers(0, 1000), st.integers(0, 5))
def test_weights_of_one_change_nothing(pairs, budget, seed, epoch):
    lengths, config = np.array(pairs, dtype=np.int32), BatchConfig(tokens=budget[0], pool=budget[1])
    same = BatchSampler(lengths[:, 0], lengths[:, 1], config, seed, np.ones(len(pairs)))
    assert plain(same.epoch(epoch)) == plain(order(pairs, *budget, seed).epoch(epoch))


@given(st.lists(st.floats(0, 4), min_size=1, max_size=40), st.integers(0, 1000), st.integers(0, 5))
def test_an_epoch_repeats_each_pair_according_to_its_weight(weights, seed, epoch):
    if sum(weights) < 1:
        weights = [*weights, 1.5]
    result = counts(weighted(weights, seed=seed), epoch, len(weights))
    assert (result >= np.floor(weights)).all()
    assert (result <= np.ceil(weights)).all()
    assert abs(result.sum() - sum(weights)) < 1 + 1e-6
    assert plain(weighted(weights, seed=seed).epoch(epoch)) == plain(weighted(weights, seed=seed).epoch(epoch))


def test_a_fraction_resamples_each_epoch_and_covers_all_pairs_equally():
    sampler = weighted([0.3] * 50 + [1.5] * 50, tokens=100)
    epochs = [counts(sampler, number, 100) for number in range(200)]
    assert len({tuple(epoch[:50]) for epoch in epochs}) > 190
    means = np.mean(epochs, axis=0)
    # 200 draws have standard deviations 0.032 and 0.035; the largest of a hundred deviations is within five.
    assert np.abs(means - ([0.3] * 50 + [1.5] * 50)).max() < 0.17
    # Pairs are drawn independently of their neighbours.
    together = np.mean([epoch[:49] * epoch[1:50] for epoch in epochs])
    assert 0.06 < together < 0.12


def test_less_than_one_pair_per_epoch_occurs_in_some_epochs():
    sampler = weighted([1.0] * 5 + [0.25])
    occurrences = sum(counts(sampler, epoch, 6)[5] for epoch in range(400))
    assert 60 < occurrences < 140  # 100 expected, standard deviation 8.7


def test_copies_of_a_pair_are_spread_over_the_epoch():
    lengths = np.full(400, 9, dtype=np.int32)
    sampler = BatchSampler(lengths, lengths, BatchConfig(tokens=100, pool=4), seed=1, weights=np.full(400, 2.0))
    batches = sampler.epoch(0)
    assert counts(sampler, 0, 400).tolist() == [2] * 400
    # Pools of 40 in 800: with random order, 1 pair in 20 would have both copies in one pool, 1 in 80 in one batch.
    assert sum(len(batch) - len(set(batch.tolist())) for batch in batches) <= 2


def test_corpora_of_different_weight_stay_mixed():
    sampler = weighted([1.0] * 600 + [3.0] * 200, tokens=100, pool=1)
    rows = sampler._shuffled(np.random.default_rng(0))
    shares = [(part >= 600).mean() for part in np.array_split(rows, 6)]
    assert 0.4 < min(shares) <= max(shares) < 0.6


def test_the_stream_of_weighted_pairs_resumes_at_any_position():
    whole = list(islice(weighted([0.4] * 30).stream(StreamPosition(0, 0)), 30))
    rest = list(islice(weighted([0.4] * 30).stream(whole[9][1]), 20))
    assert [(batch.tolist(), place) for batch, place in rest] == [(b.tolist(), place) for b, place in whole[10:]]


def test_weights_that_leave_nothing_are_refused():
    with pytest.raises(ConfigError, match=r"leave 0\.3 of 3 pairs in an epoch: raise data\.weight"):
        weighted([0.1] * 3)


def test_the_lengths_of_the_table_are_not_modified():
    lengths = np.array([4, 5], dtype=np.int32)
    BatchSampler(lengths, lengths, BatchConfig(), seed=0).epoch(0)
    assert lengths.tolist() == [4, 5]


@pytest.mark.parametrize("name", ["tokens", "pool"])
def test_a_budget_of_nothing_is_refused(name):
    with pytest.raises(ConfigError, match=f"^{name} must be at least 1, got 0$"):
        validate(BatchConfig(**{name: 0}))


def by_length(
    pairs: list[tuple[int, int]], start: float, batches: int, tokens=40, seed=0, weights=None
) -> BatchSampler:
    """With a curriculum; over (source, target) lengths."""
    lengths, config = np.array(pairs, dtype=np.int32), BatchConfig(tokens=tokens, pool=2)
    weighing = None if weights is None else np.array(weights)
    return BatchSampler(lengths[:, 0], lengths[:, 1], config, seed, weighing, Curriculum(start, batches))


@given(PAIRS, st.floats(0.01, 0.99), st.integers(1, 40), st.integers(0, 1000))
def test_a_curriculum_has_the_shortest_pairs_up_to_its_competence(pairs, start, until, seed):
    """The definition in a loop: the square root of Platanios et al. 2019, section 2.2, at the start of each epoch."""
    sampler, longest, batches, number = by_length(pairs, start, until, seed=seed), list(map(max, pairs)), 0, 0
    while batches < until:
        competence = min(1, (batches * (1 - start**2) / until + start**2) ** 0.5)
        within = [sum(other <= length for other in longest) / len(pairs) for length in longest]
        limit = min(length for length, share in zip(longest, within, strict=True) if share >= competence - 1e-12)
        epoch = plain(sampler.epoch(number))
        assert sorted(row for batch in epoch for row in batch) == [
            row for row, length in enumerate(longest) if length <= limit
        ]
        batches, number = batches + len(epoch), number + 1
    for whole in (number, number + 1):  # afterwards every epoch has all pairs, as without a curriculum
        assert plain(sampler.epoch(whole)) == plain(order(pairs, seed=seed).epoch(whole))


@given(PAIRS, st.integers(1, 40), st.integers(0, 1000), st.integers(0, 30))
def test_the_stream_of_a_curriculum_resumes_at_any_position(pairs, until, seed, taken):
    one, other = by_length(pairs, 0.1, until, seed=seed), by_length(pairs, 0.1, until, seed=seed)
    whole = list(islice(one.stream(StreamPosition(0, 0)), taken + 10))
    assert one.position_after(taken) == (whole[taken - 1][1] if taken else (0, 0))
    rest = list(islice(other.stream(one.position_after(taken)), 10))
    assert [(batch.tolist(), place) for batch, place in rest] == [(b.tolist(), place) for b, place in whole[taken:]]


def test_weights_count_in_the_shares_of_a_curriculum():
    pairs = [(3, 3)] * 10 + [(9, 9)] * 10
    assert by_length(pairs, 0.4, 100).longest[0] == 4  # with EOS
    assert by_length(pairs, 0.4, 100, weights=[0.5] * 10 + [1.5] * 10).longest[0] == 10
    never = by_length(pairs, 0.01, 4, weights=[0.0] * 10 + [1.0] * 10)
    assert sorted(row for batch in never.epoch(0) for row in batch) == list(range(10, 20))
    seldom = by_length(pairs, 0.001, 20, weights=[0.01] * 10 + [1.0] * 10)
    assert seldom.longest[0] == 4
    assert all(len(seldom.epoch(number)) for number in range(len(seldom.longest))), "no epoch is empty"
