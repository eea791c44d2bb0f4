"""Other ways to cut the same text: subword regularisation (Kudo 2018) and BPE-dropout (Provilkov et al. 2020).

SentencePiece draws them too, but since version 0.2.3 at the latest its generator mixes something of the process into
the seed: no run could be repeated or go on as if it had not stopped. So they are drawn here, from its vocabulary and
with its probabilities. Words are cut by themselves, and what is known of a word is kept for the next time it comes.
"""

import heapq
import math
import random
import re
from bisect import bisect
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, chain
from typing import NamedTuple

from seq2seq.errors import DataError
from seq2seq.tokenizer.sentencepiece_model import ModelType, PieceType
from seq2seq.tokenizer.tokenizer import SPACE, Tokenizer

KEPT = 1 << 13
"""Words whose cuts are kept: the frequent ones, in some tens of megabytes at the most."""
SHORT = 24
"""Characters of a word that may be kept, so that memory is bounded where a sentence has no spaces."""
UNKNOWN = 10.0
"""How far below the least likely piece SentencePiece's unigram model rates a character that is none."""

Ids = tuple[int, ...]
Draw = Callable[[], float]
"""A number in [0, 1), another at each call."""


class Ways(NamedTuple):
    """All last pieces of a text that is cut at random: where each starts, what it is, and the sum of their chances."""

    starts: list[int]
    ids: list[Ids]
    chances: list[float]


class SubwordSampler:
    """Cuts text at random, of which the pieces are given: a function of the pieces, the rate and the seed alone.

    Args:
        tokenizer: whose vocabulary it is.
        rate: byte-pair merges: the chance that a merge is left out. Unigram model: the exponent on the probabilities of
            all ways to cut a text, one of which is drawn; the smaller, the freer.
        whole: pieces that are never cut, besides those that the model itself never cuts.

    Raises:
        DataError: the vocabulary has only one way to cut a text: it is one of words or characters; or it is damaged.
    """

    def __init__(self, tokenizer: Tokenizer, rate: float, whole: Collection[int] = ()) -> None:
        kind, pieces = tokenizer.vocabulary()
        if kind not in (ModelType.unigram, ModelType.bpe):
            raise DataError(
                "this tokenizer model has only one way to cut a text; set tokenizer.sampling=0, or use a model of "
                "byte-pair merges or a unigram model"
            )
        self.rate = rate
        numbered = list(enumerate(pieces))
        bytes_of = {number: bytes.fromhex(one.text[3:5]) for number, one in numbered if one.type is PieceType.byte}
        self.byte_ids = {value: number for number, value in bytes_of.items()}
        normal = {number: one for number, one in numbered if one.type is PieceType.normal and number not in whole}
        self.spelled = bytes_of | {number: one.text.encode() for number, one in normal.items()}
        self.whole = {*whole, *(number for number, one in numbered if one.type is PieceType.user_defined)}
        self.ids = {one.text: number for number, one in normal.items()}
        self.scores = {one.text: one.score for one in normal.values()}
        self.longest = max(map(len, self.ids), default=1)
        # Where no piece reaches from one word into the next, words can be cut one by one.
        self.by_word = not any(SPACE in text[1:] for text in self.ids)
        self._ways = lru_cache(KEPT)(self._ways_of)
        self._usual = lru_cache(KEPT)(self._usual_of)
        self._cut = self._one_of_all if kind is ModelType.unigram else self._merged

    def __call__(self, rows: Sequence[Sequence[int]], seed: int) -> list[list[int]]:
        """The rows, each cut anew; as it is where its pieces do not spell a text, as an unknown piece does not.

        Args:
            rows: ids without marks.
            seed: any integer.
        """
        draw = random.Random(seed).random
        leave_out = LeaveOut(self.rate, draw)
        return [self._row(row, draw, leave_out) for row in rows]

    def _row(self, row: Sequence[int], draw: Draw, leave_out: "LeaveOut") -> list[int]:
        try:
            parts = list(self._parts(row))
        except (LookupError, UnicodeDecodeError):
            return list(row)
        cut = ((part,) if isinstance(part, int) else self._cut(part, draw, leave_out) for part in parts)
        return list(chain.from_iterable(cut))

    def _parts(self, row: Sequence[int]) -> Iterator[str | int]:
        """The words of a row, and what stays whole between them."""
        spelled: list[bytes] = []
        for number in [*row, None]:
            if number is not None and number not in self.whole:
                spelled.append(self.spelled[number])
                continue
            text = b"".join(spelled).decode()
            yield from re.findall(f"{SPACE}[^{SPACE}]*|[^{SPACE}]+", text) if self.by_word else [text] if text else []
            spelled.clear()
            if number is not None:
                yield number

    def _id(self, text: str) -> Ids:
        """The piece of this text, or the bytes it is spelt in."""
        return (self.ids[text],) if text in self.ids else tuple(self.byte_ids[bytes([one])] for one in text.encode())

    # A unigram model: forward filtering, backward sampling (Kudo 2018, section 3.2)

    def _one_of_all(self, text: str, draw: Draw, _: "LeaveOut") -> Ids:
        ways = self._ways(text) if len(text) <= SHORT else self._ways_of(text)
        end, found = len(text), list[Ids]()
        while end:
            starts, ids, chances = ways[end - 1]
            place = min(bisect(chances, draw() * chances[-1]), len(starts) - 1)
            found.append(ids[place])
            end = starts[place]
        return tuple(chain.from_iterable(reversed(found)))

    def _ways_of(self, text: str) -> list[Ways]:
        """For each end of a piece in the text, where that piece may start and how likely it does."""
        total, ways = [0.0], []
        unknown = min(self.scores.values(), default=0.0) - UNKNOWN
        for end in range(1, len(text) + 1):
            found = [(start, text[start:end]) for start in range(max(0, end - self.longest), end)]
            found = [(start, piece) for start, piece in found if piece in self.ids or len(piece) == 1]
            weights = [total[start] + self.rate * self.scores.get(piece, unknown) for start, piece in found]
            most = max(weights)
            chances = list(accumulate(math.exp(weight - most) for weight in weights))
            ways.append(Ways([start for start, _ in found], [self._id(piece) for _, piece in found], chances))
            total.append(most + math.log(chances[-1]))
        return ways

    # Byte-pair merges: those that are possible, best first, some left out

    def _merged(self, text: str, _: Draw, leave_out: "LeaveOut") -> Ids:
        usual, merges = self._usual(text) if len(text) <= SHORT else self._usual_of(text)
        return usual if leave_out.none_of(merges) else self._merge(text, leave_out)[0]

    def _usual_of(self, text: str) -> tuple[Ids, int]:
        return self._merge(text, lambda: False)

    def _merge(self, text: str, leave_out: Callable[[], bool]) -> tuple[Ids, int]:
        """The pieces that merges make of the characters, and how many merges were made.

        A merge that is left out comes back when one of its halves has grown, and not before.
        """
        parts, merges = list(text), 0
        before, behind = list(range(-1, len(text) - 1)), list(range(1, len(text) + 1))
        waiting: list[tuple[float, int, int, str]] = []

        def add(left: int, right: int) -> None:
            if left >= 0 and right < len(parts) and (piece := parts[left] + parts[right]) in self.scores:
                heapq.heappush(waiting, (-self.scores[piece], left, right, piece))

        for right in range(1, len(parts)):
            add(right - 1, right)
        while waiting:
            _, left, right, piece = heapq.heappop(waiting)
            gone = not parts[left] or not parts[right] or parts[left] + parts[right] != piece
            if gone or leave_out():
                continue
            parts[left], parts[right], merges = piece, "", merges + 1
            behind[left] = behind[right]
            if behind[right] < len(parts):
                before[behind[right]] = left
            add(before[left], left)
            add(left, behind[left])
        return tuple(chain.from_iterable(self._id(part) for part in parts if part)), merges


class LeaveOut:
    """Whether to leave out one merge after the other: a random number not for each, but for each that is left out."""

    def __init__(self, rate: float, draw: Draw) -> None:
        self.rate, self.draw = rate, draw
        self.kept = self._gap()

    def __call__(self) -> bool:
        """Whether to leave out the next."""
        if self.kept:
            self.kept -= 1
            return False
        self.kept = self._gap()
        return True

    def none_of(self, merges: int) -> bool:
        """Whether all of the next ``merges`` stay; these are then done, and otherwise still to be asked for."""
        if self.kept < merges:
            return False
        self.kept -= merges
        return True

    def _gap(self) -> int:
        """Merges until the next that is left out: geometric."""
        if self.rate >= 1:
            return 0
        return int(min(1e18, math.log(1 - self.draw()) / math.log1p(-self.rate)))
