"""Streaming of beam search."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markov import EOS, A, B, chain, random_stepper

from seq2seq.errors import ConfigError
from seq2seq.search import Method, SearchConfig, search, stream_beam_search
from seq2seq.search.streaming import common_prefix


@given(st.integers(0, 10_000), st.integers(1, 5), st.sampled_from([0.0, 0.3]))
def test_partial_results_grow_into_the_search_result(seed, beam_size, impossible):
    stepper = random_stepper(seed, [1], impossible)
    config = SearchConfig(beam_size=beam_size, max_length_ratio=0.0, max_length_offset=6)
    *partial, last = list(stream_beam_search(stepper, config))
    [[expected]] = search(stepper, config)
    assert last.result is not None
    assert last.tokens == last.result.tokens
    assert last.result.score == pytest.approx(expected.score, abs=1e-5)
    lengths = [len(part.tokens) for part in partial]
    assert lengths == sorted(set(lengths))
    for part in partial:
        assert part.result is None
        if expected.score > -math.inf:
            assert last.tokens[: len(part.tokens)] == part.tokens
    if beam_size == 1 and not impossible:
        assert lengths == list(range(1, len(last.tokens) + 1)), "greedy search fixes each token immediately"


def test_beam_fixes_the_common_prefix():
    table = {0: {A: 1.0}, A: {A: 0.6, B: 0.4}, B: {EOS: 1.0}}
    result = list(
        stream_beam_search(chain(table), SearchConfig(beam_size=2, max_length_ratio=0.0, max_length_offset=3))
    )
    assert [hypothesis.tokens for hypothesis in result[:1]] == [[A]]
    assert result[-1].result is not None


def test_streaming_rejects_other_methods_and_several_sentences():
    with pytest.raises(ConfigError, match=r"search.method=sampling cannot be streamed"):
        next(stream_beam_search(random_stepper(1, [1]), SearchConfig(method=Method.sampling)))
    with pytest.raises(ConfigError, match="one sentence at a time can be streamed, got 2"):
        next(stream_beam_search(random_stepper(1, [1, 1]), SearchConfig()))


def test_common_prefix():
    assert common_prefix([[1, 2, 3], [1, 2], [1, 2, 4]]) == [1, 2]
    assert common_prefix([]) == common_prefix([[1], [2]]) == []
