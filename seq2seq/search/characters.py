"""Samples that are text: a stepper that rules out tokens which write nothing, and bytes that are no character.

Where a vocabulary has no token for a character, it is spelt in UTF-8, one token a byte. A sampler that draws these
tokens one by one soon draws a sequence that is no character. So only such bytes are possible as go on in one, and
within one nothing else is.

N rows, V vocabulary, S states of a decoder of UTF-8.
"""

import math
from collections.abc import Collection, Sequence
from typing import Generic, NamedTuple

import torch
from torch import Tensor

from seq2seq.search.stepper import State, Stepper

ANY = (0x80, 0xBF)
"""First and last byte that goes on in a character."""

WITHIN = (
    ((ANY, 0),),
    ((ANY, 1),),
    ((ANY, 2),),
    (((0xA0, 0xBF), 1),),
    (((0x80, 0x9F), 1),),
    (((0x90, 0xBF), 2),),
    (((0x80, 0x8F), 2),),
)
"""For each state 1 … 7 of a character that was begun the bytes that go on, and the state they lead to."""

BEGINS = (
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
"""The same of state 0, between characters (The Unicode Standard, table 3-7)."""

STEPS = (BEGINS, *WITHIN)


class CharacterState(NamedTuple, Generic[State]):
    """The model's state, and where in a character every row was before its last token."""

    inner: State
    place_N: Tensor


class CharacterStepper(Generic[State]):
    """A `Stepper` whose every token writes text, and whose bytes make characters.

    A row whose possible tokens would all be ruled out keeps them: there is no text for it to go on with.
    """

    def __init__(
        self, stepper: Stepper[State], single_bytes: Sequence[int | None], excluded: Collection[int] = ()
    ) -> None:
        """Bind the tokens of a stepper.

        Args:
            stepper: the model.
            single_bytes: the byte that each token stands for; None: text of whole characters, or none at all.
            excluded: tokens that are never possible.
        """
        self.stepper = stepper
        self.sentences, self.bos, self.eos = stepper.sentences, stepper.bos, stepper.eos
        self.source_lengths = stepper.source_lengths
        ruled_out_SV, after_SV = tables(single_bytes, excluded)
        device = stepper.source_lengths.device
        self.ruled_out_SV, self.after_SV = ruled_out_SV.to(device), after_SV.to(device)

    def start(self, beam_size: int) -> CharacterState[State]:
        """All rows between two characters."""
        rows = self.sentences * beam_size
        return CharacterState(self.stepper.start(beam_size), self.after_SV.new_zeros(rows))

    def step(self, tokens_N: Tensor, state: CharacterState[State]) -> tuple[Tensor, CharacterState[State]]:
        """Log-probabilities (N, V) with ``-inf`` for what is no text, and the state."""
        log_probability_NV, inner = self.stepper.step(tokens_N, state.inner)
        place_N = self.after_SV[state.place_N, tokens_N]
        text_NV = log_probability_NV.masked_fill(self.ruled_out_SV[place_N], -math.inf)
        some_N1 = text_NV.amax(1, keepdim=True) > -math.inf
        return torch.where(some_N1, text_NV, log_probability_NV), CharacterState(inner, place_N)

    def select(self, state: CharacterState[State], rows_N: Tensor, sentences_B: Tensor | None) -> CharacterState[State]:
        """Keep these rows and sentences."""
        inner = self.stepper.select(state.inner, rows_N, sentences_B)
        return CharacterState(inner, state.place_N.index_select(0, rows_N))


def tables(single_bytes: Sequence[int | None], excluded: Collection[int]) -> tuple[Tensor, Tensor]:
    """Which tokens are no text in each state, and the state after each: (S, V) and (S, V) int64."""
    states, size = len(STEPS), len(single_bytes)
    after_SB = torch.full((states, 256), -1)
    for state, steps in enumerate(STEPS):
        for (first, last), reached in steps:
            after_SB[state, first : last + 1] = reached
    is_byte_V = torch.tensor([byte is not None for byte in single_bytes])
    after_SV = after_SB[:, torch.tensor([byte or 0 for byte in single_bytes])]
    after_SV[:, ~is_byte_V] = -1
    after_SV[0, ~is_byte_V] = 0
    ruled_out_SV = after_SV < 0
    ruled_out_SV[:, sorted(excluded)] = True
    return ruled_out_SV.view(states, size), after_SV.clamp(min=0)
