"""Beam search."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markov import (
    BOS,
    EOS,
    A,
    B,
    MarkovStepper,
    chain,
    every_path,
    log_probability,
    random_stepper,
    sentence_of,
)

from seq2seq.errors import ConfigError
from seq2seq.search import Hypothesis, SearchConfig, beam_search, greedy_search, search
from seq2seq.settings import validate

# Greedy search takes A, after which all tokens are improbable; B is less probable, but its continuation is certain.
TRAP = {BOS: {A: 0.6, B: 0.4}, A: {A: 0.4, B: 0.3, EOS: 0.3}, B: {EOS: 1.0}}


def config(beam_size: int, n_best: int = 1, length_penalty: float = 1.0, longest: int = 4) -> SearchConfig:
    """At most ``longest`` tokens for any source."""
    return SearchConfig(
        beam_size=beam_size,
        n_best=n_best,
        length_penalty=length_penalty,
        max_length_ratio=0.0,
        max_length_offset=longest,
    )


def tokens_of(hypothesis: Hypothesis) -> list[int]:
    return [*hypothesis.tokens, EOS] if hypothesis.finished else hypothesis.tokens


def test_beam_finds_better_than_the_greedy_first_token():
    [[best]] = beam_search(chain(TRAP), config(2))
    assert best.tokens == [B]
    assert best.log_probability == pytest.approx(math.log(0.4))
    assert best.score == pytest.approx(math.log(0.4) / 2)
    assert greedy_search(chain(TRAP), config(1))[0].tokens != [B]


def test_n_best_hypotheses_are_distinct_and_sorted():
    [result] = beam_search(chain(TRAP), config(4, n_best=3, length_penalty=0.0))
    assert [hypothesis.tokens for hypothesis in result] in ([[B], [A, B], [A]], [[B], [A], [A, B]])
    assert [hypothesis.log_probability for hypothesis in result] == pytest.approx(
        [math.log(p) for p in (0.4, 0.18, 0.18)]
    )


def test_length_penalty_decides_between_short_and_long():
    table = {BOS: {EOS: 0.3, A: 0.7}, A: {B: 0.6, EOS: 0.4}, B: {EOS: 0.6, B: 0.4}}
    by_sum, by_mean = (beam_search(chain(table), config(3, length_penalty=alpha))[0][0] for alpha in (0.0, 1.0))
    assert by_sum.tokens == []  # 0.3 compared with 0.28 and 0.252
    assert by_mean.tokens == [A, B]  # the cube root of 0.252 is 0.63


def test_maximum_length_depends_on_the_sentences_own_source():
    forever = {BOS: {A: 1.0}, A: {A: 0.6, B: 0.4}, B: {B: 0.9, A: 0.1}}
    settings = SearchConfig(beam_size=3, n_best=2, max_length_ratio=1.5, max_length_offset=1)
    hypotheses = beam_search(chain(forever, forever, source_lengths=[2, 4]), settings)
    assert [[len(hypothesis.tokens) for hypothesis in several] for several in hypotheses] == [[4, 4], [7, 7]]
    assert not any(hypothesis.finished for several in hypotheses for hypothesis in several)


def test_unfinished_hypotheses_only_fill_up_n_best():
    table = {BOS: {A: 1.0}, A: {A: 0.9, EOS: 0.1}}
    [alone] = beam_search(chain(table), config(4, n_best=1))
    assert alone[0].finished
    [several] = beam_search(chain(table), config(4, n_best=4))
    assert [(hypothesis.tokens, hypothesis.finished) for hypothesis in several] == [
        ([A, A, A], True),
        ([A, A], True),
        ([A], True),
        ([A] * 4, False),
    ]
    assert several[3].score > several[0].score  # although it ranks last


def test_completed_sentences_are_not_stepped_again():
    short = {BOS: {A: 0.5, B: 0.5}, A: {EOS: 1.0}, B: {EOS: 1.0}}
    long = {BOS: {A: 1.0}, A: {A: 0.6, B: 0.4}, B: {A: 1.0}}
    stepper = chain(long, short, long)
    hypotheses = beam_search(stepper, config(2, longest=4))
    assert [len(one.tokens) for [one] in hypotheses] == [4, 1, 4]
    assert stepper.rows_stepped == [3, 6, 4, 4]  # one row per sentence in the first step
    assert stepper.sentences_kept == [None, [0, 2], None]


def test_padding_and_nan_are_not_returned_when_few_tokens_are_possible():
    dead_end, single = {BOS: {A: 1.0}}, {BOS: {A: 1.0}, A: {EOS: 1.0}}
    stepper = chain(dead_end, single)
    nothing, one_only = beam_search(stepper, config(4, n_best=3))
    assert nothing == [Hypothesis([], -math.inf, -math.inf, False)]
    assert one_only == [Hypothesis([A], 0.0, 0.0, True)]
    assert stepper.rows_stepped == [2, 8]


def plain_beam(stepper: MarkovStepper, sentence: int, beam_size: int, limit: int) -> set[tuple[int, ...]]:
    """Return the finished paths by the plain rule, one sentence and one hypothesis at a time."""
    live: list[tuple[int, ...]] = [()]
    finished: set[tuple[int, ...]] = set()
    for _ in range(limit):
        longer = {
            (*path, token): log_probability(stepper, sentence, (*path, token)) for path in live for token in range(4)
        }
        ranked = sorted((path for path in longer if longer[path] > -math.inf), key=longer.__getitem__, reverse=True)
        finished |= {path for path in ranked[:beam_size] if path[-1] == EOS}
        live = [path for path in ranked if path[-1] != EOS][:beam_size]
        if len(finished) >= beam_size:
            break
    return finished


@given(st.integers(0, 10_000), st.integers(1, 5), st.sampled_from([0.0, 0.3, 0.6]))
def test_narrow_beam_matches_a_plain_implementation(seed, beam_size, impossible):
    stepper = random_stepper(seed, [1, 1, 1], impossible)
    for sentence, result in enumerate(beam_search(stepper, config(beam_size, n_best=beam_size, longest=6))):
        plain = plain_beam(stepper, sentence, beam_size, limit=6)
        # Compared by score, because paths with the same transitions in another order tie.
        best = sorted((log_probability(stepper, sentence, path) / len(path) for path in plain), reverse=True)
        assert [hypothesis.score for hypothesis in result if hypothesis.finished] == pytest.approx(
            best[:beam_size], abs=1e-4
        )


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.4, 0.8]), st.sampled_from([0.0, 0.6, 1.0]))
def test_wide_beam_finds_the_exact_n_best_list(seed, impossible, alpha):
    stepper, limit = random_stepper(seed, [1, 1], impossible), 4
    for sentence, result in enumerate(
        beam_search(stepper, config(128, n_best=128, length_penalty=alpha, longest=limit))
    ):
        paths = every_path(stepper, sentence, limit)
        if not paths:
            assert [hypothesis.score for hypothesis in result] == [-math.inf]
            continue
        scores = {path: total / len(path) ** alpha for path, total in paths.items()}
        ideal = sorted(scores, key=lambda path: (path[-1] == EOS, scores[path]), reverse=True)
        assert {tuple(tokens_of(hypothesis)) for hypothesis in result} == set(paths)
        assert [hypothesis.finished for hypothesis in result] == [path[-1] == EOS for path in ideal]
        assert [hypothesis.score for hypothesis in result] == pytest.approx([scores[path] for path in ideal], abs=1e-4)


@given(
    st.integers(0, 10_000),
    st.lists(st.integers(1, 5), min_size=1, max_size=6),
    st.integers(1, 6),
    st.sampled_from([0.0, 0.3, 0.6]),
    st.randoms(),
)
def test_result_does_not_depend_on_the_batch(seed, source_lengths, beam_size, impossible, random):
    stepper = random_stepper(seed, source_lengths, impossible)
    settings = SearchConfig(beam_size=beam_size, n_best=beam_size, max_length_ratio=1.5, max_length_offset=1)
    order = random.sample(range(len(source_lengths)), len(source_lengths))
    together = beam_search(stepper, settings)
    assert beam_search(sentence_of(stepper, order), settings) == [together[sentence] for sentence in order]
    for sentence, result in enumerate(together):
        assert beam_search(sentence_of(stepper, [sentence]), settings) == [result]


@given(st.integers(0, 10_000), st.integers(1, 6), st.sampled_from([0.0, 0.3]), st.sampled_from([0.0, 1.0]))
def test_scores_match_the_model_and_smaller_n_best_is_a_prefix(seed, beam_size, impossible, alpha):
    stepper = random_stepper(seed, [1, 1, 1], impossible)
    hypotheses = beam_search(stepper, config(beam_size, n_best=beam_size, length_penalty=alpha))
    for sentence, several in enumerate(hypotheses):
        assert len({(tuple(one.tokens), one.finished) for one in several}) == len(several)
        assert several == sorted(several, key=lambda one: (one.finished, one.score), reverse=True)
        for one in several:
            if one.score > -math.inf:
                total = log_probability(stepper, sentence, tokens_of(one))
                assert one.log_probability == pytest.approx(total, abs=1e-4)
                assert one.score == pytest.approx(total / len(tokens_of(one)) ** alpha, abs=1e-4)
        if not impossible:
            assert len(several) == beam_size
    fewer = beam_search(stepper, config(beam_size, n_best=1, length_penalty=alpha))
    assert fewer == [several[:1] for several in hypotheses]


@given(st.integers(0, 10_000), st.lists(st.integers(1, 5), min_size=1, max_size=5), st.sampled_from([0.0, 0.5]))
def test_beam_of_one_equals_greedy_search(seed, source_lengths, impossible):
    stepper = random_stepper(seed, source_lengths, impossible)
    settings = SearchConfig(beam_size=1, max_length_offset=1)
    assert (
        beam_search(stepper, settings)
        == [[hypothesis] for hypothesis in greedy_search(stepper, settings)]
        == search(stepper, settings)
    )


def test_search_dispatches_to_beam_search():
    assert search(chain(TRAP), config(2)) == beam_search(chain(TRAP), config(2))


def test_low_precision_log_probabilities_are_summed_in_float32():
    table_SVVV = random_stepper(3, [1]).table_SVVV
    [[low]] = beam_search(MarkovStepper(table_SVVV.bfloat16(), [1]), config(3, longest=40))
    exact = log_probability(MarkovStepper(table_SVVV.bfloat16().float(), [1]), 0, tokens_of(low))
    assert low.log_probability == pytest.approx(exact, abs=1e-4)


def test_settings_out_of_range_raise():
    with pytest.raises(ConfigError, match=r"search\.n_best must be at most search\.beam_size = 2, got 3"):
        beam_search(chain(TRAP), config(2, n_best=3))
    with pytest.raises(ConfigError, match=r"beam_size must be in \[1, 10000\], got 0"):
        validate(SearchConfig(beam_size=0))
