"""The interface between a search and a model.

Shapes: B sentences still in the batch, K beam size, N = B * K rows (row n belongs to sentence n // K), V vocabulary.
"""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from torch import Tensor

State = TypeVar("State")


class Stepper(Protocol[State]):
    """A model bound to a batch of encoded sentences; it scores the next token of N hypotheses at a time.

    Implementations are a single network, an ensemble, and wrappers that mask tokens. The state is opaque to the
    search. Rows must not influence one another, so that a translation never depends on its batch.
    """

    @property
    def bos(self) -> int:
        """Id of the token that begins every hypothesis."""

    @property
    def eos(self) -> int:
        """Id of the token that ends a hypothesis."""

    @property
    def sentences(self) -> int:
        """Number of sentences in the batch at the start."""

    @property
    def source_lengths(self) -> Tensor:
        """Number of source tokens per sentence (sentences,), int64, on the device of the computation."""

    def start(self, beam_size: int) -> State:
        """Return the state before the first token, for ``sentences * beam_size`` rows."""

    def step(self, tokens_N: Tensor, state: State) -> tuple[Tensor, State]:
        """Return log-probabilities (N, V) of the token after ``tokens_N`` (N,), int64, and the next state.

        A value of ``-inf`` excludes a token; a row may exclude any number of them. V is at least 2. Padding rows of
        the beam are stepped too, with arbitrary tokens; the search ignores their results.
        """

    def select(self, state: State, rows_N: Tensor, sentences_B: Tensor | None) -> State:
        """Return the state whose row n is the old row ``rows_N[n]``, a flat index (N,), int64.

        ``sentences_B`` (B,), int64, holds the old indices of the sentences that stay, in order. It is None if all
        stay, so that data kept once per sentence (attention memory) is gathered only when a sentence leaves.
        """


class CallbackStepper(Generic[State]):
    """A `Stepper` that calls a function before every step of another stepper.

    Every search method steps its stepper, so this intercepts every method.

    Args:
        stepper: the stepper to wrap.
        on_step: called without arguments; an exception that it raises ends the search.
    """

    def __init__(self, stepper: Stepper[State], on_step: Callable[[], None]) -> None:
        self.stepper, self.on_step = stepper, on_step
        self.sentences, self.source_lengths = stepper.sentences, stepper.source_lengths
        self.bos, self.eos = stepper.bos, stepper.eos

    def start(self, beam_size: int) -> State:
        """Delegate to the wrapped stepper."""
        return self.stepper.start(beam_size)

    def step(self, tokens_N: Tensor, state: State) -> tuple[Tensor, State]:
        """Call ``on_step``, then delegate to the wrapped stepper."""
        self.on_step()
        return self.stepper.step(tokens_N, state)

    def select(self, state: State, rows_N: Tensor, sentences_B: Tensor | None) -> State:
        """Delegate to the wrapped stepper."""
        return self.stepper.select(state, rows_N, sentences_B)
