"""Search of one sentence that reports the tokens that can no longer change."""

from collections.abc import Iterator
from typing import NamedTuple

import torch

from seq2seq.errors import ConfigError
from seq2seq.portable.search import common_prefix
from seq2seq.search.beam import beam_steps, start_sentences
from seq2seq.search.config import Method, SearchConfig
from seq2seq.search.hypothesis import Hypothesis
from seq2seq.search.stepper import State, Stepper


class PartialResult(NamedTuple):
    """A search in progress."""

    tokens: list[int]
    """Tokens that will not change any more."""
    result: Hypothesis | None
    """The translation, once it is complete."""


@torch.no_grad()
def stream_beam_search(stepper: Stepper[State], config: SearchConfig) -> Iterator[PartialResult]:
    """Yield the fixed tokens whenever there are more of them, then the result, which is that of `search`.

    Greedy search fixes a token per step; beam search fixes the common prefix of all its hypotheses, finished ones
    included. Each partial result extends the one before. The final result is empty only if the stepper excludes
    every continuation.

    Raises:
        ConfigError: the method is not beam (which includes greedy search), or the batch is not one sentence.
    """
    config.check()
    if config.method != Method.beam:
        raise ConfigError(f"search.method={config.method} cannot be streamed: set search.method=beam")
    if stepper.sentences != 1:
        raise ConfigError(f"one sentence at a time can be streamed, got {stepper.sentences}")
    (sentence,) = sentences = start_sentences(stepper, config)
    fixed: list[int] = []
    for beam in beam_steps(stepper, config, sentences):
        unfinished = beam.tokens_NT[beam.total_BK.flatten().isfinite(), 1:].tolist()
        shared = common_prefix([*unfinished, *(each.tokens for each in sentence.hypotheses)])
        if len(shared) > len(fixed):
            fixed = shared
            yield PartialResult(fixed, None)
    (best, *_) = sentence.best(config.n_best)
    yield PartialResult(best.tokens, best)
