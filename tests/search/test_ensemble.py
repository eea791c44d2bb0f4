"""Ensembles and fusion: scores match their definitions, and beam search finds the best."""

import math
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from markov import BOS, EOS, A, B, MarkovStepper, chain, every_path, log_probability, random_stepper, sentence_of

from seq2seq.errors import ConfigError
from seq2seq.search import Hypothesis, SearchConfig, beam_search, fusion, search
from seq2seq.search.ensemble import JointStepper, ensemble, mean_probability, weighted_sum

NEVER = -math.inf


def by_hand(steppers: list[MarkovStepper], path: tuple[int, ...], sentence: int) -> float:
    """Return the log-probability of a path under an ensemble, computed in Python numbers."""
    total = 0.0
    for end in range(len(path)):
        before, last, token = [BOS, BOS, *path][end : end + 3]
        mean = sum(math.exp(stepper.table_SVVV[sentence, before, last, token]) for stepper in steppers) / len(steppers)
        total += math.log(mean) if mean else NEVER
    return total


def config(beam_size: int, alpha: float = 1.0, longest: int = 4) -> SearchConfig:
    return SearchConfig(
        beam_size=beam_size, n_best=beam_size, length_penalty=alpha, max_length_ratio=0.0, max_length_offset=longest
    )


def every_ending(limit: int) -> list[tuple[int, ...]]:
    """Return all paths that end within ``limit`` tokens or are cut there."""
    even = MarkovStepper(torch.zeros(1, 4, 4, 4), [1])
    return list(every_path(even, 0, limit))


def check_ranking(actual: list[Hypothesis], scores: dict[tuple[int, ...], float]) -> None:
    """Assert that a wide beam found every possible path with its score, finished before unfinished, best first."""
    possible = {path: score for path, score in scores.items() if score > NEVER}
    if not possible:
        assert [hypothesis.score for hypothesis in actual] == [NEVER]
        return
    ideal = sorted(possible, key=lambda path: (path[-1] == EOS, possible[path]), reverse=True)
    assert {
        (*hypothesis.tokens, EOS) if hypothesis.finished else tuple(hypothesis.tokens) for hypothesis in actual
    } == set(possible)
    assert [hypothesis.finished for hypothesis in actual] == [path[-1] == EOS for path in ideal]
    assert [hypothesis.score for hypothesis in actual] == pytest.approx([possible[path] for path in ideal], abs=1e-4)


@given(st.integers(0, 10_000), st.integers(1, 4), st.sampled_from([0.0, 0.4, 0.8]), st.sampled_from([0.0, 0.6, 1.0]))
def test_ensemble_ranks_by_mean_probability(seed, members, impossible, alpha):
    steppers = [random_stepper(seed + place, [1, 1], impossible) for place in range(members)]
    for sentence, result in enumerate(beam_search(ensemble(steppers), config(128, alpha))):
        check_ranking(
            result, {path: by_hand(steppers, path, sentence) / len(path) ** alpha for path in every_ending(4)}
        )


@given(
    st.integers(0, 10_000),
    st.sampled_from([0.0, 0.2, 3.0]),
    st.sampled_from([0.0, 0.4, 0.8]),
    st.sampled_from([0.0, 1.0]),
)
def test_fusion_ranks_by_the_weighted_sum(seed, weight, impossible, alpha):
    translator, language_model = (random_stepper(seed + place, [1, 1], impossible) for place in range(2))
    for sentence, result in enumerate(beam_search(fusion(translator, language_model, weight), config(128, alpha))):
        scores = {}
        for path in every_ending(4):
            total = log_probability(translator, sentence, path)
            if weight:
                total += weight * log_probability(language_model, sentence, path)
            scores[path] = total / len(path) ** alpha
        check_ranking(result, scores)


def test_ensemble_chooses_by_mean_probability_not_by_one_member():
    first = {BOS: {A: 0.6, B: 0.4}, A: {EOS: 1.0}, B: {EOS: 1.0}}
    other = {BOS: {A: 0.1, B: 0.9}, A: {EOS: 1.0}, B: {EOS: 1.0}}
    [[best, second]] = beam_search(ensemble([chain(first), chain(other)]), config(2))
    assert (best.tokens, second.tokens) == ([B], [A])
    assert best.log_probability == pytest.approx(math.log(0.65))
    assert second.log_probability == pytest.approx(math.log(0.35))


def test_one_member_cannot_exclude_a_token_but_all_can():
    first = {BOS: {A: 1.0}, A: {EOS: 1.0}, B: {EOS: 1.0}}
    other = {BOS: {B: 1.0}, A: {EOS: 1.0}, B: {EOS: 1.0}}
    [result] = beam_search(ensemble([chain(first), chain(other)]), config(4))
    assert {tuple(hypothesis.tokens) for hypothesis in result} == {(A,), (B,)}
    assert [hypothesis.log_probability for hypothesis in result] == pytest.approx([math.log(0.5)] * 2)


def test_language_model_changes_the_choice_and_excludes_impossible_tokens():
    translator = {BOS: {A: 0.55, B: 0.45}, A: {EOS: 1.0}, B: {EOS: 1.0}}
    language = {BOS: {A: 0.1, B: 0.9}, A: {EOS: 1.0}, B: {EOS: 1.0}}
    for weight, tokens in {0.0: [A], 0.05: [A], 0.2: [B]}.items():
        [[best]] = search(fusion(chain(translator), chain(language), weight), SearchConfig(beam_size=1))
        assert best.tokens == tokens
    never = {BOS: {B: 1.0}, B: {EOS: 1.0}}
    [result] = beam_search(fusion(chain(translator), chain(never), 0.5), config(4))
    assert [hypothesis.tokens for hypothesis in result] == [[B]]
    [result] = beam_search(fusion(chain(translator), chain(never), 0.0), config(4))
    assert [hypothesis.tokens for hypothesis in result] == [[A], [B]]


def test_weight_zero_does_not_evaluate_the_language_model():
    translator, language_model = random_stepper(1, [1]), random_stepper(2, [1])
    assert fusion(translator, language_model, 0.0) is translator
    beam_search(fusion(translator, language_model, 0.0), config(3))
    assert language_model.rows_stepped == []


@pytest.mark.parametrize("weight", [-0.1, math.nan, math.inf])
def test_invalid_weight_raises_one_line(weight):
    with pytest.raises(ConfigError, match=r"^language_model_weight must be at least 0, got"):
        fusion(random_stepper(1, [1]), random_stepper(2, [1]), weight)


def test_ensemble_of_one_is_that_stepper():
    stepper = random_stepper(1, [1, 2])
    assert ensemble([stepper]) is stepper


@given(
    st.integers(0, 10_000),
    st.lists(st.integers(1, 5), min_size=1, max_size=5),
    st.sampled_from([1, 3]),
    st.sampled_from([0.0, 0.4]),
    st.randoms(),
)
def test_result_does_not_depend_on_the_batch(seed, source_lengths, beam_size, impossible, random):
    steppers = [random_stepper(seed + place, source_lengths, impossible) for place in range(3)]
    # With at most 4 tokens no two paths have the same transitions, so there are no ties.
    search_config = SearchConfig(beam_size=beam_size, n_best=beam_size, max_length_ratio=0.6, max_length_offset=1)

    def found(sentences: list[int]) -> list[list[Hypothesis]]:
        one, other, language_model = (sentence_of(stepper, sentences) for stepper in steppers)
        return search(fusion(ensemble([one, other]), language_model, 0.3), search_config)

    def check_same(some: list[list[Hypothesis]], others: list[list[Hypothesis]]) -> None:
        for several, expected in zip(some, others, strict=True):
            assert [(one.tokens, one.finished) for one in several] == [(one.tokens, one.finished) for one in expected]
            assert [one.score for one in several] == pytest.approx([one.score for one in expected], abs=1e-5)

    together = found([*range(len(source_lengths))])
    order = random.sample(range(len(source_lengths)), len(source_lengths))
    check_same(found(order), [together[sentence] for sentence in order])
    for sentence, several in enumerate(together):
        check_same(found([sentence]), [several])


def test_first_member_limits_the_length():
    forever = {BOS: {A: 1.0}, A: {A: 0.5, B: 0.5}, B: {A: 0.5, B: 0.5}}
    short, long = (chain(forever, source_lengths=[length]) for length in (2, 9))
    search_config = SearchConfig(beam_size=2, max_length_ratio=1.0, max_length_offset=1)
    assert [
        len(beam_search(ensemble(pair), search_config)[0][0].tokens) for pair in ([short, long], [long, short])
    ] == [3, 10]


def test_steppers_of_different_sentences_or_eos_are_rejected():
    class Renumbered(MarkovStepper):
        eos = A

    other = random_stepper(2, [1, 1])
    for stepper in (random_stepper(2, [1]), Renumbered(other.table_SVVV, [1, 1])):
        with pytest.raises(ConfigError, match="same sentences and tokens"):
            JointStepper([random_stepper(1, [1, 1]), stepper], mean_probability)


def test_very_improbable_tokens_are_not_excluded():
    unlikely = torch.tensor([[-200.0, NEVER, 0.0]])
    mean = mean_probability([unlikely, unlikely])
    torch.testing.assert_close(mean, unlikely)
    torch.testing.assert_close(mean_probability([unlikely, torch.full_like(unlikely, NEVER)]), unlikely - math.log(2))
    torch.testing.assert_close(
        partial(weighted_sum, weight=0.5)([unlikely, unlikely]), torch.tensor([[-300.0, NEVER, 0.0]])
    )


def test_members_tensors_are_not_modified():
    """A member's returned tensors may be shared, so they are not modified in place."""
    table = torch.randn(2, 4).log_softmax(1)
    before = table.clone()
    mean_probability([table, table])
    weighted_sum([table, table], 0.5)
    assert torch.equal(table, before)
