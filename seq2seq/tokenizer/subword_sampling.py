"""Random segmentations: subword regularization (Kudo 2018) and BPE-dropout (Provilkov et al. 2020).

SentencePiece samples too, but at least since version 0.2.3 its generator depends on the process as well as the seed, so
that a run could be neither repeated nor resumed exactly. Sampling is therefore done here, with SentencePiece's
vocabulary and probabilities. Words are segmented separately, and the lattice of a frequent word is cached.
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
from seq2seq.tokenizer.normalization import SPACE
from seq2seq.tokenizer.sentencepiece_model import ModelType, PieceType
from seq2seq.tokenizer.tokenizer import Tokenizer

CACHED_WORDS = 1 << 13
"""Words in the cache, which takes some tens of megabytes at most."""
MAX_CACHED = 24
"""Characters of a cached word; the limit bounds the memory for sentences without spaces."""
UNKNOWN_PENALTY = 10.0
"""Difference between the lowest score of the unigram model and the score of an unknown character."""

Ids = tuple[int, ...]
Draw = Callable[[], float]
"""A random number in [0, 1)."""


class LatticeNode(NamedTuple):
    """All tokens that end at a position: their starts, their ids, and the cumulative sum of their probabilities."""

    starts: list[int]
    ids: list[Ids]
    cumulative: list[float]


class SubwordSampler:
    """Replaces the tokens of a text by a random segmentation: a function of the tokens, the rate and the seed.

    Args:
        tokenizer: of the text.
        rate: byte-pair merges: dropout probability of a merge. Unigram model: exponent of the probabilities of all
            segmentations, of which one is sampled; a smaller exponent is more random.
        unsplit: tokens that are never split, besides the tags of the model.

    Raises:
        DataError: the vocabulary has words or characters, so that a text has one segmentation; or it is damaged.
    """

    def __init__(self, tokenizer: Tokenizer, rate: float, unsplit: Collection[int] = ()) -> None:
        model_type, pieces = tokenizer.vocabulary()
        if model_type not in (ModelType.unigram, ModelType.bpe):
            raise DataError(
                "this tokenizer model has only one segmentation of a text: set tokenizer.sampling=0, or use a BPE or "
                "unigram model"
            )
        self.rate = rate
        by_id = dict(enumerate(pieces))
        byte_texts = {
            token: bytes.fromhex(piece.text[3:5]) for token, piece in by_id.items() if piece.type is PieceType.byte
        }
        self.byte_ids = {value: token for token, value in byte_texts.items()}
        normal = {
            token: piece for token, piece in by_id.items() if piece.type is PieceType.normal and token not in unsplit
        }
        self.texts = byte_texts | {token: piece.text.encode() for token, piece in normal.items()}
        self.unsplit = {*unsplit, *(token for token, piece in by_id.items() if piece.type is PieceType.user_defined)}
        self.ids = {piece.text: token for token, piece in normal.items()}
        self.scores = {piece.text: piece.score for piece in normal.values()}
        self.longest = max(map(len, self.ids), default=1)
        # Words can be segmented separately if no token extends over a word boundary.
        self.by_word = not any(SPACE in text[1:] for text in self.ids)
        self._cached_lattice = lru_cache(CACHED_WORDS)(self._lattice)
        self._cached_merges = lru_cache(CACHED_WORDS)(self._all_merges)
        self._segment = self._sample_unigram if model_type is ModelType.unigram else self._sample_merges

    def __call__(self, rows: Sequence[Sequence[int]], seed: int) -> list[list[int]]:
        """Random segmentations of the rows. A row whose tokens do not spell a text (``<unk>``) is returned unchanged.

        Args:
            rows: ids without BOS and EOS.
            seed: any integer.
        """
        draw = random.Random(seed).random
        dropout = MergeDropout(self.rate, draw)
        return [self._row(row, draw, dropout) for row in rows]

    def _row(self, row: Sequence[int], draw: Draw, dropout: "MergeDropout") -> list[int]:
        try:
            parts = list(self._parts(row))
        except (LookupError, UnicodeDecodeError):
            return list(row)
        segments = ((part,) if isinstance(part, int) else self._segment(part, draw, dropout) for part in parts)
        return list(chain.from_iterable(segments))

    def _parts(self, row: Sequence[int]) -> Iterator[str | int]:
        """The words of a row as text, and the unsplit tokens between them."""
        texts: list[bytes] = []
        for token in [*row, None]:
            if token is not None and token not in self.unsplit:
                texts.append(self.texts[token])
                continue
            text = b"".join(texts).decode()
            yield from re.findall(f"{SPACE}[^{SPACE}]*|[^{SPACE}]+", text) if self.by_word else [text] if text else []
            texts.clear()
            if token is not None:
                yield token

    def _spell(self, text: str) -> Ids:
        """The token of this text, or its byte tokens."""
        return (self.ids[text],) if text in self.ids else tuple(self.byte_ids[bytes([byte])] for byte in text.encode())

    # Unigram model: forward filtering, backward sampling (Kudo 2018, section 3.2)

    def _sample_unigram(self, text: str, draw: Draw, _: "MergeDropout") -> Ids:
        lattice = self._cached_lattice(text) if len(text) <= MAX_CACHED else self._lattice(text)
        end, segments = len(text), list[Ids]()
        while end:
            starts, ids, cumulative = lattice[end - 1]
            choice = min(bisect(cumulative, draw() * cumulative[-1]), len(starts) - 1)
            segments.append(ids[choice])
            end = starts[choice]
        return tuple(chain.from_iterable(reversed(segments)))

    def _lattice(self, text: str) -> list[LatticeNode]:
        """One node per position in the text after its start."""
        total, lattice = [0.0], []
        unknown = min(self.scores.values(), default=0.0) - UNKNOWN_PENALTY
        for end in range(1, len(text) + 1):
            spans = [(start, text[start:end]) for start in range(max(0, end - self.longest), end)]
            spans = [(start, span) for start, span in spans if span in self.ids or len(span) == 1]
            weights = [total[start] + self.rate * self.scores.get(span, unknown) for start, span in spans]
            largest = max(weights)
            cumulative = list(accumulate(math.exp(weight - largest) for weight in weights))
            ids = [self._spell(span) for _, span in spans]
            lattice.append(LatticeNode([start for start, _ in spans], ids, cumulative))
            total.append(largest + math.log(cumulative[-1]))
        return lattice

    # Byte-pair merges in order of their rank, with dropout

    def _sample_merges(self, text: str, _: Draw, dropout: "MergeDropout") -> Ids:
        ids, merges = self._cached_merges(text) if len(text) <= MAX_CACHED else self._all_merges(text)
        return ids if dropout.keeps_all(merges) else self._merge(text, dropout)[0]

    def _all_merges(self, text: str) -> tuple[Ids, int]:
        return self._merge(text, lambda: False)

    def _merge(self, text: str, drop: Callable[[], bool]) -> tuple[Ids, int]:
        """The tokens after merging the characters, and the number of merges.

        A dropped merge is proposed again only after another merge has changed one of its halves, as in SentencePiece.
        Algorithm 1 of Provilkov et al. draws anew for all merges after each one, and splits less at the same rate.
        """
        parts, merges = list(text), 0
        previous, following = list(range(-1, len(text) - 1)), list(range(1, len(text) + 1))
        queue: list[tuple[float, int, int, str]] = []

        def propose(left: int, right: int) -> None:
            if left >= 0 and right < len(parts) and (merged := parts[left] + parts[right]) in self.scores:
                heapq.heappush(queue, (-self.scores[merged], left, right, merged))

        for right in range(1, len(parts)):
            propose(right - 1, right)
        while queue:
            _, left, right, merged = heapq.heappop(queue)
            outdated = not parts[left] or not parts[right] or parts[left] + parts[right] != merged
            if outdated or drop():
                continue
            parts[left], parts[right], merges = merged, "", merges + 1
            following[left] = following[right]
            if following[right] < len(parts):
                previous[following[right]] = left
            propose(previous[left], left)
            propose(left, following[left])
        return tuple(chain.from_iterable(self._spell(part) for part in parts if part)), merges


class MergeDropout:
    """Decides for consecutive merges whether to drop each. It draws one random number per dropped merge."""

    def __init__(self, rate: float, draw: Draw) -> None:
        self.rate, self.draw = rate, draw
        self.kept = self._gap()

    def __call__(self) -> bool:
        """Whether to drop the next merge."""
        if self.kept:
            self.kept -= 1
            return False
        self.kept = self._gap()
        return True

    def keeps_all(self, merges: int) -> bool:
        """Whether all of the next ``merges`` are kept; if so, they count as decided, otherwise none does."""
        if self.kept < merges:
            return False
        self.kept -= merges
        return True

    def _gap(self) -> int:
        """Merges until the next dropped one; geometrically distributed."""
        if self.rate >= 1:
            return 0
        return int(min(1e18, math.log(1 - self.draw()) / math.log1p(-self.rate)))
