"""Translations that begin as was typed: a stepper that rules out every piece by which the text would not.

What was typed is text, and a model writes pieces; a prefix may end within what would be one piece. The complete words
are given as pieces, cut as in training. What follows them is compared as bytes: at each place the pieces that write
more of the prefix are possible, and those that write the rest of it and go on. How the model spells the last word is
its own choice: it is not held to the pieces into which the typed part alone would be cut ("token healing").

B sentences, K beam, N = B * K rows, V vocabulary. A place is how many bytes of the prefix are written.
"""

import math
import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Generic, NamedTuple

import torch
from torch import Tensor

from seq2seq.errors import DataError
from seq2seq.search.config import SearchConfig
from seq2seq.search.stepper import State, Stepper

SPACE = b" "

MARKS = tuple(map(chr, (*range(0x300, 0x370), *range(0x1161, 0x1176), *range(0x11A8, 0x11C3), 0x3099, 0x309A)))
"""What joins the letter before it: accents, and parts of Korean and Japanese syllables."""


class PieceIndex:
    """Which pieces continue a text, found without looking at every piece.

    Args:
        pieces: the bytes each piece writes, those of a new word beginning with a space; None: no text.
        single_bytes: the pieces that stand for a byte, in which a tokenizer spells what is no piece.
    """

    def __init__(self, pieces: Sequence[bytes | None], single_bytes: Collection[int] = ()) -> None:
        spelt = sorted((piece, number) for number, piece in enumerate(pieces) if piece)
        self.pieces = pieces
        self.single_bytes = frozenset(single_bytes)
        self.whole = frozenset(text for text, number in spelt if number not in self.single_bytes)
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
    """Place, piece to place: every step that leads to the end, or past it with what goes on; empty without a prefix."""
    most: int
    """Pieces that write all of it, at most."""
    joining: frozenset[int]
    """The pieces that would change the prefix's last letter, such as an accent: they must not follow it directly."""

    def holds(self, place: int) -> bool:
        """Whether some pieces are ruled out at a place."""
        return place < self.length or (place == self.length and bool(self.joining))


def indexes(pieces: Sequence[bytes | None], single_bytes: Collection[int] = ()) -> tuple[PieceIndex, PieceIndex]:
    """The pieces as they write at the beginning of a sentence, and behind others.

    The first word of a sentence needs no space before it: not every vocabulary writes one.
    """
    first = [piece and SPACE + piece.removeprefix(SPACE) for piece in pieces]
    return PieceIndex(first, single_bytes), PieceIndex(pieces, single_bytes)


def ways(prefix: bytes, first: PieceIndex, inside: PieceIndex, given: Sequence[int] = ()) -> Ways:
    """Every way to write a prefix that begins with given pieces.

    Args:
        prefix: beginning with a space, or empty.
        first: the pieces as they write at the beginning of a sentence.
        inside: the pieces as they write behind others.
        given: the pieces of its complete words; those from the first on that does not write what was typed are not
            heeded.

    Raises:
        DataError: no pieces write it.
    """
    place, after = 0, dict[int, dict[int, int]]()
    for piece in given:
        written = (inside if place else first).pieces[piece]
        if not written or not prefix.startswith(written, place):
            break
        after[place] = {piece: place + len(written)}
        place += len(written)
    for bare in (True, False):
        more, most = _healed(prefix, place, first, inside, bare=bare)
        if most is not None:
            return Ways(len(prefix), after | more, len(after) + most, _joining(prefix, inside))
    typed = prefix.decode(errors="replace").strip()
    raise DataError(f"no pieces of the vocabulary write the prefix {typed!r}: check its words and their spelling")


def _healed(
    prefix: bytes, start: int, first: PieceIndex, inside: PieceIndex, *, bare: bool
) -> tuple[dict[int, dict[int, int]], int | None]:
    """Every step that leads from ``start`` to the end, and the most pieces this takes; None where there is no way.

    ``bare``: a character that is a piece is not spelt in bytes, as no tokenizer spells it.
    """
    end = len(prefix)
    after: dict[int, dict[int, int]] = {}
    most = {end: 0, end + 1: 0}
    for place in reversed(range(start, end)):
        index, wanted = (inside if place else first), prefix[place:]
        steps = {piece: place + length for piece, length in index.within(wanted) if place + length in most}
        steps |= {piece: end + (index.pieces[piece] != wanted) for piece in index.covering(wanted)}
        if bare and _first_character(wanted) in index.whole:
            steps = {piece: reached for piece, reached in steps.items() if piece not in index.single_bytes}
        if steps:
            after[place] = steps
            most[place] = 1 + max(most[reached] for reached in set(steps.values()))
    return after, most.get(start)


def _joining(prefix: bytes, index: PieceIndex) -> frozenset[int]:
    """The pieces that begin with a mark that makes another letter of the prefix's last (Unicode NFC)."""
    last = prefix.decode(errors="ignore")[-1:]
    marks = [mark.encode() for mark in MARKS if last and unicodedata.normalize("NFC", last + mark)[0] != last]
    begun = {number for lead in {mark[:1] for mark in marks} for number in index.covering(lead)}
    return frozenset(begun & index.single_bytes) | {number for mark in marks for number in index.covering(mark)}


def _first_character(text: bytes) -> bytes:
    """The bytes of the first character."""
    size = next((place for place in range(1, len(text)) if text[place] & 0xC0 != 0x80), len(text))
    return text[:size]


class PrefixState(NamedTuple, Generic[State]):
    """The model's state, and where in its prefix every row was before its last piece; None once all have written it."""

    inner: State
    rows: list[tuple[int, int]] | None
    """Sentence of the batch at the start, place; past the end once a piece has followed the prefix."""


class PrefixStepper(Generic[State]):
    """A `Stepper` for translations that begin with given text; it takes no part once that is written."""

    def __init__(
        self,
        stepper: Stepper[State],
        prefixes: Sequence[bytes],
        first: PieceIndex,
        inside: PieceIndex,
        given: Sequence[Sequence[int]] = (),
    ) -> None:
        """Bind prefixes to the sentences of a stepper.

        Args:
            stepper: the model; its pieces have the numbers that the two have.
            prefixes: what each sentence's translation begins with, behind a space; empty: anything.
            first: the pieces as they write at the beginning of a sentence.
            inside: the pieces as they write behind others.
            given: the pieces of each prefix's complete words (`ways`); empty: of none.

        Raises:
            DataError: no pieces write a prefix.
        """
        self.stepper = stepper
        cuts = given or [()] * len(prefixes)
        self.ways = [ways(prefix, first, inside, cut) for prefix, cut in zip(prefixes, cuts, strict=True)]
        self.sentences, self.bos, self.eos = stepper.sentences, stepper.bos, stepper.eos
        self.source_lengths = stepper.source_lengths

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
            (sentence, self._after(sentence, place, token))
            for (sentence, place), token in zip(state.rows, tokens_N.tolist(), strict=True)
        ]
        same: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        for number, (sentence, place) in enumerate(rows):
            if self.ways[sentence].holds(place):
                same[sentence, place].append(number)
        if not same:
            return log_probability_NV, PrefixState(inner, None)
        barred_NV = torch.zeros(log_probability_NV.shape, dtype=torch.bool)
        for (sentence, place), numbers in same.items():
            barred_NV[numbers] = self._barred(sentence, place, barred_NV.size(1))
        barred_NV = barred_NV.to(log_probability_NV.device)
        return log_probability_NV.masked_fill(barred_NV, -math.inf), PrefixState(inner, rows)

    def _after(self, sentence: int, place: int, token: int) -> int:
        """The place after a piece."""
        way = self.ways[sentence]
        return place + 1 if place >= way.length else way.after[place].get(token, place)

    def _barred(self, sentence: int, place: int, pieces: int) -> Tensor:
        """Which pieces (V,) do not go on from a place."""
        way = self.ways[sentence]
        within = place < way.length
        barred_V = torch.full((pieces,), within, dtype=torch.bool)
        barred_V[list(way.after[place] if within else way.joining)] = not within
        return barred_V

    def select(self, state: PrefixState[State], rows_N: Tensor, sentences_B: Tensor | None) -> PrefixState[State]:
        """Keep these rows and sentences."""
        rows = None if state.rows is None else [state.rows[row] for row in rows_N.tolist()]
        return PrefixState(self.stepper.select(state.inner, rows_N, sentences_B), rows)


def length_limits(stepper: Stepper[State], config: SearchConfig) -> Tensor:
    """Most pieces (sentences,) of a hypothesis, end of sentence included: counted from the end of a prefix."""
    limits_B = config.max_lengths(stepper.source_lengths)
    if not isinstance(stepper, PrefixStepper):
        return limits_B
    return limits_B + torch.tensor([way.most for way in stepper.ways], device=limits_B.device)
