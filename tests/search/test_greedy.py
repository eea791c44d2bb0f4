"""Greedy search."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markov import BOS, EOS, A, B, chain, log_probability, random_stepper, sentence_of

from seq2seq.search import SearchConfig, greedy_search

CONFIG = SearchConfig(beam_size=1, max_length_ratio=2.0, max_length_offset=2)


def test_follows_the_likeliest_piece():
    stepper = chain({BOS: {A: 0.6, B: 0.4}, A: {B: 0.7, EOS: 0.3}, B: {EOS: 0.9, A: 0.1}})
    [found] = greedy_search(stepper, CONFIG)
    assert found.tokens == [A, B]
    assert found.finished
    assert found.log_probability == pytest.approx(math.log(0.6 * 0.7 * 0.9))
    assert found.score == pytest.approx(math.log(0.6 * 0.7 * 0.9) / 3)


def test_an_empty_translation_is_a_translation():
    [found] = greedy_search(chain({BOS: {EOS: 0.8, A: 0.2}}), CONFIG)
    assert (found.tokens, found.finished) == ([], True)
    assert found.score == pytest.approx(math.log(0.8))


def test_is_cut_at_the_maximum_length_of_its_own_source():
    forever = {BOS: {A: 1.0}, A: {A: 0.5, B: 0.3, EOS: 0.2}}
    found = greedy_search(chain(forever, forever, forever, source_lengths=[3, 1, 2]), CONFIG)
    assert [one.tokens for one in found] == [[A] * 8, [A] * 4, [A] * 6]
    assert not any(one.finished for one in found)
    assert found[1].log_probability == pytest.approx(3 * math.log(0.5))


def test_what_is_done_is_stepped_no_more():
    at_once, short = {BOS: {EOS: 1.0}}, {BOS: {A: 1.0}, A: {EOS: 1.0}}
    long = {BOS: {A: 1.0}, A: {B: 1.0}, B: {EOS: 1.0}}
    stepper = chain(short, at_once, long)
    assert [one.tokens for one in greedy_search(stepper, CONFIG)] == [[A], [], [A, B]]
    assert stepper.rows_stepped == [3, 2, 1]
    assert stepper.sentences_kept == [[0, 2], [1]]


def test_where_nothing_is_possible_nothing_comes_back():
    dead_end, fine = {BOS: {A: 1.0}}, {BOS: {A: 1.0}, A: {EOS: 1.0}}
    stepper = chain(dead_end, fine)
    nothing, something = greedy_search(stepper, CONFIG)
    assert (nothing.tokens, nothing.score, nothing.finished) == ([], -math.inf, False)
    assert something.tokens == [A]
    assert stepper.rows_stepped == [2, 2]


@given(st.integers(0, 10_000), st.lists(st.integers(1, 4), min_size=1, max_size=6), st.randoms())
def test_a_sentence_does_not_depend_on_its_batch(seed, source_lengths, random):
    stepper = random_stepper(seed, source_lengths, impossible=0.3)
    order = random.sample(range(len(source_lengths)), len(source_lengths))
    together, reordered = greedy_search(stepper, CONFIG), greedy_search(sentence_of(stepper, order), CONFIG)
    assert reordered == [together[sentence] for sentence in order]
    for sentence, found in enumerate(together):
        assert greedy_search(sentence_of(stepper, [sentence]), CONFIG) == [found]
        if found.score > -math.inf:
            tokens = [*found.tokens, EOS] if found.finished else found.tokens
            assert found.log_probability == pytest.approx(log_probability(stepper, sentence, tokens), abs=1e-4)
