"""Recording the beam tree does not change the search, and the tree contains exactly its hypotheses."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from markov import BOS, EOS, A, B, chain, log_probability, random_stepper

from seq2seq.analysis.beam_tree import Outcome, search_with_tree
from seq2seq.search import Hypothesis, SearchConfig, beam_search, search

SETTINGS = SearchConfig(beam_size=2, n_best=2, length_penalty=1.0, max_length_ratio=0, max_length_offset=3)


def path(nodes, number):
    """Return the tokens from the root to a node."""
    tokens = []
    while number:
        tokens.append(nodes[number].token)
        number = nodes[number].parent
    return tokens[::-1]


def test_a_small_tree_by_hand():
    """A beam of two keeps A and B, which both end at the next step, and prunes the rest."""
    stepper = chain({BOS: {A: 0.6, B: 0.3, EOS: 0.1}, A: {A: 0.3, EOS: 0.7}, B: {EOS: 0.9, B: 0.1}})
    hypotheses, nodes = search_with_tree(stepper, lambda recorder: beam_search(recorder, SETTINGS), width=4)
    assert [hypothesis.tokens for hypothesis in hypotheses] == [[A], [B]]
    by_path = {tuple(path(nodes, number)): node for number, node in enumerate(nodes)}
    assert by_path[()].outcome is Outcome.kept
    assert by_path[(A,)].outcome is by_path[(B,)].outcome is Outcome.kept
    assert by_path[(EOS,)].outcome is Outcome.pruned
    assert by_path[(B, EOS)].outcome is by_path[(A, EOS)].outcome is Outcome.finished
    assert [tokens for tokens, node in by_path.items() if node.chosen] == [(), (A,), (A, EOS)]
    assert by_path[(B, EOS)].log_probability == pytest.approx(math.log(0.3 * 0.9))
    assert by_path[(A, A)].log_probability == pytest.approx(math.log(0.18))
    assert [node.step for node in nodes] == [len(path(nodes, number)) for number in range(len(nodes))]


@given(st.integers(0, 999), st.integers(1, 4), st.integers(1, 5), st.sampled_from([0.0, 0.4]))
def test_recording_changes_nothing_and_misses_nothing(seed, beam_size, limit, impossible):
    config = SearchConfig(
        beam_size=beam_size, n_best=beam_size, max_length_ratio=0, max_length_offset=limit, length_penalty=0.5
    )
    stepper = random_stepper(seed, [3], impossible)
    (expected,) = search(stepper, config)
    hypotheses, nodes = search_with_tree(stepper, lambda recorder: search(recorder, config), width=2 * beam_size)
    assert hypotheses == expected
    paths = {tuple(path(nodes, number)): node for number, node in enumerate(nodes)}
    assert len(paths) == len(nodes), "a hypothesis occurs once in a tree"
    for tokens, node in paths.items():
        assert node.log_probability == pytest.approx(log_probability(stepper, 0, tokens), abs=1e-5)
        assert node.parent < len(nodes)
        assert nodes[node.parent].step == node.step - 1 or node.step == 0
    ended = {tokens for tokens, node in paths.items() if node.outcome in (Outcome.finished, Outcome.cut)}
    returned = [hypothesis for hypothesis in hypotheses if hypothesis.log_probability > -math.inf]
    assert ended == {(*actual.tokens, *([EOS] if actual.finished else [])) for actual in returned}
    chosen = sorted((tokens for tokens, node in paths.items() if node.chosen), key=len)
    if returned:
        assert chosen == [chosen[-1][:length] for length in range(len(chosen[-1]) + 1)]
        assert chosen[-1] == (*hypotheses[0].tokens, *([EOS] if hypotheses[0].finished else []))
    kept = [sum(node.outcome is Outcome.kept and node.step == step for node in nodes) for step in range(1, limit + 1)]
    assert max(kept) <= beam_size


def test_rows_with_the_same_hypothesis_share_a_node():
    """In sampling, several rows may draw the same tokens."""
    stepper = chain({BOS: {A: 1.0}, A: {EOS: 0.5, A: 0.5}})

    def sample(recorder):
        state = recorder.start(3)
        _, state = recorder.step(torch.tensor([BOS] * 3), state)
        _, state = recorder.step(torch.tensor([A] * 3), state)
        return [[]]

    _, nodes = search_with_tree(stepper, sample, width=6)
    outcomes = {tuple(path(nodes, number)): node.outcome for number, node in enumerate(nodes)}
    assert len(outcomes) == len(nodes) == 4
    assert outcomes == {(): Outcome.kept, (A,): Outcome.kept, (A, EOS): Outcome.pruned, (A, A): Outcome.pruned}


def test_a_returned_hypothesis_is_in_the_tree_even_if_it_was_not_a_candidate():
    stepper = chain({BOS: {A: 0.8, B: 0.15, EOS: 0.05}})
    unlikely = Hypothesis([], math.log(0.05), math.log(0.05), finished=True)

    def sample(recorder):
        recorder.step(torch.tensor([BOS]), recorder.start(1))
        return [[unlikely]]

    _, nodes = search_with_tree(stepper, sample, width=1)
    assert [(node.token, node.outcome, node.chosen) for node in nodes] == [
        (BOS, Outcome.kept, True),
        (A, Outcome.pruned, False),
        (EOS, Outcome.finished, True),
    ]
