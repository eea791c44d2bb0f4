"""Greedy search."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markov import BOS, EOS, A, B, chain, log_probability, random_stepper, sentence_of

from seq2seq.search import SearchConfig, greedy_search

CONFIG = SearchConfig(beam_size=1, max_length_ratio=2.0, max_length_offset=2)


def test_follows_the_most_probable_token():
    stepper = chain({BOS: {A: 0.6, B: 0.4}, A: {B: 0.7, EOS: 0.3}, B: {EOS: 0.9, A: 0.1}})
    [result] = greedy_search(stepper, CONFIG)
    assert result.tokens == [A, B]
    assert result.finished
    assert result.log_probability == pytest.approx(math.log(0.6 * 0.7 * 0.9))
    assert result.score == pytest.approx(math.log(0.6 * 0.7 * 0.9) / 3)


def test_empty_translation_is_allowed():
    [result] = greedy_search(chain({BOS: {EOS: 0.8, A: 0.2}}), CONFIG)
    assert (result.tokens, result.finished) == ([], True)
    assert result.score == pytest.approx(math.log(0.8))


def test_stops_at_the_maximum_length_of_each_source():
    forever = {BOS: {A: 1.0}, A: {A: 0.5, B: 0.3, EOS: 0.2}}
    hypotheses = greedy_search(chain(forever, forever, forever, source_lengths=[3, 1, 2]), CONFIG)
    assert [hypothesis.tokens for hypothesis in hypotheses] == [[A] * 8, [A] * 4, [A] * 6]
    assert not any(hypothesis.finished for hypothesis in hypotheses)
    assert hypotheses[1].log_probability == pytest.approx(3 * math.log(0.5))


def test_completed_sentences_are_not_stepped_again():
    at_once, short = {BOS: {EOS: 1.0}}, {BOS: {A: 1.0}, A: {EOS: 1.0}}
    long = {BOS: {A: 1.0}, A: {B: 1.0}, B: {EOS: 1.0}}
    stepper = chain(short, at_once, long)
    assert [hypothesis.tokens for hypothesis in greedy_search(stepper, CONFIG)] == [[A], [], [A, B]]
    assert stepper.rows_stepped == [3, 2, 1]
    assert stepper.sentences_kept == [[0, 2], [1]]


def test_impossible_sentence_returns_no_tokens():
    dead_end, fine = {BOS: {A: 1.0}}, {BOS: {A: 1.0}, A: {EOS: 1.0}}
    stepper = chain(dead_end, fine)
    nothing, something = greedy_search(stepper, CONFIG)
    assert (nothing.tokens, nothing.score, nothing.finished) == ([], -math.inf, False)
    assert something.tokens == [A]
    assert stepper.rows_stepped == [2, 2]


@given(st.integers(0, 10_000), st.lists(st.integers(1, 4), min_size=1, max_size=6), st.randoms())
def test_result_does_not_depend_on_the_batch(seed, source_lengths, random):
    stepper = random_stepper(seed, source_lengths, impossible=0.3)
    order = random.sample(range(len(source_lengths)), len(source_lengths))
    together, reordered = greedy_search(stepper, CONFIG), greedy_search(sentence_of(stepper, order), CONFIG)
    assert reordered == [together[sentence] for sentence in order]
    for sentence, result in enumerate(together):
        assert greedy_search(sentence_of(stepper, [sentence]), CONFIG) == [result]
        if result.score > -math.inf:
            tokens = [*result.tokens, EOS] if result.finished else result.tokens
            assert result.log_probability == pytest.approx(log_probability(stepper, sentence, tokens), abs=1e-4)
