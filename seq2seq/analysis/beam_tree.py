"""The tree of hypotheses that a search explores.

The tree is reconstructed from the calls that the search makes to its stepper: a hypothesis was kept if the search
steps it. So this works for any search over the `Stepper` protocol, and costs nothing when it is not used.

N rows of one sentence, V vocabulary.
"""

import math
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Generic, NamedTuple

import torch
from torch import Tensor

from seq2seq.search import Hypothesis, Stepper
from seq2seq.search.stepper import State

ROOT = 0
NO_NODE = -1
"""Stands for a row that only fills the beam."""


class Outcome(StrEnum):
    """Outcome of a hypothesis."""

    pruned = "pruned"
    """It was a candidate, and the search dropped it."""
    kept = "kept"
    """The search extended it."""
    finished = "finished"
    """It ended with EOS."""
    cut = "cut"
    """It was returned without EOS, at the maximum length."""


class Node(NamedTuple):
    """A hypothesis: the tokens of its parent and one more."""

    step: int
    """Number of tokens; 0 for the root, which is BOS alone."""
    parent: int
    """Number of the parent node; -1 for the root."""
    token: int
    log_probability: float
    """Sum over the tokens, in nats."""
    outcome: Outcome
    chosen: bool
    """Whether the best translation passes through this node."""


class RecordedState(NamedTuple, Generic[State]):
    """The state of the wrapped stepper, and the nodes that its next step extends."""

    inner: State
    rows: tuple[int, ...]
    """The node of every row."""
    log_probability_NV: Tensor | None
    """Log-probabilities of the next tokens; None before the first step."""


class TreeStepper(Generic[State]):
    """Wrap a `Stepper` of one sentence: return its results and record the tree.

    Args:
        stepper: the wrapped stepper.
        width: pruned candidates recorded at each step; a beam search considers twice its size.

    Attributes:
        nodes: the tree so far, parents before children.
    """

    def __init__(self, stepper: Stepper[State], width: int) -> None:
        assert stepper.sentences == 1, "a tree belongs to one sentence"
        self.stepper = stepper
        self.width = width
        self.sentences, self.source_lengths = stepper.sentences, stepper.source_lengths
        self.bos, self.eos = stepper.bos, stepper.eos
        self.nodes = [Node(0, NO_NODE, stepper.bos, 0.0, Outcome.kept, False)]
        self._numbers: dict[tuple[int, int], int] = {}

    def start(self, beam_size: int) -> RecordedState[State]:
        """Start the wrapped stepper, with every row at the root."""
        return RecordedState(self.stepper.start(beam_size), (ROOT,) * beam_size, None)

    def step(self, tokens_N: Tensor, state: RecordedState[State]) -> tuple[Tensor, RecordedState[State]]:
        """Step the wrapped stepper; record the stepped hypotheses as kept."""
        rows = state.rows
        if state.log_probability_NV is not None:
            tokens = tokens_N.tolist()
            values = state.log_probability_NV.gather(1, tokens_N[:, None]).squeeze(1).tolist()
            rows = tuple(self._node(*row, Outcome.kept) for row in zip(rows, tokens, values, strict=True))
        log_probability_NV, inner = self.stepper.step(tokens_N, state.inner)
        self._add_candidates(rows, log_probability_NV)
        return log_probability_NV, RecordedState(inner, rows, log_probability_NV)

    def select(self, state: RecordedState[State], rows_N: Tensor, sentences_B: Tensor | None) -> RecordedState[State]:
        """Select rows of the wrapped stepper and their nodes."""
        log_probability_NV = state.log_probability_NV
        return RecordedState(
            self.stepper.select(state.inner, rows_N, sentences_B),
            tuple(state.rows[row] for row in rows_N.tolist()),
            None if log_probability_NV is None else log_probability_NV.index_select(0, rows_N),
        )

    def tree(self, hypotheses: Sequence[Hypothesis]) -> tuple[Node, ...]:
        """Return the whole tree, given what the search has returned, best first."""
        nodes = list(self.nodes)
        for rank, hypothesis in enumerate(hypotheses):
            if hypothesis.log_probability == -math.inf:
                continue
            outcome, path = Outcome.finished if hypothesis.finished else Outcome.cut, [ROOT]
            *before, last = [*hypothesis.tokens, *([self.eos] if hypothesis.finished else [])]
            for token in before:
                path.append(self._numbers[path[-1], token])
            path.append(self._numbers.get((path[-1], last), len(nodes)))
            if path[-1] == len(nodes):  # sampled, and not among the best candidates
                nodes.append(Node(len(path) - 1, path[-2], last, hypothesis.log_probability, outcome, False))
            nodes[path[-1]] = nodes[path[-1]]._replace(outcome=outcome)
            for number in path if rank == 0 else ():
                nodes[number] = nodes[number]._replace(chosen=True)
        return tuple(nodes)

    def _node(self, parent: int, token: int, log_probability: float, outcome: Outcome) -> int:
        """Return the number of a node; add the node if it is new. A kept node stays kept."""
        if parent == NO_NODE or log_probability == -math.inf:
            return NO_NODE
        number = self._numbers.setdefault((parent, token), len(self.nodes))
        if number == len(self.nodes):
            before = self.nodes[parent]
            total = before.log_probability + log_probability
            self.nodes.append(Node(before.step + 1, parent, token, total, outcome, False))
        elif outcome is Outcome.kept:
            self.nodes[number] = self.nodes[number]._replace(outcome=outcome)
        return number

    def _add_candidates(self, rows: tuple[int, ...], log_probability_NV: Tensor) -> None:
        """Record the best candidates of a step. Rows with the same hypothesis count once."""
        totals = [
            -math.inf if node == NO_NODE or node in rows[:row] else self.nodes[node].log_probability
            for row, node in enumerate(rows)
        ]
        total_N1 = torch.tensor(totals, device=log_probability_NV.device)[:, None]
        sums = (log_probability_NV + total_N1).flatten()
        for index in sums.topk(min(self.width, sums.numel())).indices.tolist():
            row, token = divmod(index, log_probability_NV.size(1))
            if sums[index] > -math.inf:
                self._node(rows[row], token, float(log_probability_NV[row, token]), Outcome.pruned)


def search_with_tree(
    stepper: Stepper[State],
    search: Callable[[TreeStepper[State]], list[list[Hypothesis]]],
    width: int,
) -> tuple[list[Hypothesis], tuple[Node, ...]]:
    """Search one sentence and record the tree.

    Args:
        stepper: the model, bound to the sentence.
        search: runs a search over a stepper.
        width: pruned candidates recorded at each step.

    Returns:
        The hypotheses, best first, and the tree: the root first, parents before children.
    """
    recorder = TreeStepper(stepper, width)
    (hypotheses,) = search(recorder)
    return hypotheses, recorder.tree(hypotheses)
