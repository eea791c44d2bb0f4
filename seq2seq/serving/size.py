"""How large a question is, counted after tokenizing: what is too large is refused before anything is computed.

Characters bound neither work nor memory: one may become many tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from seq2seq.inference.members import Members
from seq2seq.serving.config import LimitsConfig
from seq2seq.serving.limits import TooLargeError
from seq2seq.translation.translator import Translator
from seq2seq.translation.types import Request

MOST_ROWS = 512
"""Hypotheses that are stepped together, at most, of a model however small."""

MOST_PRODUCTS = 2_000_000_000
"""Multiplications of a step, at most, about: 0.1 s of a core. Nobody else has a turn within a step."""

MOST_STATES = 1_000_000
"""Numbers of the states of all source tokens that are read together, at most. A layer needs them several times, and
works that have been begun keep theirs while others have their turns."""

ALONE = 4
"""How many times as many a single sentence may need, which cannot be taken apart."""


@dataclass(frozen=True)
class How:
    """What sentences must have in common to share a batch."""

    run: str
    beam_size: int | None = None
    n_best: int | None = None
    attention: bool = False

    def rows(self, translator: Translator, request: Request) -> int:
        """Hypotheses of a sentence, each once and once for each of its phrases."""
        return (self.beam_size or translator.search.rows) * (1 + len(request.phrases))


class Size(NamedTuple):
    """Of a question."""

    tokens: int
    """Of all its texts and all their hypotheses: about how much work it is."""
    longest: int
    """Of its longest text."""


def steppable(members: Members) -> int:
    """Hypotheses that are stepped together, at most."""
    return min(MOST_ROWS, MOST_PRODUCTS // members.products)


def readable(members: Members) -> int:
    """Source tokens that are read together, at most."""
    return MOST_STATES // members.width


def measured(translator: Translator, how: How, requests: Sequence[Request], limits: LimitsConfig) -> Size:
    """Tokenize the texts of a question, and hold them and what could be answered to the limits.

    Raises:
        TooLargeError: a text, a prefix with its phrases, or the answer may have too many tokens; a sentence with its
            phrases has too many hypotheses for a model of this size.
    """
    members = translator.ensemble
    _, longest = members.encoded([request.text for request in requests])
    sources = [len(pieces) for pieces in longest]
    held = [
        sum(map(len, members.target.encode_all([request.prefix, *request.phrases])))
        if request.prefix or request.phrases
        else 0
        for request in requests
    ]
    most = min(limits.pieces, readable(members))
    for what, tokens in (("a text", max(sources)), ("a prefix with its phrases", max(held))):
        if tokens > most:
            raise TooLargeError(f"{what} has {tokens:,} tokens, and at most {most:,} are taken: shorten it")
    rows = max(how.rows(translator, request) for request in requests)
    if rows > max(ALONE * steppable(members), limits.beam_size):
        raise TooLargeError(
            f"a sentence is searched with {rows:,} hypotheses, each for every phrase, and this model takes at most "
            f"{ALONE * steppable(members):,}: ask for fewer phrases or a smaller beam_size"
        )
    limit = translator.search.max_lengths(torch.tensor(sources) + 1).tolist()
    # A model may spell a prefix otherwise than its tokenizer does, in bytes at worst.
    targets = [
        1 + most + own + len(request.prefix.encode()) for most, own, request in zip(limit, held, requests, strict=True)
    ]
    widths = [source + 1 if how.attention and members.attends else 1 for source in sources]
    numbers = (how.n_best or translator.search.n_best) * sum(map(int.__mul__, targets, widths))
    if numbers > limits.numbers:
        raise TooLargeError(
            f"the answer may have {numbers:,} tokens and attention weights, and at most {limits.numbers:,} are given: "
            f"ask for fewer sentences or translations, or without attention"
        )
    return Size(how.rows(translator, Request("")) * (sum(sources) + sum(held)), max(sources) + max(held))
