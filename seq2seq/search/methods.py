"""One door to every way of searching."""

from collections.abc import Sequence
from dataclasses import replace

from seq2seq.errors import ConfigError
from seq2seq.search.beam import beam
from seq2seq.search.config import Method, SearchConfig
from seq2seq.search.constrained import constrained_beam
from seq2seq.search.diverse import diverse_beam
from seq2seq.search.greedy import greedy
from seq2seq.search.hypothesis import Hypothesis, Identity, by_tokens, distinct
from seq2seq.search.sample import sample
from seq2seq.search.stepper import State, Stepper
from seq2seq.search.tracking import Phrase


def search(
    stepper: Stepper[State],
    config: SearchConfig,
    seeds: Sequence[int] = (),
    phrases: Sequence[Sequence[Phrase]] = (),
    identity: Identity = by_tokens,
) -> list[list[Hypothesis]]:
    """Hypotheses of every sentence by ``config.method``, best first.

    Of those that draw they come in the order in which they were drawn, so that each is a sample: ``n_best`` of them,
    and ``samples`` where minimum Bayes risk is to choose, which needs text and so is not done here.

    Args:
        stepper: the model, bound to the sentences.
        config: how.
        seeds: of each sentence's draws; empty: ``config.seed`` for all.
        phrases: what each sentence's translation must contain; empty: nothing.
        identity: of the hypotheses of a beam that are one by this, the best is kept; the next ones make up ``n_best``.

    Raises:
        ConfigError: settings contradict each other, or phrases are asked of a method that cannot hold them.
    """
    config.check()
    if any(phrases):
        if config.method != Method.beam:
            raise ConfigError(f"search.method={config.method} cannot force phrases: set search.method=beam")
        return _different(constrained_beam(stepper, _all_of(config), phrases), config, identity)
    if config.method == Method.diverse_beam:
        return diverse_beam(stepper, config, identity)
    if config.method == Method.beam and config.beam_size == 1:
        return [[best] for best in greedy(stepper, config)]
    if config.method == Method.beam:
        return _different(beam(stepper, _all_of(config)), config, identity)
    return sample(
        stepper,
        config,
        config.rows,
        config.temperature,
        top_k=config.top_k,
        top_p=config.top_p,
        seeds=seeds or [config.seed] * stepper.sentences,
    )


def _all_of(config: SearchConfig) -> SearchConfig:
    """The settings by which a beam returns all it has: more than is asked for, where some may be the same."""
    return config if config.n_best == 1 else replace(config, n_best=config.beam_size)


def _different(found: list[list[Hypothesis]], config: SearchConfig, identity: Identity) -> list[list[Hypothesis]]:
    return [own if config.n_best == 1 else distinct(own, identity)[: config.n_best] for own in found]
