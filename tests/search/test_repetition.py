"""Excluded and penalized repetitions, compared with definitions in plain Python and with all possible translations."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from markov import BOS, EOS, A, B, MarkovStepper, chain, every_path, random_stepper, sentence_of

from seq2seq.search import (
    Method,
    Phrase,
    PrefixStepper,
    SearchConfig,
    beam_search,
    search,
    stream_beam_search,
    token_indexes,
    with_repetition_settings,
)
from seq2seq.search.ensemble import ensemble
from seq2seq.search.repetition import discourage_repetition

LIMITS = {"max_length_ratio": 1.0, "max_length_offset": 5}
SEARCHES = [
    SearchConfig(beam_size=1, **LIMITS),
    SearchConfig(beam_size=3, n_best=3, **LIMITS),
    SearchConfig(method=Method.diverse_beam, beam_size=4, n_best=4, groups=2, **LIMITS),
    SearchConfig(method=Method.sampling, n_best=4, top_p=0.95, **LIMITS),
    SearchConfig(method=Method.minimum_bayes_risk, samples=6, **LIMITS),
]
LOOP = {BOS: {A: 1.0}, A: {A: 0.9, B: 0.1}, B: {A: 0.8, EOS: 0.2}}


def path(one) -> tuple[int, ...]:
    return (*one.tokens, EOS) if one.finished else tuple(one.tokens)


def repeats(tokens, n: int) -> bool:
    """Return whether an n-gram occurs twice."""
    ngrams = [tuple(tokens[start : start + n]) for start in range(len(tokens) - n + 1)]
    return len(set(ngrams)) < len(ngrams)


def changed(row: list[float], history: list[int], n: int, penalty: float) -> list[float]:
    """Return log-probabilities by the definition, token by token."""
    values = [value * penalty if token in history else value for token, value in enumerate(row)]
    allowed = [
        -math.inf if n and repeats([*history, token], n) and not repeats(history, n) else value
        for token, value in enumerate(values)
    ]
    return allowed if max(allowed) > -math.inf else values


@given(st.data(), st.integers(1, 4), st.integers(0, 7), st.integers(0, 4), st.sampled_from([1.0, 1.3, 7.0]))
def test_log_probabilities_change_by_the_definition(data, rows, length, n, penalty):
    config = SearchConfig(no_repeat_ngram=n, repetition_penalty=penalty)
    histories = [
        data.draw(st.lists(st.integers(0, 4), min_size=length, max_size=length).filter(lambda row: not repeats(row, 9)))
        for _ in range(rows)
    ]
    values = [
        data.draw(st.lists(st.sampled_from([-0.5, -1.0, -2.5, -math.inf]), min_size=5, max_size=5)) for _ in range(rows)
    ]
    actual = discourage_repetition(torch.tensor(values), torch.tensor(histories, dtype=torch.int64), config)
    for row, history, own in zip(values, histories, actual.tolist(), strict=True):
        if not n or not repeats(history, n):  # a history with repetitions needs a prefix
            assert own == pytest.approx(changed(row, history, n, penalty))


@given(st.integers(0, 10_000), st.integers(1, 3), st.sampled_from([0.0, 0.3]))
def test_wide_beam_finds_every_translation_without_repetition_and_its_own_log_probability(seed, n, impossible):
    stepper = random_stepper(seed, [1], impossible)
    config = SearchConfig(beam_size=400, n_best=400, no_repeat_ngram=n, max_length_ratio=0.0, max_length_offset=4)
    expected = {whole: total for whole, total in every_path(stepper, 0, 4).items() if not repeats(whole, n)}
    [result] = beam_search(stepper, config)
    found = {path(one): one.log_probability for one in result if one.score > -math.inf and not repeats(one.tokens, n)}
    assert found == pytest.approx(expected, abs=1e-4)


@given(st.integers(0, 10_000), st.sampled_from([1.5, 4.0]))
def test_log_probabilities_of_hypotheses_contain_the_penalty(seed, penalty):
    stepper = random_stepper(seed, [1])
    config = SearchConfig(
        beam_size=400, n_best=400, repetition_penalty=penalty, max_length_ratio=0, max_length_offset=4
    )
    [result] = beam_search(stepper, config)
    for one in result:
        before, total = [BOS, BOS], 0.0
        for place, token in enumerate(path(one)):
            factor = penalty if token in one.tokens[:place] else 1.0
            total += factor * stepper.table_SVVV[0, before[0], before[1], token].item()
            before = [before[1], token]
        assert one.log_probability == pytest.approx(total, abs=1e-4)
    assert len(result) == len(every_path(stepper, 0, 4))


@pytest.mark.parametrize("config", SEARCHES, ids=lambda config: f"{config.method}{config.beam_size}")
@given(seed=st.integers(0, 10_000), n=st.integers(1, 3), penalty=st.sampled_from([1.0, 1.5]), random=st.randoms())
def test_no_search_repeats_an_ngram_and_results_do_not_depend_on_the_batch(config, seed, n, penalty, random):
    lengths = [random.randint(1, 4) for _ in range(4)]
    steppers = [random_stepper(seed + number, lengths) for number in range(2)]
    config = replace(config, no_repeat_ngram=n, repetition_penalty=penalty)

    def results(order):
        bound = ensemble([sentence_of(stepper, order) for stepper in steppers])
        return search(bound, config, [seed + place for place in order])

    together = results(range(4))
    assert not any(repeats(path(one), n) for result in together for one in result)
    order = random.sample(range(4), 4)
    for place, turned in zip(order, results(order), strict=True):
        for result in (turned, *results([place])):  # kernels round differently by the number of rows
            assert [path(one) for one in result] == [path(one) for one in together[place]]
            assert [one.score for one in result] == pytest.approx([one.score for one in together[place]], abs=1e-5)


@pytest.mark.parametrize("config", SEARCHES, ids=lambda config: f"{config.method}{config.beam_size}")
def test_without_the_settings_the_stepper_is_the_same_and_with_them_a_loop_ends(config):
    stepper = chain(LOOP, LOOP, source_lengths=[1, 3])
    assert with_repetition_settings(stepper, config) is stepper
    for [best, *_] in search(stepper, replace(config, no_repeat_ngram=1)):
        assert path(best) == (A, B, EOS)


def test_a_penalty_leaves_a_loop_and_small_ones_change_nothing():
    small, large = (SearchConfig(beam_size=1, repetition_penalty=penalty, **LIMITS) for penalty in (1.01, 50.0))
    assert search(chain(LOOP), small)[0][0].tokens == [A] * 6
    assert path(search(chain(LOOP), large)[0][0]) == (A, B, EOS)


def test_a_stream_ends_in_the_same_result():
    config = SearchConfig(beam_size=2, no_repeat_ngram=2, repetition_penalty=1.2, **LIMITS)
    *_, last = stream_beam_search(random_stepper(4, [3]), config)
    assert last.result == search(random_stepper(4, [3]), config)[0][0]


def test_where_only_a_repetition_is_possible_it_stays():
    table = {BOS: {A: 1.0}, A: {A: 1.0}}
    [[one]] = search(chain(table), SearchConfig(beam_size=1, no_repeat_ngram=1, **LIMITS))
    assert one.tokens == [A] * 6


@pytest.mark.parametrize("config", SEARCHES, ids=lambda config: f"{config.method}{config.beam_size}")
def test_a_prefix_may_repeat_and_counts_as_history(config):
    spelling = [None, None, b" a", b" b"]
    even = MarkovStepper(torch.full((2, 4, 4, 4), 0.25).log(), [3, 3])
    even.table_SVVV[..., BOS] = -math.inf
    bound = PrefixStepper(even, [b" b b b a", b""], *token_indexes(spelling))
    with_prefix, free = search(bound, replace(config, no_repeat_ngram=2), [1, 2])
    for one in with_prefix:
        bigrams = list(pairwise(one.tokens))
        assert one.tokens[:4] == [B, B, B, A]
        assert all(bigram not in bigrams[:place] for place, bigram in enumerate(bigrams) if place > 2)
    assert not any(repeats(one.tokens, 2) for one in free)


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 3), st.randoms())
def test_phrases_are_completed_even_if_they_repeat(seed, beam_size, n, random):
    stepper = random_stepper(seed, [1, 2, 3])
    phrases = [[Phrase((A, A, A), ())], [], [Phrase((A, B), ()), Phrase((B, A), ())]]
    config = SearchConfig(beam_size=beam_size, no_repeat_ngram=n, **LIMITS)
    together = search(stepper, config, (), phrases)
    for [best], own in zip(together, phrases, strict=True):
        places = range(len(best.tokens))
        assert all(any(tuple(best.tokens[at : at + len(each.tokens)]) == each.tokens for at in places) for each in own)
        if not own:
            assert not repeats(path(best), n)
    order = random.sample(range(3), 3)
    turned = search(sentence_of(stepper, order), config, (), [phrases[place] for place in order])
    assert turned == [together[place] for place in order]
