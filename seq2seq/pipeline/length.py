"""The number of updates of a run, where epochs or time bound it."""

from copy import copy
from dataclasses import replace

from seq2seq.config.recipes import TrainConfig
from seq2seq.data.batch_sampler import BatchSampler
from seq2seq.errors import ConfigError, counted
from seq2seq.evaluation.validation import Validator
from seq2seq.model import Network
from seq2seq.pipeline.stream import training_stream
from seq2seq.pipeline.text import Batches, Texts
from seq2seq.system.device import processor
from seq2seq.training.batch_counts import BatchCounts
from seq2seq.training.duration import expectation, fitted, measure
from seq2seq.training.loss import Objective


def within_epochs(config: TrainConfig, sampler: BatchSampler, counts: BatchCounts) -> tuple[TrainConfig, list[str]]:
    """The settings with the number of updates that both bounds allow, and a line about it if epochs are bounded.

    Raises:
        ConfigError: a schedule is longer than these updates.
    """
    epochs, updates = config.training.epochs, config.training.updates
    if epochs is None:
        return config, []
    batches = sampler.batches_in(epochs, at_most=counts.taken(updates))
    bound = counts.updates(batches)  # the last update may take batches of the next epoch
    if bound == updates:
        return config, [
            f"training.updates={updates} ends training, not training.epochs={epochs}, which takes as long or longer"
        ]
    try:
        config.check_length(bound)
    except ConfigError as error:
        raise ConfigError(f"training.epochs={epochs} takes {counted(bound, 'update')}: {error}") from None
    bounded = replace(config, training=replace(config.training, updates=bound))
    return bounded, [f"training.epochs={epochs} takes {counted(bound, 'update')}"]


def within_time(
    config: TrainConfig,
    network: Network,
    texts: Texts,
    batches: Batches,
    counts: BatchCounts,
    objective: Objective,
    validate: Validator,
) -> tuple[TrainConfig, str]:
    """The settings with the number of updates for their time, measured on this network, and a line about it.

    Args:
        network: on its device; its weights change.
        validate: the validator of the run, unchanged.
        config, texts, batches, counts, objective: as in training.

    Raises:
        ConfigError: a schedule is longer than these updates.
    """
    probe = copy(validate)  # an untrained network finds no end: its translations are as long as the references
    ratio = batches.validation.target_lengths.sum() / max(1, batches.validation.source_lengths.sum())
    probe.search = replace(validate.search, max_length_ratio=float(min(100.0, ratio)), max_length_offset=0)
    whole = replace(config, training=replace(config.training, curriculum=0.0))  # updates of all lengths
    stream = training_stream(whole, texts, batches, batches.sampler, counts)
    speed = measure(network, stream, objective, lambda: probe(network.eval(), 0), config, validate.precision)
    config = fitted(config, speed)
    config.check_length(config.training.updates)
    return config, expectation(config.training, speed, processor(next(network.parameters()).device))
