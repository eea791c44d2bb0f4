"""One entry point for every search method."""

from collections.abc import Sequence
from dataclasses import replace

from seq2seq.errors import ConfigError
from seq2seq.portable.hypothesis import unique
from seq2seq.search.beam import beam_search
from seq2seq.search.config import Method, SearchConfig
from seq2seq.search.constrained import Phrase, constrained_beam_search
from seq2seq.search.diverse import diverse_beam_search
from seq2seq.search.greedy import greedy_search
from seq2seq.search.hypothesis import Hypothesis, Identity, by_tokens
from seq2seq.search.sampling import sample
from seq2seq.search.stepper import State, Stepper


def search(
    stepper: Stepper[State],
    config: SearchConfig,
    seeds: Sequence[int] = (),
    phrases: Sequence[Sequence[Phrase]] = (),
    identity: Identity = by_tokens,
) -> list[list[Hypothesis]]:
    """Return the hypotheses of every sentence by ``config.method``, best first.

    Sampling returns ``n_best`` hypotheses in the order in which they were drawn, so that each is a sample. Minimum
    Bayes risk returns ``samples`` hypotheses: choosing among them needs text and is up to the caller.

    Args:
        stepper: the model, bound to the sentences.
        config: the search settings.
        seeds: random seed of each sentence; empty: ``config.seed`` for all.
        phrases: phrases that each sentence's translation must contain; empty: none.
        identity: beams keep only the best hypothesis of each identity; the next ones fill up ``n_best``.

    Raises:
        ConfigError: settings contradict each other, or the method does not support phrases.
    """
    config.check()
    if any(phrases):
        if config.method != Method.beam:
            raise ConfigError(f"search.method={config.method} cannot force phrases: set search.method=beam")
        return _unique_best(constrained_beam_search(stepper, _whole_beam(config), phrases), config, identity)
    if config.method == Method.diverse_beam:
        return diverse_beam_search(stepper, config, identity)
    if config.method == Method.beam and config.beam_size == 1:
        return [[best] for best in greedy_search(stepper, config)]
    if config.method == Method.beam:
        return _unique_best(beam_search(stepper, _whole_beam(config)), config, identity)
    return sample(stepper, config, seeds or [config.seed] * stepper.sentences)


def _whole_beam(config: SearchConfig) -> SearchConfig:
    """Return settings that keep the whole beam, because some of its hypotheses may be duplicates."""
    return config if config.n_best == 1 else replace(config, n_best=config.beam_size)


def _unique_best(found: list[list[Hypothesis]], config: SearchConfig, identity: Identity) -> list[list[Hypothesis]]:
    return [own if config.n_best == 1 else unique(own, identity)[: config.n_best] for own in found]
