"""The tree of hypotheses that a search grew: what it weighed, went on with, finished and chose.

The search itself knows nothing of it. It asks a stepper, and what it asks tells which hypotheses it went on with; so
this works for any search over the `Stepper` protocol, and costs nothing where nobody looks.

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
NOTHING = -1
"""In place of a node: a row that only fills the beam."""


class Fate(StrEnum):
    """What became of a hypothesis."""

    pruned = "pruned"
    """Weighed and dropped."""
    kept = "kept"
    """Gone on with."""
    finished = "finished"
    """Ended by the end mark."""
    cut = "cut"
    """Returned without an end mark, at the maximum length."""


class Node(NamedTuple):
    """A hypothesis: its parent's pieces and one more."""

    step: int
    """Pieces so far; 0 for the root, which has the beginning mark alone."""
    parent: int
    """Number of the node it continues; -1 for the root."""
    piece: int
    log_probability: float
    """Sum over the pieces, in nats."""
    fate: Fate
    chosen: bool
    """Whether the best translation goes through it."""


class RecordedState(NamedTuple, Generic[State]):
    """The stepper's own state, and what the next step continues."""

    inner: State
    rows: tuple[int, ...]
    """The node of every row."""
    log_probability_NV: Tensor | None
    """Of the pieces after each; None before the first step."""


class TreeStepper(Generic[State]):
    """A `Stepper` of one sentence that answers as another does, and writes down what was asked.

    Args:
        stepper: the one that answers.
        width: candidates of a step that are written down, those gone on with apart; a beam weighs twice its size.

    Attributes:
        nodes: the tree so far, parents before children.
    """

    def __init__(self, stepper: Stepper[State], width: int) -> None:
        assert stepper.sentences == 1, "a tree is one sentence's"
        self.stepper = stepper
        self.width = width
        self.sentences, self.source_lengths = stepper.sentences, stepper.source_lengths
        self.bos, self.eos = stepper.bos, stepper.eos
        self.nodes = [Node(0, NOTHING, stepper.bos, 0.0, Fate.kept, False)]
        self._numbers: dict[tuple[int, int], int] = {}

    def start(self, beam_size: int) -> RecordedState[State]:
        """As the other, at the root."""
        return RecordedState(self.stepper.start(beam_size), (ROOT,) * beam_size, None)

    def step(self, tokens_N: Tensor, state: RecordedState[State]) -> tuple[Tensor, RecordedState[State]]:
        """As the other; what is stepped was kept."""
        rows = state.rows
        if state.log_probability_NV is not None:
            pieces = tokens_N.tolist()
            gained = state.log_probability_NV.gather(1, tokens_N[:, None]).squeeze(1).tolist()
            rows = tuple(self._node(*row, Fate.kept) for row in zip(rows, pieces, gained, strict=True))
        log_probability_NV, inner = self.stepper.step(tokens_N, state.inner)
        self._weigh(rows, log_probability_NV)
        return log_probability_NV, RecordedState(inner, rows, log_probability_NV)

    def select(self, state: RecordedState[State], rows_N: Tensor, sentences_B: Tensor | None) -> RecordedState[State]:
        """As the other."""
        asked = state.log_probability_NV
        return RecordedState(
            self.stepper.select(state.inner, rows_N, sentences_B),
            tuple(state.rows[row] for row in rows_N.tolist()),
            None if asked is None else asked.index_select(0, rows_N),
        )

    def tree(self, found: Sequence[Hypothesis]) -> tuple[Node, ...]:
        """The whole tree, once the search has returned these, best first."""
        nodes = list(self.nodes)
        for rank, one in enumerate(found):
            if one.log_probability == -math.inf:
                continue
            fate, path = Fate.finished if one.finished else Fate.cut, [ROOT]
            *before, last = [*one.tokens, *([self.eos] if one.finished else [])]
            for piece in before:
                path.append(self._numbers[path[-1], piece])
            path.append(self._numbers.get((path[-1], last), len(nodes)))
            if path[-1] == len(nodes):  # drawn, and not among the best candidates
                nodes.append(Node(len(path) - 1, path[-2], last, one.log_probability, fate, False))
            nodes[path[-1]] = nodes[path[-1]]._replace(fate=fate)
            for number in path if rank == 0 else ():
                nodes[number] = nodes[number]._replace(chosen=True)
        return tuple(nodes)

    def _node(self, parent: int, piece: int, gained: float, fate: Fate) -> int:
        """The number of a node, made where it is new; what was kept stays so."""
        if parent == NOTHING or gained == -math.inf:
            return NOTHING
        number = self._numbers.setdefault((parent, piece), len(self.nodes))
        if number == len(self.nodes):
            before = self.nodes[parent]
            self.nodes.append(Node(before.step + 1, parent, piece, before.log_probability + gained, fate, False))
        elif fate is Fate.kept:
            self.nodes[number] = self.nodes[number]._replace(fate=fate)
        return number

    def _weigh(self, rows: tuple[int, ...], log_probability_NV: Tensor) -> None:
        """Write down the best candidates of a step. Rows that are one hypothesis have its candidates once."""
        totals = [
            -math.inf if row == NOTHING or row in rows[:place] else self.nodes[row].log_probability
            for place, row in enumerate(rows)
        ]
        total_N1 = torch.tensor(totals, device=log_probability_NV.device)[:, None]
        sums = (log_probability_NV + total_N1).flatten()
        for place in sums.topk(min(self.width, sums.numel())).indices.tolist():
            row, piece = divmod(place, log_probability_NV.size(1))
            if sums[place] > -math.inf:
                self._node(rows[row], piece, float(log_probability_NV[row, piece]), Fate.pruned)


def grown(
    stepper: Stepper[State],
    search: Callable[[TreeStepper[State]], list[list[Hypothesis]]],
    width: int,
) -> tuple[list[Hypothesis], tuple[Node, ...]]:
    """Search one sentence, and see the tree that was grown.

    Args:
        stepper: the model, bound to the sentence.
        search: a search over it.
        width: candidates of each step to write down.

    Returns:
        what the search found, best first, and the tree: parents before children, the root first.
    """
    watched = TreeStepper(stepper, width)
    (found,) = search(watched)
    return found, watched.tree(found)
