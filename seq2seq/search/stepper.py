"""What a search needs to know of a model, and nothing more.

Shapes: B sentences still searched, K beam, N = B * K rows (row n belongs to sentence n // K), V vocabulary.
"""

from typing import Protocol, TypeVar

from torch import Tensor

State = TypeVar("State")


class Stepper(Protocol[State]):
    """A model bound to a batch of encoded sentences: it scores the next piece of N hypotheses at a time.

    A network is one, an ensemble of networks another. The state is the stepper's own; a search only hands it back.
    Rows must not influence one another, so that a translation never depends on its batch.
    """

    @property
    def bos(self) -> int:
        """Id of the piece every hypothesis begins with."""

    @property
    def eos(self) -> int:
        """Id of the piece that ends a hypothesis."""

    @property
    def sentences(self) -> int:
        """How many sentences the batch has at the start."""

    @property
    def source_lengths(self) -> Tensor:
        """Source pieces of every sentence (sentences,), int64, on the device on which the rows are stepped."""

    def start(self, beam_size: int) -> State:
        """The state before the first piece, for ``sentences * beam_size`` rows."""

    def step(self, tokens_N: Tensor, state: State) -> tuple[Tensor, State]:
        """Log-probabilities (N, V) of the piece after ``tokens_N`` (N,), int64, and the next state.

        ``-inf`` rules a piece out; a row may rule out any number of them. V is at least 2.
        Rows that only fill the beam are stepped too, with any piece; what comes of them is not used.
        """

    def select(self, state: State, rows_N: Tensor, sentences_B: Tensor | None) -> State:
        """The state whose row n is the old row ``rows_N[n]``, a flat index (N,), int64.

        ``sentences_B`` holds the old indices (B,), int64, of the sentences that stay, in order; None when all stay,
        so that what is held once per sentence (attention memory) is gathered only when a sentence leaves.
        """
