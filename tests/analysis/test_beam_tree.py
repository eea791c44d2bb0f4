"""The tree of a search: the search is the same with a watcher, and the tree holds exactly what it did."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from markov import BOS, EOS, A, B, chain, log_probability, random_stepper

from seq2seq.analysis.beam_tree import Fate, grown
from seq2seq.search import Hypothesis, SearchConfig, beam_search, search

SETTINGS = SearchConfig(beam_size=2, n_best=2, length_penalty=1.0, max_length_ratio=0, max_length_offset=3)


def path(nodes, number):
    """Pieces from the root to a node."""
    pieces = []
    while number:
        pieces.append(nodes[number].piece)
        number = nodes[number].parent
    return pieces[::-1]


def test_a_tree_one_can_draw():
    """The beam of two goes on with A and B, of which both end at once, and prunes what is behind."""
    stepper = chain({BOS: {A: 0.6, B: 0.3, EOS: 0.1}, A: {A: 0.3, EOS: 0.7}, B: {EOS: 0.9, B: 0.1}})
    found, nodes = grown(stepper, lambda watched: beam_search(watched, SETTINGS), width=4)
    assert [one.tokens for one in found] == [[A], [B]]
    told = {tuple(path(nodes, number)): node for number, node in enumerate(nodes)}
    assert told[()].fate is Fate.kept
    assert told[(A,)].fate is told[(B,)].fate is Fate.kept
    assert told[(EOS,)].fate is Fate.pruned
    assert told[(B, EOS)].fate is told[(A, EOS)].fate is Fate.finished
    assert [pieces for pieces, node in told.items() if node.chosen] == [(), (A,), (A, EOS)]
    assert told[(B, EOS)].log_probability == pytest.approx(math.log(0.3 * 0.9))
    assert told[(A, A)].log_probability == pytest.approx(math.log(0.18))
    assert [node.step for node in nodes] == [len(path(nodes, number)) for number in range(len(nodes))]


@given(st.integers(0, 999), st.integers(1, 4), st.integers(1, 5), st.sampled_from([0.0, 0.4]))
def test_watching_changes_nothing_and_misses_nothing(seed, beam_size, limit, impossible):
    config = SearchConfig(
        beam_size=beam_size, n_best=beam_size, max_length_ratio=0, max_length_offset=limit, length_penalty=0.5
    )
    stepper = random_stepper(seed, [3], impossible)
    (plain,) = search(stepper, config)
    found, nodes = grown(stepper, lambda watched: search(watched, config), width=2 * beam_size)
    assert found == plain
    paths = {tuple(path(nodes, number)): node for number, node in enumerate(nodes)}
    assert len(paths) == len(nodes), "no hypothesis stands twice in a tree"
    for pieces, node in paths.items():
        assert node.log_probability == pytest.approx(log_probability(stepper, 0, pieces), abs=1e-5)
        assert node.parent < len(nodes)
        assert nodes[node.parent].step == node.step - 1 or node.step == 0
    ended = {pieces for pieces, node in paths.items() if node.fate in (Fate.finished, Fate.cut)}
    real = [one for one in found if one.log_probability > -math.inf]
    assert ended == {(*one.tokens, *([EOS] if one.finished else [])) for one in real}
    chosen = sorted((pieces for pieces, node in paths.items() if node.chosen), key=len)
    if real:
        assert chosen == [chosen[-1][:length] for length in range(len(chosen[-1]) + 1)]
        assert chosen[-1] == (*found[0].tokens, *([EOS] if found[0].finished else []))
    most = [sum(node.fate is Fate.kept and node.step == step for node in nodes) for step in range(1, limit + 1)]
    assert max(most) <= beam_size


def test_rows_that_are_the_same_hypothesis_are_one_node():
    """As in sampling, where several rows may draw the same pieces."""
    stepper = chain({BOS: {A: 1.0}, A: {EOS: 0.5, A: 0.5}})

    def draws(watched):
        state = watched.start(3)
        _, state = watched.step(torch.tensor([BOS] * 3), state)
        _, state = watched.step(torch.tensor([A] * 3), state)
        return [[]]

    _, nodes = grown(stepper, draws, width=6)
    told = {tuple(path(nodes, number)): node.fate for number, node in enumerate(nodes)}
    assert len(told) == len(nodes) == 4
    assert told == {(): Fate.kept, (A,): Fate.kept, (A, EOS): Fate.pruned, (A, A): Fate.pruned}


def test_what_a_search_returns_is_in_the_tree_though_it_was_no_candidate():
    stepper = chain({BOS: {A: 0.8, B: 0.15, EOS: 0.05}})
    unlikely = Hypothesis([], math.log(0.05), math.log(0.05), finished=True)

    def draws(watched):
        watched.step(torch.tensor([BOS]), watched.start(1))
        return [[unlikely]]

    _, nodes = grown(stepper, draws, width=1)
    assert [(node.piece, node.fate, node.chosen) for node in nodes] == [
        (BOS, Fate.kept, True),
        (A, Fate.pruned, False),
        (EOS, Fate.finished, True),
    ]
