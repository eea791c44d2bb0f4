"""Several models that choose each piece together: an ensemble, and a language model beside a translator.

Shapes: B sentences still searched, K beam, N = B * K rows, V vocabulary, M members.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any

import torch
from torch import Tensor

from seq2seq.errors import ConfigError
from seq2seq.search.stepper import Stepper

LANGUAGE_MODEL_WEIGHT = 0.2
"""What a language model's log-probabilities count beside a translator's, where nothing else is said."""

States = tuple[Any, ...]
"""The state of every member."""


class JointStepper:
    """A `Stepper` whose log-probabilities are made of those of several, all of them told the same pieces."""

    def __init__(self, members: Sequence[Stepper[Any]], combine: Callable[[Sequence[Tensor]], Tensor]) -> None:
        """Bind members of the same sentences and target pieces.

        Args:
            members: how long a translation may be goes by the source lengths of the first.
            combine: log-probabilities (N, V) of the M members to those of all of them.

        Raises:
            ConfigError: the members differ in their sentences or in the marks of beginning and end.
        """
        first = members[0]
        shared = (first.sentences, first.bos, first.eos)
        if any((member.sentences, member.bos, member.eos) != shared for member in members):
            raise ConfigError("steppers are asked together for the same sentences and pieces only: bind each to them")
        self.members = tuple(members)
        self.combine = combine
        self.sentences, self.bos, self.eos = shared
        self.source_lengths = first.source_lengths

    def start(self, beam_size: int) -> States:
        """The state of every member before the first piece."""
        return tuple(member.start(beam_size) for member in self.members)

    def step(self, tokens_N: Tensor, state: States) -> tuple[Tensor, States]:
        """Log-probabilities (N, V) of the piece after ``tokens_N``, and the state of every member after them."""
        stepped = [member.step(tokens_N, own) for member, own in zip(self.members, state, strict=True)]
        return self.combine([log_probability_NV for log_probability_NV, _ in stepped]), tuple(own for _, own in stepped)

    def select(self, state: States, rows_N: Tensor, sentences_B: Tensor | None) -> States:
        """Every member keeps these rows and sentences."""
        return tuple(member.select(own, rows_N, sentences_B) for member, own in zip(self.members, state, strict=True))


def ensemble(members: Sequence[Stepper[Any]]) -> Stepper[Any]:
    """Translators that vote on every piece (Sutskever et al. 2014, Luong et al. 2015): p = mean of their p.

    The arithmetic mean is a distribution, and one member alone cannot rule a piece out; that of the log-probabilities
    is neither. A single member is the ensemble itself.
    """
    return members[0] if len(members) == 1 else JointStepper(members, mean_probability)


def fusion(translator: Stepper[Any], language_model: Stepper[Any], weight: float) -> Stepper[Any]:
    """Shallow fusion (Gulcehre et al. 2015, section 4.1): log p(translator) + ``weight`` · log p(language model).

    The sum is no distribution and is not made one. Where either rules a piece out, it is ruled out; at weight 0 the
    language model is not asked at all.

    Raises:
        ConfigError: the weight is negative or not finite.
    """
    check_language_model_weight(weight)
    if weight == 0:
        return translator
    return JointStepper((translator, language_model), partial(weighted_sum, weight=weight))


def listed(stepper: Stepper[Any], tokens: Sequence[int]) -> Stepper[Any]:
    """The same stepper for these tokens alone, numbered in this order, with the probabilities they have among all.

    What a short-list leaves out keeps its share: a language model that stood for the list alone would count for more.
    """
    return ListedStepper(stepper, tokens)


class ListedStepper:
    """A `Stepper` of some of the tokens of another."""

    def __init__(self, stepper: Stepper[Any], tokens: Sequence[int]) -> None:
        self.stepper = stepper
        self.sentences, self.source_lengths = stepper.sentences, stepper.source_lengths
        self.tokens_U = torch.tensor(tokens, device=stepper.source_lengths.device)
        self.bos, self.eos = tokens.index(stepper.bos), tokens.index(stepper.eos)

    def start(self, beam_size: int) -> Any:
        """As the other."""
        return self.stepper.start(beam_size)

    def step(self, tokens_N: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Log-probabilities (N, U) of the listed tokens."""
        log_probability_NV, state = self.stepper.step(self.tokens_U[tokens_N], state)
        return log_probability_NV.index_select(1, self.tokens_U), state

    def select(self, state: Any, rows_N: Tensor, sentences_B: Tensor | None) -> Any:
        """As the other."""
        return self.stepper.select(state, rows_N, sentences_B)


def normalized(stepper: Stepper[Any]) -> Stepper[Any]:
    """The same stepper, its numbers made a distribution over the pieces: what `fusion` leaves open."""
    return JointStepper((stepper,), renormalized)


def check_language_model_weight(weight: float) -> None:
    """Check what a language model's log-probabilities are to count.

    Raises:
        ConfigError: the weight is negative (what the language model rules out would be certain) or not finite.
    """
    if not (math.isfinite(weight) and weight >= 0):
        raise ConfigError(f"language_model_weight must be at least 0, got {weight:g}")


def mean_probability(log_probabilities: Sequence[Tensor]) -> Tensor:
    """Log of the mean of probabilities (N, V), from the logs of each; ``-inf`` only where all of them are."""
    return reduce(torch.logaddexp, log_probabilities) - math.log(len(log_probabilities))


def weighted_sum(log_probabilities: Sequence[Tensor], weight: float) -> Tensor:
    """The first (N, V) plus ``weight`` > 0 times the second; ``-inf`` where either is."""
    first_NV, second_NV = log_probabilities
    return first_NV.add(second_NV, alpha=weight)


def renormalized(log_probabilities: Sequence[Tensor]) -> Tensor:
    """The only one (N, V), less the logarithm of its sum of probabilities."""
    (only_NV,) = log_probabilities
    return only_NV.log_softmax(1)
