"""A translation, and the translation of a long text, which is joined from those of its segments."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeVar

from seq2seq.portable.engine import Floats
from seq2seq.portable.hypothesis import length_normalized

Joined = TypeVar("Joined")


@dataclass(frozen=True)
class Translation:
    """One translation of one sentence: the fields of seq2seq.Translation that exported models fill in."""

    source: str
    text: str
    score: float
    """Length-normalized log-probability; comparable among translations of one source."""
    log_probability: float
    """Sum over the tokens, EOS included, in nats."""
    tokens: tuple[str, ...] = ()
    source_tokens: tuple[str, ...] = ()
    attention: Floats | None = None
    """Weights (target tokens + 1, source tokens + 1), EOS last; None if not requested or without attention."""
    n_best: tuple["Translation", ...] = ()
    """All translations, best first, this one included; empty unless ``n_best`` > 1."""
    finished: bool = True
    """False if the search reached the maximum length before EOS."""
    lost_placeholders: tuple[str, ...] = ()
    """Placeholders of the source that the text lacks, once for each missing occurrence."""
    added_placeholders: tuple[str, ...] = ()
    """Placeholders of the text that the source has less often."""

    def __str__(self) -> str:
        return self.text


def join_translations(make: Callable[..., Joined], source: str, parts: Sequence[Any], length_penalty: float) -> Joined:
    """Join the translations of a text's segments; no parts give empty text.

    Log-probabilities are summed, and the score is computed from all tokens together. The utility of minimum Bayes risk
    is the mean of the segments' utilities. The n-th best consists of the n-th best of each segment. Attention is
    dropped.

    Args:
        make: the class of the parts: `Translation`, or seq2seq.Translation.
        source: the text.
        parts: the translations of its segments.
        length_penalty: of the search.
    """
    if not parts:
        return make(source, "", 0.0, 0.0)
    log_probability = sum(part.log_probability for part in parts)
    length = sum(len(part.tokens) + 1 for part in parts)
    n_best = zip(*(part.n_best for part in parts), strict=False)
    utilities = [part.utility for part in parts if getattr(part, "utility", None) is not None]  # exported models: none
    return make(
        source=source,
        text=" ".join(part.text for part in parts if part.text),
        score=length_normalized(log_probability, length, length_penalty),
        log_probability=log_probability,
        tokens=tuple(chain.from_iterable(part.tokens for part in parts)),
        source_tokens=tuple(chain.from_iterable(part.source_tokens for part in parts)),
        n_best=tuple(join_translations(make, source, ranked, length_penalty) for ranked in n_best),
        finished=all(part.finished for part in parts),
        lost_placeholders=tuple(chain.from_iterable(part.lost_placeholders for part in parts)),
        added_placeholders=tuple(chain.from_iterable(part.added_placeholders for part in parts)),
        **({"utility": sum(utilities) / len(utilities)} if utilities else {}),
    )
