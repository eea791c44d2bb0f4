"""Tokens that are excluded in some sentences of a batch.

Shapes: B sentences still in the batch, K beam size, N = B * K rows, V vocabulary, U tokens that may be excluded.
"""

import math
from collections.abc import Sequence
from typing import Generic, NamedTuple

import torch
from torch import Tensor

from seq2seq.search.stepper import State, Stepper


class ExclusionState(NamedTuple, Generic[State]):
    """The model's state, and what is added to the log-probabilities of the tokens: 0, or ``-inf`` if excluded."""

    inner: State
    change_BU: Tensor


class ExclusionStepper(Generic[State]):
    """A `Stepper` that excludes some tokens, other ones in every sentence."""

    def __init__(self, stepper: Stepper[State], tokens: Sequence[int], excluded: Sequence[Sequence[bool]]) -> None:
        """Wrap a stepper.

        Args:
            stepper: the model.
            tokens: different tokens, at least one.
            excluded: for each sentence, whether each of these tokens is excluded.
        """
        self.stepper = stepper
        self.sentences, self.bos, self.eos = stepper.sentences, stepper.bos, stepper.eos
        self.source_lengths, device = stepper.source_lengths, stepper.source_lengths.device
        self.tokens_U = torch.tensor(tokens).to(device, non_blocking=True)
        change_BU = torch.zeros(self.sentences, len(tokens)).masked_fill(torch.tensor(excluded), -math.inf)
        self.change_BU = change_BU.to(device, non_blocking=True)

    def start(self, beam_size: int) -> ExclusionState[State]:
        """Return the initial state."""
        return ExclusionState(self.stepper.start(beam_size), self.change_BU)

    def step(self, tokens_N: Tensor, state: ExclusionState[State]) -> tuple[Tensor, ExclusionState[State]]:
        """Return log-probabilities (N, V), ``-inf`` for excluded tokens, and the next state."""
        log_probability_NV, inner = self.stepper.step(tokens_N, state.inner)
        change_BU = state.change_BU.to(log_probability_NV.dtype)
        change_NU = change_BU.repeat_interleave(len(tokens_N) // len(change_BU), dim=0)
        return log_probability_NV.index_add(1, self.tokens_U, change_NU), state._replace(inner=inner)

    def select(self, state: ExclusionState[State], rows_N: Tensor, sentences_B: Tensor | None) -> ExclusionState[State]:
        """Keep these rows and sentences."""
        change_BU = state.change_BU if sentences_B is None else state.change_BU.index_select(0, sentences_B)
        return ExclusionState(self.stepper.select(state.inner, rows_N, sentences_B), change_BU)
