"""Diverse beam search, compared with a plain implementation."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markov import EOS, A, B, MarkovStepper, chain, log_probability, random_stepper, sentence_of

from seq2seq.search import Method, SearchConfig, beam_search, diverse_beam_search


def config(beam_size: int, groups: int, strength: float, longest: int = 5, n_best: int | None = None) -> SearchConfig:
    return SearchConfig(
        method=Method.diverse_beam,
        beam_size=beam_size,
        groups=groups,
        n_best=n_best or beam_size,
        diversity_strength=strength,
        max_length_ratio=0.0,
        max_length_offset=longest,
    )


def path(one) -> tuple[int, ...]:
    return (*one.tokens, EOS) if one.finished else tuple(one.tokens)


def plain(stepper: MarkovStepper, sentence: int, settings_: SearchConfig) -> set[tuple[int, ...]]:
    """Return the finished paths of all groups, one group, hypothesis and token at a time."""
    groups, limit = settings_.groups, settings_.max_length_offset
    width = settings_.beam_size // groups
    live: list[list[tuple[int, ...]]] = [[()] for _ in range(groups)]
    finished: list[list[tuple[int, ...]]] = [[] for _ in range(groups)]
    for _ in range(limit):
        taken = [0] * 4
        for group in range(groups):
            if len(finished[group]) >= width:
                continue
            totals = {
                (*one, token): log_probability(stepper, sentence, (*one, token))
                for one in live[group]
                for token in range(4)
            }
            paid = {one: total - settings_.diversity_strength * taken[one[-1]] for one, total in totals.items()}
            ranked = sorted((one for one in paid if paid[one] > -math.inf), key=paid.__getitem__, reverse=True)
            finished[group] += [one for one in ranked[:width] if one[-1] == EOS]
            live[group] = [one for one in ranked if one[-1] != EOS][:width]
            for one in live[group]:
                taken[one[-1]] += 1
    return {one for group in finished for one in group}


@given(st.integers(0, 10_000), st.sampled_from([(2, 2), (4, 2), (3, 3), (6, 3)]), st.sampled_from([0.3, 1.0, 100.0]))
def test_groups_match_a_plain_implementation(seed, shape, strength):
    stepper, settings_ = random_stepper(seed, [1, 1], impossible=0.2), config(*shape, strength)
    for sentence, actual in enumerate(diverse_beam_search(stepper, settings_)):
        expected = plain(stepper, sentence, settings_)
        ended = [path(hypothesis) for hypothesis in actual if hypothesis.finished]
        assert set(ended) <= expected
        assert len(ended) == len(set(ended)) == min(settings_.n_best, len(expected))
        for hypothesis in actual:
            if hypothesis.score > -math.inf:
                assert hypothesis.log_probability == pytest.approx(
                    log_probability(stepper, sentence, path(hypothesis)), abs=1e-4
                )


@given(st.integers(0, 10_000), st.integers(1, 4))
def test_one_group_equals_beam_search_and_zero_strength_makes_groups_equal(seed, width):
    stepper = random_stepper(seed, [1, 2])
    alone = SearchConfig(beam_size=width, n_best=width, max_length_ratio=0.0, max_length_offset=5)
    assert diverse_beam_search(stepper, config(width, 1, 0.7)) == beam_search(stepper, alone)
    same = diverse_beam_search(stepper, config(3 * width, 3, 0.0, n_best=width))
    assert [[path(hypothesis) for hypothesis in result] for result in same] == [
        [path(hypothesis) for hypothesis in result] for result in beam_search(stepper, alone)
    ]


def test_groups_choose_different_tokens_if_the_penalty_is_large():
    table = {0: {A: 0.9, B: 0.1}, A: {EOS: 1.0}, B: {EOS: 1.0}}
    [result] = diverse_beam_search(chain(table), config(2, 2, 3.0))
    assert [path(hypothesis) for hypothesis in result] == [(A, EOS), (B, EOS)]
    [result] = diverse_beam_search(chain(table), config(2, 2, 0.1))
    assert [path(hypothesis) for hypothesis in result] == [(A, EOS)], "each text once"
    assert result[0].log_probability == pytest.approx(math.log(0.9)), "diversity is not in the score"


@given(st.integers(0, 1000), st.lists(st.integers(1, 4), min_size=2, max_size=5), st.randoms())
def test_result_does_not_depend_on_the_batch(seed, lengths, random):
    stepper = random_stepper(seed, lengths, impossible=0.3)
    settings_ = SearchConfig(
        method=Method.diverse_beam, beam_size=4, groups=2, n_best=4, max_length_ratio=1.5, max_length_offset=1
    )
    together = diverse_beam_search(stepper, settings_)
    order = random.sample(range(len(lengths)), len(lengths))
    assert diverse_beam_search(sentence_of(stepper, order), settings_) == [together[place] for place in order]


def test_impossible_sentence_returns_an_empty_hypothesis():
    nothing, fine = diverse_beam_search(chain({}, {0: {EOS: 1.0}}), config(4, 2, 1.0))
    assert [(hypothesis.tokens, hypothesis.log_probability) for hypothesis in nothing] == [([], -math.inf)]
    assert [path(hypothesis) for hypothesis in fine] == [(EOS,)]
