"""One door to every way of searching."""

from collections.abc import Sequence

from seq2seq.errors import ConfigError
from seq2seq.search.beam import beam
from seq2seq.search.config import Method, SearchConfig
from seq2seq.search.constrained import constrained_beam
from seq2seq.search.diverse import diverse_beam
from seq2seq.search.greedy import greedy
from seq2seq.search.hypothesis import Hypothesis
from seq2seq.search.sample import sample
from seq2seq.search.stepper import State, Stepper
from seq2seq.search.tracking import Phrase


def search(
    stepper: Stepper[State],
    config: SearchConfig,
    seeds: Sequence[int] = (),
    phrases: Sequence[Sequence[Phrase]] = (),
) -> list[list[Hypothesis]]:
    """Hypotheses of every sentence by ``config.method``, best first.

    Of those that draw they come in the order in which they were drawn, so that each is a sample: ``n_best`` of them,
    and ``samples`` where minimum Bayes risk is to choose, which needs text and so is not done here.

    Args:
        stepper: the model, bound to the sentences.
        config: how.
        seeds: of each sentence's draws; empty: ``config.seed`` for all.
        phrases: what each sentence's translation must contain; empty: nothing.

    Raises:
        ConfigError: settings contradict each other, or phrases are asked of a method that cannot hold them.
    """
    config.check()
    if any(phrases):
        if config.method != Method.beam:
            raise ConfigError(f"search.method={config.method} cannot force phrases: set search.method=beam")
        return constrained_beam(stepper, config, phrases)
    if config.method == Method.diverse_beam:
        return diverse_beam(stepper, config)
    if config.method == Method.beam:
        return [[best] for best in greedy(stepper, config)] if config.beam_size == 1 else beam(stepper, config)
    return sample(
        stepper,
        config,
        config.rows,
        config.temperature,
        top_k=config.top_k,
        top_p=config.top_p,
        seeds=seeds or [config.seed] * stepper.sentences,
    )
