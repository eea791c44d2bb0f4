"""Dispatch by method, and samples that do not depend on the batch."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markov import EOS, A, B, MarkovStepper, every_path, log_probability, random_stepper, sentence_of

from seq2seq.errors import ConfigError
from seq2seq.search import (
    Method,
    Phrase,
    SearchConfig,
    beam_search,
    constrained_beam_search,
    diverse_beam_search,
    greedy_search,
    search,
)

LIMITS = {"max_length_ratio": 0.0, "max_length_offset": 4}


def path(one) -> tuple[int, ...]:
    return (*one.tokens, EOS) if one.finished else tuple(one.tokens)


def kept(stepper: MarkovStepper, before: int, last: int, config: SearchConfig) -> dict[int, float]:
    """Return the exact probabilities of the next token, by the definitions of temperature, top-k and nucleus."""
    row = stepper.table_SVVV[0, before, last].double().exp().tolist()
    weights = {token: p ** (1 / config.temperature) for token, p in enumerate(row) if p > 0}
    ranked = sorted(weights, key=lambda token: -weights[token])[: config.top_k]
    total, chosen = sum(weights[token] for token in ranked), []
    for token in ranked:
        chosen.append(token)
        if sum(weights[one] for one in chosen) >= config.top_p * total:
            break
    return {token: weights[token] / sum(weights[one] for one in chosen) for token in chosen}


def exact(stepper: MarkovStepper, config: SearchConfig) -> dict[tuple[int, ...], float]:
    """Return the probability of every translation of the first sentence."""
    chances = {}
    for whole in every_path(stepper, 0, config.max_length_offset):
        chance, before = 1.0, [0, 0]
        for token in whole:
            chance *= kept(stepper, *before, config).get(token, 0.0)
            before = [before[1], token]
        if chance > 0:
            chances[whole] = chance
    return chances


@pytest.mark.parametrize(
    "settings_",
    [{}, {"temperature": 0.6}, {"top_k": 2}, {"top_p": 0.8}, {"temperature": 1.5, "top_k": 3, "top_p": 0.7}],
)
def test_sampling_frequencies_match_exact_probabilities(settings_):
    count = 3000
    stepper = random_stepper(3, [1])
    config = SearchConfig(method=Method.sampling, n_best=count, **LIMITS, **settings_)
    wanted = exact(stepper, config)
    assert sum(wanted.values()) == pytest.approx(1)
    counts = Counter(path(hypothesis) for hypothesis in search(stepper, config, [5])[0])
    assert set(counts) <= set(wanted)
    often = {whole: count * chance for whole, chance in wanted.items() if count * chance >= 5}
    chi_square = sum((counts[whole] - expected) ** 2 / expected for whole, expected in often.items())
    degrees = len(often) - 1 or 1
    assert chi_square < degrees + 5 * math.sqrt(2 * degrees), "mean and spread of the distribution"


@given(st.integers(0, 1000), st.lists(st.integers(1, 4), min_size=2, max_size=5), st.randoms())
def test_samples_do_not_depend_on_the_batch(seed, lengths, random):
    stepper, seeds = random_stepper(seed, lengths, impossible=0.2), [7 * place for place in range(len(lengths))]
    config = SearchConfig(method=Method.sampling, n_best=4, top_p=0.9, max_length_ratio=1.5, max_length_offset=1)
    together = search(stepper, config, seeds)
    order = random.sample(range(len(lengths)), len(lengths))
    turned = search(sentence_of(stepper, order), config, [seeds[place] for place in order])
    assert turned == [together[place] for place in order]
    for place, result in enumerate(together):
        assert search(sentence_of(stepper, [place]), config, [seeds[place]]) == [result]
    fewer = SearchConfig(method=Method.sampling, n_best=2, top_p=0.9, max_length_ratio=1.5, max_length_offset=1)
    assert search(stepper, fewer, seeds) == [result[:2] for result in together]


def test_samples_depend_on_the_seed():
    stepper = random_stepper(3, [1])
    result = [
        search(stepper, SearchConfig(method=Method.sampling, n_best=8, seed=seed, **LIMITS)) for seed in (1, 1, 2)
    ]
    assert result[0] == result[1] != result[2]
    assert all(
        hypothesis.log_probability == pytest.approx(log_probability(stepper, 0, path(hypothesis)), abs=1e-5)
        for hypothesis in result[0][0]
    )


def test_search_dispatches_by_method():
    stepper = random_stepper(4, [1, 2])
    assert search(stepper, SearchConfig(beam_size=1, **LIMITS)) == [
        [hypothesis] for hypothesis in greedy_search(stepper, SearchConfig(beam_size=1, **LIMITS))
    ]
    wide = SearchConfig(beam_size=4, n_best=2, **LIMITS)
    assert search(stepper, wide, (), [(), ()]) == beam_search(stepper, wide)
    diverse = SearchConfig(method=Method.diverse_beam, beam_size=4, n_best=4, groups=2, **LIMITS)
    assert search(stepper, diverse) == diverse_beam_search(stepper, diverse)
    phrases = [[Phrase((A, B), ())], []]
    assert search(stepper, wide, (), phrases) == constrained_beam_search(stepper, wide, phrases)
    named = SearchConfig(method="diverse_beam", beam_size=4, n_best=4, groups=2, **LIMITS)
    assert search(stepper, named) == diverse_beam_search(stepper, diverse)
    risk = SearchConfig(method=Method.minimum_bayes_risk, samples=6, **LIMITS)
    assert [len(result) for result in search(stepper, risk)] == [6, 6], "candidates are texts"


def test_phrases_need_beam_search():
    for method in (Method.sampling, Method.diverse_beam, Method.minimum_bayes_risk):
        with pytest.raises(
            ConfigError, match=rf"^search.method={method} cannot force phrases: set search.method=beam$"
        ):
            search(random_stepper(1, [1]), SearchConfig(method=method), (), [[Phrase((A,), ())]])
