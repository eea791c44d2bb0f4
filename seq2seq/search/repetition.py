"""Fewer repetitions: a stepper that excludes repeated n-grams and penalizes tokens that a hypothesis already has.

Both settings are of `SearchConfig` and count target tokens, without BOS. EOS is neither excluded nor penalized, since
no hypothesis contains it. The tokens of a prefix count as history, but are neither excluded nor penalized themselves.

- ``no_repeat_ngram`` = n excludes a token if it would complete an n-gram that the hypothesis already contains. The
  log-probabilities of all other tokens stay the model's. If nothing else is possible, not even EOS, the repetition is.
- ``repetition_penalty`` = θ raises the probability p of each token that the hypothesis already contains to p ** θ, so
  its log-probability is multiplied by θ. This is the penalized sampling of Keskar et al. (2019, CTRL, §4.1), with two
  differences. It uses log-probabilities in place of logits, because an ensemble has no logits, and multiplies by θ
  where the paper divides, because log-probabilities are at most 0. It does not renormalize, except in sampling, which
  always does. Scores and log-probabilities of hypotheses contain the penalty.

Shapes: N rows, V vocabulary, T tokens so far, BOS excluded.
"""

import math
from typing import Any, Generic, NamedTuple

import torch
from torch import Tensor

from seq2seq.search.config import SearchConfig
from seq2seq.search.prefix import PrefixStepper
from seq2seq.search.stepper import State, Stepper


class RepetitionState(NamedTuple, Generic[State]):
    """The state of the wrapped stepper and the tokens of every row."""

    inner: State
    history_NT: Tensor | None
    """None before BOS."""


class RepetitionStepper(Generic[State]):
    """A `Stepper` that applies the repetition settings of a search to another stepper's log-probabilities."""

    def __init__(self, stepper: Stepper[State], config: SearchConfig) -> None:
        self.stepper, self.config = stepper, config
        self.sentences, self.source_lengths = stepper.sentences, stepper.source_lengths
        self.bos, self.eos = stepper.bos, stepper.eos

    def start(self, beam_size: int) -> RepetitionState[State]:
        """Return the initial state."""
        return RepetitionState(self.stepper.start(beam_size), None)

    def step(self, tokens_N: Tensor, state: RepetitionState[State]) -> tuple[Tensor, RepetitionState[State]]:
        """Return the changed log-probabilities (N, V) and the next state."""
        log_probability_NV, inner = self.stepper.step(tokens_N, state.inner)
        if state.history_NT is None:
            return log_probability_NV, RepetitionState(inner, tokens_N.new_empty(len(tokens_N), 0))
        history_NT = torch.cat([state.history_NT, tokens_N[:, None]], dim=1)
        changed_NV = discourage_repetition(
            log_probability_NV, history_NT, self.config, forced_rows(self.stepper, inner)
        )
        return changed_NV, RepetitionState(inner, history_NT)

    def select(
        self, state: RepetitionState[State], rows_N: Tensor, sentences_B: Tensor | None
    ) -> RepetitionState[State]:
        """Keep these rows and sentences."""
        history_NT = None if state.history_NT is None else state.history_NT.index_select(0, rows_N)
        return RepetitionState(self.stepper.select(state.inner, rows_N, sentences_B), history_NT)


def with_repetition_settings(stepper: Stepper[Any], config: SearchConfig) -> Stepper[Any]:
    """Return a stepper with the repetition settings of a search; the same one if they are off."""
    return RepetitionStepper(stepper, config) if config.discourages_repetition else stepper


def forced_rows(stepper: Stepper[State], state: State) -> Tensor | None:
    """Return which rows (N,) still write their prefix, bool; None if none does."""
    return stepper.forced_rows(state) if isinstance(stepper, PrefixStepper) else None


def discourage_repetition(
    log_probability_NV: Tensor, history_NT: Tensor, config: SearchConfig, forced_N: Tensor | None = None
) -> Tensor:
    """Return log-probabilities (N, V) with the repetition settings applied, except in the rows ``forced_N``."""
    changed_NV = log_probability_NV
    if config.repetition_penalty != 1:
        penalized_NT = changed_NV.gather(1, history_NT) * config.repetition_penalty
        changed_NV = changed_NV.scatter(1, history_NT, penalized_NT)
    if 0 < config.no_repeat_ngram <= history_NT.size(1):
        changed_NV = exclude_repeated_ngrams(changed_NV, history_NT, config.no_repeat_ngram)
    if forced_N is None or changed_NV is log_probability_NV:
        return changed_NV
    return torch.where(forced_N[:, None], log_probability_NV, changed_NV)


def exclude_repeated_ngrams(log_probability_NV: Tensor, history_NT: Tensor, n: int) -> Tensor:
    """Return log-probabilities (N, V), ``-inf`` for tokens that would complete an n-gram of the history (T >= n)."""
    ngrams_NWn = history_NT.unfold(1, n, 1)
    context_N1n = history_NT[:, None, history_NT.size(1) - n + 1 :]  # the last n - 1 tokens
    repeated_NW = (ngrams_NWn[:, :, :-1] == context_N1n).all(2)
    # Added rather than assigned, because a token may end several n-grams, of which only one fits.
    change_NW = log_probability_NV.new_zeros(repeated_NW.shape).masked_fill(repeated_NW, -math.inf)
    allowed_NV = log_probability_NV.scatter_add(1, ngrams_NWn[:, :, -1], change_NW)
    possible_N1 = allowed_NV.amax(1, keepdim=True) > -math.inf
    return torch.where(possible_N1, allowed_NV, log_probability_NV)
