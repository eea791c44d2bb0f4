"""Steppers made of several models: ensembles, and shallow fusion with a language model.

Shapes: B sentences still in the batch, K beam size, N = B * K rows, V vocabulary, U listed tokens, M members.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any

import torch
from torch import Tensor

from seq2seq.errors import ConfigError
from seq2seq.search.stepper import Stepper

States = tuple[Any, ...]
"""The state of every member."""


class JointStepper:
    """A `Stepper` that combines the log-probabilities of several members, which all receive the same tokens."""

    def __init__(self, members: Sequence[Stepper[Any]], combine: Callable[[Sequence[Tensor]], Tensor]) -> None:
        """Combine members that are bound to the same sentences and share a target vocabulary.

        Args:
            members: the first one's source lengths limit the translation length.
            combine: maps the log-probabilities (N, V) of the M members to joint log-probabilities (N, V).

        Raises:
            ConfigError: the members differ in their number of sentences, BOS or EOS.
        """
        first = members[0]
        shared = (first.sentences, first.bos, first.eos)
        if any((member.sentences, member.bos, member.eos) != shared for member in members):
            raise ConfigError("combined steppers need the same sentences and tokens: bind each to the same batch")
        self.members = tuple(members)
        self.combine = combine
        self.sentences, self.bos, self.eos = shared
        self.source_lengths = first.source_lengths

    def start(self, beam_size: int) -> States:
        """Return the state of every member before the first token."""
        return tuple(member.start(beam_size) for member in self.members)

    def step(self, tokens_N: Tensor, state: States) -> tuple[Tensor, States]:
        """Return joint log-probabilities (N, V) of the token after ``tokens_N``, and every member's next state."""
        stepped = [member.step(tokens_N, own) for member, own in zip(self.members, state, strict=True)]
        return self.combine([log_probability_NV for log_probability_NV, _ in stepped]), tuple(own for _, own in stepped)

    def select(self, state: States, rows_N: Tensor, sentences_B: Tensor | None) -> States:
        """Keep these rows and sentences in every member."""
        return tuple(member.select(own, rows_N, sentences_B) for member, own in zip(self.members, state, strict=True))


def ensemble(members: Sequence[Stepper[Any]]) -> Stepper[Any]:
    """Return an ensemble of translators: the mean of their probabilities (Sutskever et al. 2014, Luong et al. 2015).

    The arithmetic mean is a distribution, and no single member can exclude a token; neither holds for the mean of
    log-probabilities. A single member is returned as it is.
    """
    return members[0] if len(members) == 1 else JointStepper(members, mean_probability)


def fusion(translator: Stepper[Any], language_model: Stepper[Any], weight: float) -> Stepper[Any]:
    """Return shallow fusion (Gulcehre et al. 2015, §4.1): log p(translator) + ``weight`` · log p(language model).

    The sum is not normalized. A token that either model excludes is excluded. At weight 0 the translator is returned
    as it is, and the language model is not evaluated.

    Raises:
        ConfigError: the weight is negative or not finite.
    """
    check_language_model_weight(weight)
    if weight == 0:
        return translator
    return JointStepper((translator, language_model), partial(weighted_sum, weight=weight))


class SubsetStepper:
    """A `Stepper` for a subset of another's tokens, numbered in the given order.

    The probabilities stay those among all tokens. Renormalizing a language model over a shortlist would give it more
    influence than it has without one.
    """

    def __init__(self, stepper: Stepper[Any], tokens: Sequence[int]) -> None:
        self.stepper = stepper
        self.sentences, self.source_lengths = stepper.sentences, stepper.source_lengths
        self.tokens_U = torch.tensor(tokens, device=stepper.source_lengths.device)
        self.bos, self.eos = tokens.index(stepper.bos), tokens.index(stepper.eos)

    def start(self, beam_size: int) -> Any:
        """Delegate to the wrapped stepper."""
        return self.stepper.start(beam_size)

    def step(self, tokens_N: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Return log-probabilities (N, U) of the listed tokens, and the next state."""
        log_probability_NV, state = self.stepper.step(self.tokens_U[tokens_N], state)
        return log_probability_NV.index_select(1, self.tokens_U), state

    def select(self, state: Any, rows_N: Tensor, sentences_B: Tensor | None) -> Any:
        """Delegate to the wrapped stepper."""
        return self.stepper.select(state, rows_N, sentences_B)


def normalized(stepper: Stepper[Any]) -> Stepper[Any]:
    """Return a stepper with probabilities that sum to 1, which those of `fusion` do not."""
    return JointStepper((stepper,), renormalize)


def check_language_model_weight(weight: float) -> None:
    """Check the weight of a language model.

    Raises:
        ConfigError: the weight is negative (excluded tokens would become certain) or not finite.
    """
    if not (math.isfinite(weight) and weight >= 0):
        raise ConfigError(f"language_model_weight must be at least 0, got {weight:g}")


def mean_probability(log_probabilities: Sequence[Tensor]) -> Tensor:
    """Return the log of the mean probability (N, V); ``-inf`` only where all members are."""
    return reduce(torch.logaddexp, log_probabilities) - math.log(len(log_probabilities))


def weighted_sum(log_probabilities: Sequence[Tensor], weight: float) -> Tensor:
    """Return the first (N, V) plus ``weight`` > 0 times the second; ``-inf`` where either is."""
    first_NV, second_NV = log_probabilities
    return first_NV.add(second_NV, alpha=weight)


def renormalize(log_probabilities: Sequence[Tensor]) -> Tensor:
    """Return the log-softmax of the only member (N, V)."""
    (only_NV,) = log_probabilities
    return only_NV.log_softmax(1)
