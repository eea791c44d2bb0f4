"""Train a run, in the order in which data flows: text, tokenizers, ids, batches, network, training, shortlist.

This connects all packages between text and weights, so it belongs to none of them; `api.train` locks the run folder
and calls it.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from seq2seq.config.recipes import TrainConfig
from seq2seq.errors import counted, without_passwords
from seq2seq.evaluation.validation import Validator
from seq2seq.model import AttentionKind, Network, slow_path_warnings
from seq2seq.pipeline.length import within_epochs, within_time
from seq2seq.pipeline.links import guiding_links, lexicon
from seq2seq.pipeline.network import initial_network
from seq2seq.pipeline.stream import batch_counts, training_sampler, training_stream
from seq2seq.pipeline.text import Batches, Texts, encode, read_texts
from seq2seq.run.card import write_card
from seq2seq.run.folder import RunFolder
from seq2seq.run.resume import run_setup, write_settings
from seq2seq.run.vocabulary import learn_shortlist, prepare_tokenizers
from seq2seq.settings import override_value, walk
from seq2seq.system.device import choose_device, resolve_precision
from seq2seq.system.precision import Precision
from seq2seq.system.processes import first_before_others, is_first, world_size
from seq2seq.system.threads import use_threads
from seq2seq.tokenizer.token_bytes import non_text_tokens
from seq2seq.tokenizer.tokenizer import Tokenizers
from seq2seq.training import Trainer, Validation, build_objective
from seq2seq.training.checkpoints import Checkpoints
from seq2seq.training.config import StartVocabulary
from seq2seq.training.duration import remembered, untimed
from seq2seq.training.guided_attention import Links
from seq2seq.training.learning_curve import draw_learning_curve
from seq2seq.training.loss import Objective
from seq2seq.training.progress import Progress
from seq2seq.training.run_log import RunLog
from seq2seq.training.warm_start import (
    checked_start,
    inherited_frozen,
    load_start_weights,
    transfer_start_weights,
)
from seq2seq.translation.risk_sampler import RewardedSampler
from seq2seq.translation.types import Translation

log = logging.getLogger("seq2seq")

FEW_PAIRS = 1_000
"""Fewer training pairs are reported: with 5,000, a tuned system reached 16.57 BLEU (Sennrich & Zhang 2019, table 2)."""

OnValidation = Callable[[Validation], None]
"""Receives the result of each validation during training."""


def train_run(config: TrainConfig, folder: Path, on_validation: OnValidation | None, kept: RunLog) -> None:
    """Train from the corpus to the selected model and its shortlist; an interrupted run resumes at each step.

    Args:
        config: all settings, checked.
        folder: the run folder, locked.
        on_validation: see `api.train`.
        kept: the run's log, which opens once the folder belongs to this run.

    Raises:
        See `api.train`.
    """
    device = choose_device(config.training.device)
    precision = resolve_precision(config.training.precision, device)
    threads = use_threads(config.training.threads)
    texts, files = read_texts(config, folder)
    vocabulary = config.training.start_vocabulary
    start = checked_start(folder, config.training.start, config.model, texts.tokenizer, texts.tags, vocabulary)
    frozen = inherited_frozen(folder, start, config.embeddings, vocabulary)
    with first_before_others():
        config, measured = remembered(config, folder)
        with run_setup(folder, config if measured else untimed(config), frozen, files):
            cache = config.data.cache_folder(folder)
            shared = start if vocabulary is StartVocabulary.run else None
            tokenizers = prepare_tokenizers(folder, texts.tokenizer, texts.train, texts.tags, shared, cache)
            network, notes = initial_network(config, tokenizers, frozen)
            batches = encode(config, texts, tokenizers, cache)
            saved = Progress.saved(Checkpoints(folder / "checkpoints", network).saved_progress())
            counts = batch_counts(config, saved)
            within_epochs(config, batches.sampler, counts)  # refuses before the folder belongs to the run
    kept.open()
    validate = _validator(config, texts, batches, precision)
    links = guiding_links(config, folder, texts, batches, device)
    if not measured:
        objective = _objective(config, tokenizers, precision, links)
        config, expected = within_time(config, network.to(device), texts, batches, counts, objective, validate)
        network, _ = initial_network(config, tokenizers, frozen)  # the bits of a run that measures nothing
        notes.append(expected)
        if is_first():
            write_settings(folder, config, frozen, files)
    config, length = within_epochs(config, batches.sampler, counts)
    where = f"on {device} in {precision}{_processes()}, {counted(threads, 'thread')}"
    slow = slow_path_warnings(config.model, device.type == "cpu" and precision is not Precision.float32)
    _report(config, network, batches, [*notes, *slow, *length], where)
    sampler = training_sampler(config, batches, counts)
    Trainer(
        network,
        training_stream(config, texts, batches, sampler, counts),
        validate if on_validation is None else _reporting(validate, on_validation, saved.validations),
        folder,
        config=config.training,
        objective=_objective(config, tokenizers, precision, links),
        optimizer=config.optimizer,
        schedule=config.schedule,
        seed=config.seed,
        device=device,
        start=_start_weights(start, vocabulary, tokenizers),
        place=(lambda update: sampler.position_after(counts.taken(update))) if sampler.longest else None,
        counts=counts,
        logger=config.logger.build(folder, _flat(config)),
        samples=lambda: validate.samples,
        metadata=RunFolder.open(folder).metadata(tokenizers),
    ).fit()
    if is_first():
        draw_learning_curve(folder)
        if config.translates and links is None:
            learn_shortlist(folder, config.shortlist, lexicon(config, batches), tokenizers)
        write_card(folder, facts={"pairs": len(batches.table), "validation_pairs": len(batches.validation)})


def _start_weights(
    start: Path | None, vocabulary: StartVocabulary, tokenizers: Tokenizers
) -> Callable[[Network], None] | None:
    """The function that gives a network the weights of another run; None without one."""
    if start is None:
        return None
    if vocabulary is StartVocabulary.run:
        return partial(load_start_weights, start)
    return partial(transfer_start_weights, start, tokenizers)


def _validator(config: TrainConfig, texts: Texts, batches: Batches, precision: Precision) -> Validator:
    return Validator(
        batches.validation,
        list(texts.validation),
        batches.tokenizers,
        config.batch,
        precision,
        search=config.search,
        target_language=config.data.target_language,
        criterion=config.training.criterion,
        samples=config.training.samples,
        draw=None if config.model.attention is AttentionKind.none else _attention_picture,
        placeholders=texts.placeholders,
    )


def _objective(config: TrainConfig, tokenizers: Tokenizers, precision: Precision, links: Links | None) -> Objective:
    return build_objective(
        config.loss,
        config.scheduled_sampling,
        config.risk,
        config.training,
        RewardedSampler(tokenizers, config.risk, precision, config.data.target_language),
        non_text_tokens(tokenizers.target),
        links,
    )


def _report(config: TrainConfig, network: Network, batches: Batches, notes: Sequence[str], where: str) -> None:
    """Log the first lines of a run."""
    sizes = f"{batches.tokenizers.source.size:,} source and {batches.tokenizers.target.size:,} target tokens"
    parameters = sum(parameter.numel() for parameter in network.parameters())
    for line in (f"{batches.table.report}; {sizes}", *notes, *_directions(config)):
        log.info("%s", line)
    log.info("%s parameters, %s", f"{parameters:,}", where)
    if len(batches.table) < FEW_PAIRS and config.data.overfit is None:
        log.warning(
            "only %s: a model memorizes so few pairs and translates nothing else; use thousands",
            counted(len(batches.table), "training pair"),
        )


def _directions(config: TrainConfig) -> list[str]:
    """A line about training in both directions, if that is set."""
    updates, data = config.training.bidirectional_updates, config.data
    if not updates:
        return []
    both = f"the first {updates:,} of {config.training.updates:,} updates train on both directions"
    then = f", then on {data.source_language} to {data.target_language} alone"
    return [both + (then if updates < config.training.updates else "")]


def _processes() -> str:
    return "" if world_size() == 1 else f", {world_size()} processes"


def _flat(config: TrainConfig) -> dict[str, str | int | float | bool]:
    """The settings by dotted path, as loggers keep them: what is no number is text as on the command line."""
    values = {name: value for name, _, value in walk(config)}
    return {
        name: value if isinstance(value, (bool, int, float)) else without_passwords(override_value(value))
        for name, value in values.items()
    }


def _attention_picture(translation: Translation) -> bytes:
    from seq2seq.analysis.pictures import attention_picture  # imports matplotlib

    assert translation.attention is not None
    return attention_picture(translation.attention, translation.source_tokens, translation.tokens)


def _reporting(
    validate: Validator, on_validation: OnValidation, before: Sequence[Validation]
) -> Callable[[Network, int], Validation]:
    """The same validation, which reports each result once: weights averaged after training are not reported.

    Args:
        validate, on_validation: what is called.
        before: the validations until the run was interrupted.
    """
    reported = {validation.update for validation in before}

    def validate_and_report(network: Network, update: int) -> Validation:
        outcome = validate(network, update)
        if is_first() and update not in reported:
            reported.add(update)
            on_validation(outcome)
        return outcome

    return validate_and_report
