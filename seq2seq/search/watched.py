"""A search that is watched from outside: whoever asked for it may end it before any of its steps."""

from collections.abc import Callable
from typing import Generic

from torch import Tensor

from seq2seq.search.stepper import State, Stepper


class WatchedStepper(Generic[State]):
    """A `Stepper` that calls a function before each step, and else is the other.

    Every way of searching asks a stepper at each step, so every way of searching is watched.

    Args:
        stepper: the one that answers.
        on_step: called without arguments; what it raises ends the search.
    """

    def __init__(self, stepper: Stepper[State], on_step: Callable[[], None]) -> None:
        self.stepper, self.on_step = stepper, on_step
        self.sentences, self.source_lengths = stepper.sentences, stepper.source_lengths
        self.bos, self.eos = stepper.bos, stepper.eos

    def start(self, beam_size: int) -> State:
        """As the other."""
        return self.stepper.start(beam_size)

    def step(self, tokens_N: Tensor, state: State) -> tuple[Tensor, State]:
        """As the other, if it may."""
        self.on_step()
        return self.stepper.step(tokens_N, state)

    def select(self, state: State, rows_N: Tensor, sentences_B: Tensor | None) -> State:
        """As the other."""
        return self.stepper.select(state, rows_N, sentences_B)
