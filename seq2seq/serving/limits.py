"""Check requests against the limits, after tokenization and before any computation.

Limits on characters alone bound neither time nor memory: one character may become many tokens.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from seq2seq.inference.members import Members
from seq2seq.serving.config import LimitsConfig
from seq2seq.translation.translator import Translator
from seq2seq.translation.types import Request

MAX_HYPOTHESES = 512
"""Most hypotheses of one search step, for a small model."""

MAX_PRODUCTS = 2_000_000_000
"""Most multiplications of one search step, about 0.1 s of a core. Other requests cannot run within a step."""

MAX_STATE_NUMBERS = 10_000_000
"""Most numbers of recurrent states of one search step, about 0.1 s of a core too; only mLSTMs have so many."""

MAX_ENCODER_STATES = 1_000_000
"""Most encoder state values of a batch. A layer needs several times as many, and paused tasks keep theirs."""

SINGLE_SENTENCE_FACTOR = 4
"""A single sentence may have so many times `max_hypotheses`, since it cannot be divided."""


class TooLargeError(Exception):
    """A request or its response exceeds a limit; the message says which."""


@dataclass(frozen=True)
class BatchKey:
    """Values that requests must share to be in one batch."""

    run: str
    beam_size: int | None = None
    n_best: int | None = None
    attention: bool = False

    def hypotheses(self, translator: Translator, request: Request) -> int:
        """Return the number of hypotheses of a sentence: its beam, once more for each phrase."""
        return (self.beam_size or translator.search.rows) * (1 + len(request.phrases))


class RequestSize(NamedTuple):
    """The size of a request in tokens."""

    work: int
    """Tokens of all texts times hypotheses."""
    longest: int
    """Tokens of the longest text."""


def check_texts(texts: Iterable[str], limit: int, advice: str = "shorten it") -> None:
    """Check the length of texts in characters.

    Raises:
        TooLargeError: a text is too long.
    """
    for text in texts:
        if len(text) > limit:
            raise TooLargeError(f"a text has {len(text):,} characters, the limit is {limit:,}: {advice}")


def check_count(name: str, count: int | None, limit: int) -> None:
    """Check a number of a request.

    Raises:
        TooLargeError: the number is too large.
    """
    if count is not None and count > limit:
        raise TooLargeError(f"{name} is {count:,}, the limit is {limit:,}: reduce it")


def max_hypotheses(members: Members) -> int:
    """Return the most hypotheses of one search step with this model."""
    return min(MAX_HYPOTHESES, MAX_PRODUCTS // members.products, MAX_STATE_NUMBERS // members.state_size)


def max_source_tokens(members: Members) -> int:
    """Return the most source tokens of one batch with this model."""
    return MAX_ENCODER_STATES // members.width


def checked_size(
    translator: Translator, key: BatchKey, requests: Sequence[Request], limits: LimitsConfig
) -> RequestSize:
    """Tokenize the texts of a request, check them and the largest possible response, and return the size.

    Raises:
        TooLargeError: a text, a prefix with its phrases, or the response may have too many tokens, or a sentence with
            its phrases has too many hypotheses for a model of this size.
    """
    members = translator.ensemble
    _, encoded = members.encoded([request.text for request in requests])
    sources = [len(tokens) for tokens in encoded]
    constraints = [
        sum(map(len, members.target.encode_all([request.prefix, *request.phrases])))
        if request.prefix or request.phrases
        else 0
        for request in requests
    ]
    token_limit = min(limits.tokens, max_source_tokens(members))
    for name, tokens in (("a text", max(sources)), ("a prefix with its phrases", max(constraints))):
        if tokens > token_limit:
            raise TooLargeError(f"{name} has {tokens:,} tokens, the limit is {token_limit:,}: shorten it")
    hypotheses = max(key.hypotheses(translator, request) for request in requests)
    hypothesis_limit = SINGLE_SENTENCE_FACTOR * max_hypotheses(members)
    if hypotheses > max(hypothesis_limit, limits.beam_size):
        raise TooLargeError(
            f"a sentence needs {hypotheses:,} hypotheses, the beam size times one more than its phrases, and the limit "
            f"of this model is {hypothesis_limit:,}: use fewer phrases or a smaller beam_size"
        )
    max_lengths = translator.search.max_lengths(torch.tensor(sources) + 1).tolist()
    # The model may segment a prefix in another way than its tokenizer does, in the worst case into bytes.
    targets = [
        1 + max_length + constraint + len(request.prefix.encode())
        for max_length, constraint, request in zip(max_lengths, constraints, requests, strict=True)
    ]
    widths = [source + 1 if key.attention and members.attends else 1 for source in sources]
    numbers = (key.n_best or translator.search.n_best) * sum(map(int.__mul__, targets, widths))
    if numbers > limits.numbers:
        raise TooLargeError(
            f"the response may have {numbers:,} tokens and attention weights, the limit is {limits.numbers:,}: "
            f"send fewer sentences, or request fewer translations or no attention"
        )
    work = key.hypotheses(translator, Request("")) * (sum(sources) + sum(constraints))
    return RequestSize(work, max(sources) + max(constraints))
