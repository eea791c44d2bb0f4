"""Forced decoding, compared with the table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markov import EOS, A, B, log_probability, random_stepper

from seq2seq.search import SearchConfig, beam_search, forced_decoding

targets = st.lists(st.lists(st.sampled_from([A, B]), max_size=5), min_size=1, max_size=5)


@given(st.integers(0, 1000), targets)
def test_forced_decoding_matches_the_table(seed, outputs):
    stepper = random_stepper(seed, [1] * len(outputs), impossible=0.2)
    for sentence, (target, parts) in enumerate(zip(outputs, forced_decoding(stepper, outputs), strict=True)):
        whole = [*target, EOS]
        assert len(parts) == len(whole)
        for length in range(1, len(whole) + 1):
            assert sum(parts[:length]) == pytest.approx(log_probability(stepper, sentence, whole[:length]), abs=1e-4)


def test_forced_decoding_matches_the_search_and_drops_completed_sentences():
    stepper = random_stepper(2, [1, 2, 3])
    result = [best for [best] in beam_search(stepper, SearchConfig(beam_size=3, max_length_ratio=4.0))]
    stepper.rows_stepped.clear()
    for one, parts in zip(result, forced_decoding(stepper, [one.tokens for one in result]), strict=True):
        assert sum(parts) == pytest.approx(one.log_probability, abs=1e-4)
    lengths = [len(one.tokens) + 1 for one in result]
    assert stepper.rows_stepped == [sum(length > place for length in lengths) for place in range(max(lengths))]
    assert forced_decoding(random_stepper(1, []), []) == []
