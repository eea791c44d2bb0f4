"""The picture of a tree: steps to the right, the likelier above."""

import pytest
from test_pictures import size
from test_trace import small_trace

from seq2seq.analysis.beam_tree import Fate, Node
from seq2seq.analysis.beam_tree_picture import layout, tree_picture


def test_a_node_stands_at_its_step_and_its_rank():
    tree = (
        Node(0, -1, 1, 0.0, Fate.kept, True),
        Node(1, 0, 4, -3.0, Fate.pruned, False),
        Node(1, 0, 5, -1.0, Fate.kept, True),
        Node(2, 2, 2, -2.0, Fate.cut, True),
    )
    assert layout(tree) == {0: (0, 0), 2: (1, 0), 1: (1, 1), 3: (2, 0)}


def test_long_searches_are_shown_as_far_as_there_is_room(monkeypatch):
    monkeypatch.setattr("seq2seq.analysis.beam_tree_picture.STEPS", 5)
    nodes = [Node(0, -1, 1, 0.0, Fate.kept, False)]
    nodes += [Node(step, step - 1, 4, -float(step), Fate.kept, False) for step in range(1, 9)]
    assert max(step for step, _ in layout(tuple(nodes)).values()) == 5
    trace = small_trace(tree=tuple(nodes), tree_pieces=("a",) * len(nodes))
    assert size(tree_picture(trace))[0] > size(tree_picture(small_trace()))[0]
    with pytest.raises(ValueError, match="no tree"):
        tree_picture(small_trace(tree=(), tree_pieces=()))
