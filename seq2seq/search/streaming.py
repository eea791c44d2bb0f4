"""A search watched while it goes on: what of one sentence's translation is certain already."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch

from seq2seq.errors import ConfigError
from seq2seq.search.beam import begun, steps
from seq2seq.search.config import Method, SearchConfig
from seq2seq.search.hypothesis import Hypothesis
from seq2seq.search.stepper import State, Stepper


class Growth(NamedTuple):
    """A translation under way."""

    tokens: list[int]
    """Pieces that will not change any more."""
    result: Hypothesis | None
    """The translation, once it is complete."""


@torch.no_grad()
def growing(stepper: Stepper[State], config: SearchConfig) -> Iterator[Growth]:
    """The pieces that are settled, whenever they have become more, then the result, which is that of `search`.

    Greedy search settles a piece at each step, a beam those with which all its hypotheses begin, the finished ones
    among them. So each begins with the one before; only where the stepper rules out all that could follow, nothing is
    left.

    Raises:
        ConfigError: the method is not beam (which holds greedy search), or there is not one sentence.
    """
    config.check()
    if config.method != Method.beam:
        raise ConfigError(f"search.method={config.method} cannot be followed piece by piece: set search.method=beam")
    if stepper.sentences != 1:
        raise ConfigError(f"one sentence can be followed while it is translated, not {stepper.sentences}")
    (sentence,) = everyone = begun(stepper, config)
    settled: list[int] = []
    for live in steps(stepper, config, everyone):
        under_way = live.tokens_NT[live.total_BK.flatten().isfinite(), 1:].tolist()
        shared = common([*under_way, *(one.tokens for one in sentence.found)])
        if len(shared) > len(settled):
            settled = shared
            yield Growth(settled, None)
    (best, *_) = sentence.best(config.n_best)
    yield Growth(best.tokens, best)


def common(sequences: Sequence[list[int]]) -> list[int]:
    """The longest beginning that all have; of none, nothing."""
    shared = []
    for pieces in zip(*sequences, strict=False):
        if len(set(pieces)) > 1:
            break
        shared.append(pieces[0])
    return shared
