"""Translations with a given prefix: a stepper that excludes tokens which do not continue it.

A prefix is text and may end within a token. Its complete words are given as tokens, segmented as in training. The
rest is compared as bytes: a token is allowed if it writes more of the prefix, or the rest of it and possibly more
text. So the model chooses how to spell the last word, and the partial word is not forced into the tokens it would
have by itself ("token healing").

Shapes: B sentences, K beam size, N = B * K rows, V vocabulary. A position is the number of prefix bytes written.
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

COMBINING = tuple(map(chr, (*range(0x300, 0x370), *range(0x1161, 0x1176), *range(0x11A8, 0x11C3), 0x3099, 0x309A)))
"""Characters that combine with the letter before: accents, and parts of Korean and Japanese syllables."""


class TokenIndex:
    """An index of the tokens that continue a text, by binary search.

    Args:
        spelling: the bytes that each token writes, with a leading space if it begins a word; None: no text.
        single_bytes: the tokens that stand for a single byte, which spell characters without a token.
    """

    def __init__(self, spelling: Sequence[bytes | None], single_bytes: Collection[int] = ()) -> None:
        entries = sorted((text, token) for token, text in enumerate(spelling) if text)
        self.spelling = spelling
        self.single_bytes = frozenset(single_bytes)
        self.whole = frozenset(text for text, token in entries if token not in self.single_bytes)
        self.texts = [text for text, _ in entries]
        self.tokens = [token for _, token in entries]
        self.longest = max(map(len, self.texts), default=0)

    def covering(self, text: bytes) -> list[int]:
        """Return the tokens that begin with this text or equal it."""
        start = bisect_left(self.texts, text)
        stem = text.rstrip(b"\xff")  # raising its last byte gives the first text after all that begin so
        end = bisect_left(self.texts, stem[:-1] + bytes([stem[-1] + 1])) if stem else len(self.texts)
        return self.tokens[start:end]

    def within(self, text: bytes) -> list[tuple[int, int]]:
        """Return the tokens that are a proper prefix of this text, each with its length in bytes."""
        found = []
        for length in range(1, min(self.longest + 1, len(text))):
            index = bisect_left(self.texts, text[:length])
            while index < len(self.texts) and self.texts[index] == text[:length]:
                found.append((self.tokens[index], length))
                index += 1
        return found


class PrefixPaths(NamedTuple):
    """All token sequences that write a prefix, as a graph of positions."""

    length: int
    """Length of the prefix in bytes."""
    next: dict[int, dict[int, int]]
    """For each position, the allowed tokens and the position after each; past the end if a token writes more."""
    max_tokens: int
    """Maximum number of tokens that write the prefix."""
    combining: frozenset[int]
    """Tokens that would change the prefix's last letter, such as an accent: not allowed directly after it."""

    def masks(self, position: int) -> bool:
        """Return whether tokens are excluded at a position."""
        return position < self.length or (position == self.length and bool(self.combining))


def token_indexes(
    spelling: Sequence[bytes | None], single_bytes: Collection[int] = ()
) -> tuple[TokenIndex, TokenIndex]:
    """Return the indexes of tokens at the start of a sentence and of tokens after others.

    The first word of a sentence needs no leading space, and not every vocabulary writes one.
    """
    first = [text and SPACE + text.removeprefix(SPACE) for text in spelling]
    return TokenIndex(first, single_bytes), TokenIndex(spelling, single_bytes)


def prefix_paths(prefix: bytes, first: TokenIndex, inside: TokenIndex, given: Sequence[int] = ()) -> PrefixPaths:
    """Find every way to write a prefix that begins with given tokens.

    Args:
        prefix: with a leading space, or empty.
        first: index of tokens at the start of a sentence.
        inside: index of tokens after others.
        given: the tokens of its complete words; ignored from the first token on that does not match the prefix.

    Raises:
        DataError: no tokens write the prefix.
    """
    position, steps = 0, dict[int, dict[int, int]]()
    for token in given:
        text = (inside if position else first).spelling[token]
        if not text or not prefix.startswith(text, position):
            break
        steps[position] = {token: position + len(text)}
        position += len(text)
    for complete_characters in (True, False):
        rest, longest = _healing_steps(prefix, position, first, inside, complete_characters=complete_characters)
        if longest is not None:
            return PrefixPaths(len(prefix), steps | rest, len(steps) + longest, _combining_tokens(prefix, inside))
    readable = prefix.decode(errors="replace").strip()
    raise DataError(f"the vocabulary cannot write the prefix {readable!r}: check its words and their spelling")


def _healing_steps(
    prefix: bytes, start: int, first: TokenIndex, inside: TokenIndex, *, complete_characters: bool
) -> tuple[dict[int, dict[int, int]], int | None]:
    """Return the steps from ``start`` to the end and the maximum number of tokens; None if there is no way.

    With ``complete_characters``, a character that has a token is not spelled in bytes, as tokenizers do.
    """
    end = len(prefix)
    steps: dict[int, dict[int, int]] = {}
    longest = {end: 0, end + 1: 0}
    for position in reversed(range(start, end)):
        index, rest = (inside if position else first), prefix[position:]
        own = {token: position + length for token, length in index.within(rest) if position + length in longest}
        own |= {token: end + (index.spelling[token] != rest) for token in index.covering(rest)}
        if complete_characters and _first_character(rest) in index.whole:
            own = {token: after for token, after in own.items() if token not in index.single_bytes}
        if own:
            steps[position] = own
            longest[position] = 1 + max(longest[after] for after in set(own.values()))
    return steps, longest.get(start)


def _combining_tokens(prefix: bytes, index: TokenIndex) -> frozenset[int]:
    """Return the tokens that begin with a character which combines with the prefix's last letter (Unicode NFC)."""
    last = prefix.decode(errors="ignore")[-1:]
    marks = [mark.encode() for mark in COMBINING if last and unicodedata.normalize("NFC", last + mark)[0] != last]
    partial = {token for first_byte in {mark[:1] for mark in marks} for token in index.covering(first_byte)}
    return frozenset(partial & index.single_bytes) | {token for mark in marks for token in index.covering(mark)}


def _first_character(text: bytes) -> bytes:
    """Return the bytes of the first character."""
    size = next((index for index in range(1, len(text)) if text[index] & 0xC0 != 0x80), len(text))
    return text[:size]


class PrefixState(NamedTuple, Generic[State]):
    """The model's state and the position of every row in its prefix before its last token."""

    inner: State
    rows: list[tuple[int, int]] | None
    """Original index of the sentence and position, past the end after further tokens; None once no row is masked."""


class PrefixStepper(Generic[State]):
    """A `Stepper` that forces a prefix; once every row has written its prefix, it only delegates."""

    def __init__(
        self,
        stepper: Stepper[State],
        prefixes: Sequence[bytes],
        first: TokenIndex,
        inside: TokenIndex,
        given: Sequence[Sequence[int]] = (),
    ) -> None:
        """Wrap a stepper.

        Args:
            stepper: the model; its token ids are those of the indexes.
            prefixes: the prefix of each sentence's translation, with a leading space; empty: no constraint.
            first: index of tokens at the start of a sentence.
            inside: index of tokens after others.
            given: the tokens of each prefix's complete words (`prefix_paths`); empty: none.

        Raises:
            DataError: no tokens write a prefix.
        """
        self.stepper = stepper
        segmented = given or [()] * len(prefixes)
        self.paths = [prefix_paths(prefix, first, inside, own) for prefix, own in zip(prefixes, segmented, strict=True)]
        self.sentences, self.bos, self.eos = stepper.sentences, stepper.bos, stepper.eos
        self.source_lengths = stepper.source_lengths

    def start(self, beam_size: int) -> PrefixState[State]:
        """Return the initial state: all rows are at position 0."""
        rows = [(sentence, 0) for sentence in range(self.sentences) for _ in range(beam_size)]
        return PrefixState(self.stepper.start(beam_size), rows)

    def step(self, tokens_N: Tensor, state: PrefixState[State]) -> tuple[Tensor, PrefixState[State]]:
        """Return log-probabilities (N, V), ``-inf`` for tokens that do not continue the prefix, and the next state."""
        log_probability_NV, inner = self.stepper.step(tokens_N, state.inner)
        if state.rows is None:
            return log_probability_NV, PrefixState(inner, None)
        rows = [
            (sentence, self._next_position(sentence, position, token))
            for (sentence, position), token in zip(state.rows, tokens_N.tolist(), strict=True)
        ]
        rows_by_position: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        for number, (sentence, position) in enumerate(rows):
            if self.paths[sentence].masks(position):
                rows_by_position[sentence, position].append(number)
        if not rows_by_position:
            return log_probability_NV, PrefixState(inner, None)
        excluded_NV = torch.zeros(log_probability_NV.shape, dtype=torch.bool)
        for (sentence, position), numbers in rows_by_position.items():
            excluded_NV[numbers] = self._excluded(sentence, position, excluded_NV.size(1))
        excluded_NV = excluded_NV.to(log_probability_NV.device)
        return log_probability_NV.masked_fill(excluded_NV, -math.inf), PrefixState(inner, rows)

    def forced_rows(self, state: PrefixState[State]) -> Tensor | None:
        """Return whose next token (N,) still writes the prefix, bool; None if none does."""
        forced = [position < self.paths[sentence].length for sentence, position in state.rows or ()]
        return torch.tensor(forced, device=self.source_lengths.device) if any(forced) else None

    def _next_position(self, sentence: int, position: int, token: int) -> int:
        """Return the position after a token."""
        paths = self.paths[sentence]
        return position + 1 if position >= paths.length else paths.next[position].get(token, position)

    def _excluded(self, sentence: int, position: int, vocabulary: int) -> Tensor:
        """Return which tokens (V,) are excluded at a position."""
        paths = self.paths[sentence]
        within = position < paths.length
        excluded_V = torch.full((vocabulary,), within, dtype=torch.bool)
        excluded_V[list(paths.next[position] if within else paths.combining)] = not within
        return excluded_V

    def select(self, state: PrefixState[State], rows_N: Tensor, sentences_B: Tensor | None) -> PrefixState[State]:
        """Keep these rows and sentences."""
        rows = None if state.rows is None else [state.rows[row] for row in rows_N.tolist()]
        return PrefixState(self.stepper.select(state.inner, rows_N, sentences_B), rows)


def length_limits(stepper: Stepper[State], config: SearchConfig) -> Tensor:
    """Return the maximum number of tokens (sentences,) of a hypothesis, EOS included; a prefix adds its own length."""
    limits_B = config.max_lengths(stepper.source_lengths)
    if not isinstance(stepper, PrefixStepper):
        return limits_B
    return limits_B + torch.tensor([paths.max_tokens for paths in stepper.paths], device=limits_B.device)
