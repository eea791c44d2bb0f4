"""Forced decoding, against the table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markov import EOS, A, B, log_probability, random_stepper

from seq2seq.search import SearchConfig, beam_search, forced_decoding

targets = st.lists(st.lists(st.sampled_from([A, B]), max_size=5), min_size=1, max_size=5)


@given(st.integers(0, 1000), targets)
def test_every_piece_gets_what_the_table_says(seed, wanted):
    stepper = random_stepper(seed, [1] * len(wanted), impossible=0.2)
    for sentence, (target, parts) in enumerate(zip(wanted, forced_decoding(stepper, wanted), strict=True)):
        whole = [*target, EOS]
        assert len(parts) == len(whole)
        for length in range(1, len(whole) + 1):
            assert sum(parts[:length]) == pytest.approx(log_probability(stepper, sentence, whole[:length]), abs=1e-4)


def test_a_hypothesis_is_scored_as_its_search_scored_it_and_what_is_done_is_stepped_no_more():
    stepper = random_stepper(2, [1, 2, 3])
    found = [best for [best] in beam_search(stepper, SearchConfig(beam_size=3, max_length_ratio=4.0))]
    stepper.rows_stepped.clear()
    for one, parts in zip(found, forced_decoding(stepper, [one.tokens for one in found]), strict=True):
        assert sum(parts) == pytest.approx(one.log_probability, abs=1e-4)
    lengths = [len(one.tokens) + 1 for one in found]
    assert stepper.rows_stepped == [sum(length > place for length in lengths) for place in range(max(lengths))]
    assert forced_decoding(random_stepper(1, []), []) == []
