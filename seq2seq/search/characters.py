"""Sampling of valid text: a stepper that excludes tokens without text and byte sequences that are not UTF-8.

A vocabulary spells characters that it lacks in UTF-8, one token per byte. Samples of these tokens soon form a byte
sequence that is no character. So only bytes that continue a character are allowed within one, and no other tokens.

Shapes: N rows, V vocabulary, S states of a UTF-8 decoder.
"""

import math
from collections.abc import Collection, Sequence
from typing import Generic, NamedTuple

import torch
from torch import Tensor

from seq2seq.search.stepper import State, Stepper

CONTINUATION = (0x80, 0xBF)
"""First and last continuation byte."""

FIRST_BYTES = (
    ((0x00, 0x7F), 0),
    ((0xC2, 0xDF), 1),
    ((0xE0, 0xE0), 4),
    ((0xE1, 0xEC), 2),
    ((0xED, 0xED), 5),
    ((0xEE, 0xEF), 2),
    ((0xF0, 0xF0), 6),
    ((0xF1, 0xF3), 3),
    ((0xF4, 0xF4), 7),
)
"""Byte ranges that are allowed in state 0, between characters, and the next state (Unicode Standard, table 3-7)."""

NEXT_BYTES = (
    ((CONTINUATION, 0),),
    ((CONTINUATION, 1),),
    ((CONTINUATION, 2),),
    (((0xA0, 0xBF), 1),),
    (((0x80, 0x9F), 1),),
    (((0x90, 0xBF), 2),),
    (((0x80, 0x8F), 2),),
)
"""The same for states 1 … 7, within a character."""

TRANSITIONS = (FIRST_BYTES, *NEXT_BYTES)


class CharacterState(NamedTuple, Generic[State]):
    """The model's state and the UTF-8 state of every row before its last token."""

    inner: State
    utf8_N: Tensor


class CharacterStepper(Generic[State]):
    """A `Stepper` whose tokens all write text and whose byte tokens form valid UTF-8.

    A row in which this would exclude every possible token is left unmasked.
    """

    def __init__(
        self, stepper: Stepper[State], single_bytes: Sequence[int | None], excluded: Collection[int] = ()
    ) -> None:
        """Wrap a stepper.

        Args:
            stepper: the model.
            single_bytes: for each token, the byte that it stands for; None if it writes whole characters or nothing.
            excluded: tokens that are never allowed.
        """
        self.stepper = stepper
        self.sentences, self.bos, self.eos = stepper.sentences, stepper.bos, stepper.eos
        self.source_lengths = stepper.source_lengths
        excluded_SV, next_SV = transition_tables(single_bytes, excluded)
        device = stepper.source_lengths.device
        self.excluded_SV, self.next_SV = excluded_SV.to(device), next_SV.to(device)

    def start(self, beam_size: int) -> CharacterState[State]:
        """Return the initial state: all rows are between two characters."""
        rows = self.sentences * beam_size
        return CharacterState(self.stepper.start(beam_size), self.next_SV.new_zeros(rows))

    def step(self, tokens_N: Tensor, state: CharacterState[State]) -> tuple[Tensor, CharacterState[State]]:
        """Return log-probabilities (N, V), ``-inf`` for tokens that are no valid text, and the next state."""
        log_probability_NV, inner = self.stepper.step(tokens_N, state.inner)
        utf8_N = self.next_SV[state.utf8_N, tokens_N]
        text_NV = log_probability_NV.masked_fill(self.excluded_SV[utf8_N], -math.inf)
        possible_N1 = text_NV.amax(1, keepdim=True) > -math.inf
        return torch.where(possible_N1, text_NV, log_probability_NV), CharacterState(inner, utf8_N)

    def select(self, state: CharacterState[State], rows_N: Tensor, sentences_B: Tensor | None) -> CharacterState[State]:
        """Keep these rows and sentences."""
        inner = self.stepper.select(state.inner, rows_N, sentences_B)
        return CharacterState(inner, state.utf8_N.index_select(0, rows_N))


def transition_tables(single_bytes: Sequence[int | None], excluded: Collection[int]) -> tuple[Tensor, Tensor]:
    """Return which tokens are excluded in each state (S, V), bool, and the state after each token (S, V), int64."""
    states, size = len(TRANSITIONS), len(single_bytes)
    next_SB = torch.full((states, 256), -1)
    for state, transitions in enumerate(TRANSITIONS):
        for (first, last), following in transitions:
            next_SB[state, first : last + 1] = following
    is_byte_V = torch.tensor([byte is not None for byte in single_bytes])
    next_SV = next_SB[:, torch.tensor([byte or 0 for byte in single_bytes])]
    next_SV[:, ~is_byte_V] = -1
    next_SV[0, ~is_byte_V] = 0
    excluded_SV = next_SV < 0
    excluded_SV[:, sorted(excluded)] = True
    return excluded_SV.view(states, size), next_SV.clamp(min=0)
