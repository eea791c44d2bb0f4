"""Translations that begin as was typed: a stepper that rules out every piece by which the text would not.

What was typed is text, and a model writes pieces; a prefix may end within what would be one piece. So it is compared as
bytes: at each place the pieces that write more of the prefix are possible, and those that write the rest of it and go
on. What the model makes of the beginning is its own choice: it is not held to the pieces into which the typed part,
taken by itself, would be cut ("token healing").

B sentences, K beam, N = B * K rows, V vocabulary. A place is how many bytes of the prefix are written.
"""

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from typing import Generic, NamedTuple

import torch
from torch import Tensor

from seq2seq.errors import DataError
from seq2seq.search.stepper import State, Stepper

SPACE = b" "


class PieceIndex:
    """Which pieces continue a text, found without looking at every piece.

    Args:
        pieces: the bytes each piece writes, those of a new word beginning with a space; None: no text.
    """

    def __init__(self, pieces: Sequence[bytes | None]) -> None:
        spelt = sorted((piece, number) for number, piece in enumerate(pieces) if piece)
        self.texts = [text for text, _ in spelt]
        self.numbers = [number for _, number in spelt]
        self.longest = max(map(len, self.texts), default=0)

    def covering(self, wanted: bytes) -> list[int]:
        """The pieces that begin with this text, or are it."""
        start = bisect_left(self.texts, wanted)
        past = wanted.rstrip(b"\xff")  # the first text after all that begin so: its last byte, one higher
        end = bisect_left(self.texts, past[:-1] + bytes([past[-1] + 1])) if past else len(self.texts)
        return self.numbers[start:end]

    def within(self, wanted: bytes) -> list[tuple[int, int]]:
        """The pieces that are a beginning of this text, but not all of it, each with its length."""
        found = []
        for length in range(1, min(self.longest + 1, len(wanted))):
            place = bisect_left(self.texts, wanted[:length])
            while place < len(self.texts) and self.texts[place] == wanted[:length]:
                found.append((self.numbers[place], length))
                place += 1
        return found


class Ways(NamedTuple):
    """How a prefix may be written."""

    length: int
    """Of the prefix, in bytes."""
    after: dict[int, dict[int, int]]
    """Place, piece to place: every step that leads to the end; empty without a prefix."""
    fewest: int
    """Pieces that write all of it, at least."""


def indexes(pieces: Sequence[bytes | None]) -> tuple[PieceIndex, PieceIndex]:
    """The pieces as they write at the beginning of a sentence, and behind others.

    The first word of a sentence needs no space before it: not every vocabulary writes one.
    """
    return PieceIndex([piece and SPACE + piece.removeprefix(SPACE) for piece in pieces]), PieceIndex(pieces)


def ways(prefix: bytes, first: PieceIndex, inside: PieceIndex) -> Ways:
    """Every way to write a prefix.

    Args:
        prefix: beginning with a space, or empty.
        first: the pieces as they write at the beginning of a sentence.
        inside: the pieces as they write behind others.

    Raises:
        DataError: no pieces write it.
    """
    end = len(prefix)
    after: dict[int, dict[int, int]] = {}
    fewest = {end: 0}
    for place in reversed(range(end)):
        index, wanted = (inside if place else first), prefix[place:]
        steps = {piece: place + length for piece, length in index.within(wanted) if place + length in fewest}
        steps |= dict.fromkeys(index.covering(wanted), end)
        if steps:
            after[place] = steps
            fewest[place] = 1 + min(fewest[reached] for reached in set(steps.values()))
    if 0 not in fewest:
        typed = prefix.decode(errors="replace").strip()
        raise DataError(f"no pieces of the vocabulary write the prefix {typed!r}: check its words and their spelling")
    return Ways(end, after, fewest[0])


class PrefixState(NamedTuple, Generic[State]):
    """The model's state, and where in its prefix every row was before its last piece; None once all have written it."""

    inner: State
    rows: list[tuple[int, int]] | None
    """Sentence of the batch at the start, place."""


class PrefixStepper(Generic[State]):
    """A `Stepper` for translations that begin with given text; it takes no part once that is written."""

    def __init__(
        self, stepper: Stepper[State], prefixes: Sequence[bytes], first: PieceIndex, inside: PieceIndex
    ) -> None:
        """Bind prefixes to the sentences of a stepper.

        Args:
            stepper: the model; its pieces have the numbers that the two have.
            prefixes: what each sentence's translation begins with, behind a space; empty: anything.
            first: the pieces as they write at the beginning of a sentence.
            inside: the pieces as they write behind others.

        Raises:
            DataError: no pieces write a prefix.
        """
        self.stepper = stepper
        self.ways = [ways(prefix, first, inside) for prefix in prefixes]
        self.sentences, self.bos, self.eos = stepper.sentences, stepper.bos, stepper.eos
        # So that the limit on the length, which goes by them, leaves room for the prefix.
        fewest_B = torch.tensor([way.fewest for way in self.ways], device=stepper.source_lengths.device)
        self.source_lengths = torch.maximum(stepper.source_lengths, fewest_B)

    def start(self, beam_size: int) -> PrefixState[State]:
        """All rows at the beginning of their prefix."""
        rows = [(sentence, 0) for sentence in range(self.sentences) for _ in range(beam_size)]
        return PrefixState(self.stepper.start(beam_size), rows)

    def step(self, tokens_N: Tensor, state: PrefixState[State]) -> tuple[Tensor, PrefixState[State]]:
        """Log-probabilities (N, V) with ``-inf`` for what does not continue the prefix, and the state."""
        log_probability_NV, inner = self.stepper.step(tokens_N, state.inner)
        if state.rows is None:
            return log_probability_NV, PrefixState(inner, None)
        rows = [
            (sentence, self.ways[sentence].after.get(place, {}).get(token, place))
            for (sentence, place), token in zip(state.rows, tokens_N.tolist(), strict=True)
        ]
        same: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        for number, (sentence, place) in enumerate(rows):
            if place < self.ways[sentence].length:
                same[sentence, place].append(number)
        if not same:
            return log_probability_NV, PrefixState(inner, None)
        barred_NV = torch.zeros(log_probability_NV.shape, dtype=torch.bool)
        for (sentence, place), numbers in same.items():
            barred_V = torch.ones(barred_NV.size(1), dtype=torch.bool)
            barred_V[list(self.ways[sentence].after[place])] = False
            barred_NV[numbers] = barred_V
        barred_NV = barred_NV.to(log_probability_NV.device)
        return log_probability_NV.masked_fill(barred_NV, -math.inf), PrefixState(inner, rows)

    def select(self, state: PrefixState[State], rows_N: Tensor, sentences_B: Tensor | None) -> PrefixState[State]:
        """Keep these rows and sentences."""
        rows = None if state.rows is None else [state.rows[row] for row in rows_N.tolist()]
        return PrefixState(self.stepper.select(state.inner, rows_N, sentences_B), rows)
