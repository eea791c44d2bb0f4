"""Train a run, in the order in which data flows: text, tokenizers, ids, batches, network, training, shortlist.

This connects all packages between text and weights, so it belongs to none of them; `api.train` locks the run folder
and calls it.
"""

import logging
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch

from seq2seq.config.recipes import TrainConfig
from seq2seq.corpora.config import source_tags
from seq2seq.corpora.corpus import Corpus
from seq2seq.corpora.held_out import held_out_warnings
from seq2seq.corpora.mixture import MixedCorpus, WeightedCorpus
from seq2seq.corpora.monolingual import read_target_corpora
from seq2seq.corpora.reading import Corpora, check_files, read_corpora
from seq2seq.data.batch_sampler import BatchSampler, Curriculum, StreamPosition
from seq2seq.data.ibm_model1 import Bitext, Lexicon, learn_lexicon
from seq2seq.data.mixture import TableMixture, encode_mixture
from seq2seq.data.preparation import encode_cached
from seq2seq.data.stream import BatchStream, BothDirections, Rows, SubwordResampler, batch_stream, without_tags
from seq2seq.data.table import Table
from seq2seq.errors import ConfigError, counted, without_passwords
from seq2seq.evaluation.validation import Validator
from seq2seq.model import AttentionKind, Network, slow_path_warnings
from seq2seq.portable.placeholders import Placeholders
from seq2seq.run.card import write_card
from seq2seq.run.files import FileRecord, record_files
from seq2seq.run.folder import CONFIG, RunFolder
from seq2seq.run.network import make_network
from seq2seq.run.resume import run_setup, write_settings
from seq2seq.run.vocabulary import learn_shortlist, prepare_tokenizers
from seq2seq.settings import override_value, walk
from seq2seq.system.device import choose_device, processor, resolve_precision, set_seed
from seq2seq.system.precision import Precision
from seq2seq.system.processes import first_before_others, is_first, rank, world_size
from seq2seq.system.threads import use_threads
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.protection import protected_corpus
from seq2seq.tokenizer.token_bytes import non_text_tokens
from seq2seq.tokenizer.tokenizer import Tokenizers
from seq2seq.training import Trainer, Validation, build_objective
from seq2seq.training.config import StartVocabulary
from seq2seq.training.duration import expectation, fitted, measure, remembered, untimed
from seq2seq.training.guided_attention import Links
from seq2seq.training.learning_curve import draw_learning_curve
from seq2seq.training.loss import Objective
from seq2seq.training.pretrained_embeddings import freeze_embeddings, set_embeddings
from seq2seq.training.run_log import RunLog
from seq2seq.training.warm_start import (
    checked_start,
    inherited_frozen,
    load_start_weights,
    transfer_start_weights,
)
from seq2seq.translation.risk_sampler import Sampler
from seq2seq.translation.types import Translation

log = logging.getLogger("seq2seq")

FEW_PAIRS = 1_000
"""Fewer training pairs are reported: with 5,000, a tuned system reached 16.57 BLEU (Sennrich & Zhang 2019, table 2)."""

OnValidation = Callable[[Validation], None]
"""Receives the result of each validation during training."""


class Texts(NamedTuple):
    """The text of a run and how its tokenizers read it."""

    train: Corpus
    """What is trained on, with its placeholders protected."""
    validation: Corpus
    """As it is: validation translates it as a user would."""
    tokenizer: TokenizerConfig
    placeholders: Placeholders | None
    tags: list[str]
    """Tags that may begin a source sentence."""


class Batches(NamedTuple):
    """Encoded text in batches, and the tokenizers that encoded it."""

    tokenizers: Tokenizers
    table: TableMixture
    validation: Table
    sampler: BatchSampler


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
    texts, files = _read(config, folder)
    vocabulary = config.training.start_vocabulary
    start = checked_start(folder, config.training.start, config.model, texts.tokenizer, texts.tags, vocabulary)
    frozen = inherited_frozen(folder, start, config.embeddings, vocabulary)
    with first_before_others():
        config, measured = remembered(config, folder)
        with run_setup(folder, config if measured else untimed(config), frozen, files):
            cache = config.data.cache_folder(folder)
            shared = start if vocabulary is StartVocabulary.run else None
            tokenizers = prepare_tokenizers(folder, texts.tokenizer, texts.train, texts.tags, shared, cache)
            _check_joint(config, tokenizers)
            network, notes = _initial_network(config, tokenizers, frozen)
            batches = _encode(config, texts, tokenizers, cache)
            _within_epochs(config, batches.sampler)  # refuses before the folder belongs to the run
    kept.open()
    validate = _validator(config, texts, batches, precision)
    links = _links(config, folder, texts, batches, device)
    if not measured:
        objective = _objective(config, tokenizers, precision, links)
        config, expected = _within_time(config, network.to(device), texts, batches, objective, validate)
        network, _ = _initial_network(config, tokenizers, frozen)  # the bits of a run that measures nothing
        notes.append(expected)
        if is_first():
            write_settings(folder, config, frozen, files)
    config, length = _within_epochs(config, batches.sampler)
    where = f"on {device} in {precision}{_processes()}, {counted(threads, 'thread')}"
    _report(config, network, batches, [*notes, *length], where)
    sampler = _curriculum_sampler(config, batches)
    Trainer(
        network,
        _stream(config, texts, batches, sampler),
        validate if on_validation is None else _reporting(validate, on_validation),
        folder,
        config=config.training,
        objective=_objective(config, tokenizers, precision, links),
        optimizer=config.optimizer,
        schedule=config.schedule,
        seed=config.seed,
        device=device,
        start=_start_weights(start, vocabulary, tokenizers),
        place=(lambda update: sampler.position_after(_batches_of(config, update))) if sampler.longest else None,
        logger=config.logger.build(folder, _flat(config)),
        samples=lambda: validate.samples,
        metadata=RunFolder.open(folder).metadata(tokenizers),
    ).fit()
    if is_first():
        draw_learning_curve(folder)
        if config.translates and links is None:
            learn_shortlist(folder, config.shortlist, _lexicon(config, batches), tokenizers)
        write_card(folder, facts={"pairs": len(batches.table), "validation_pairs": len(batches.validation)})


def _read(config: TrainConfig, folder: Path) -> tuple[Texts, dict[str, FileRecord]]:
    """Open the text that the settings name, and record its files.

    Raises:
        DataError: a text cannot be read, or has no pairs.
    """
    data, tokenizer = config.text()
    corpora = read_corpora(data) if config.translates else read_target_corpora(data)
    train, validation, test = corpora
    for text in (train, validation):  # a file that changes after this point is refused
        _ = text.fingerprint
    files = record_files(config, folder, corpora)
    check_files(data.test, test)
    if is_first() and not (folder / CONFIG).exists():  # once for a run
        for note in _notes(corpora):
            log.info("%s", note)
        for warning in held_out_warnings(data, corpora):
            log.warning("%s", warning)
    tags = source_tags(data)
    placeholders = tokenizer.protection(tags)
    train = protected_corpus(train, placeholders)
    return Texts(train, validation, tokenizer.with_symbols(), placeholders, tags), files


def _notes(corpora: Corpora) -> list[str]:
    """What the files say about how they are read, such as their columns or entries that are left out."""
    train = corpora.train.parts if isinstance(corpora.train, MixedCorpus) else [WeightedCorpus(corpora.train)]
    texts = [*(part.corpus for part in train), corpora.validation, corpora.test]
    return list(dict.fromkeys(text.note for text in texts if text is not None and text.note))


def _encode(config: TrainConfig, texts: Texts, tokenizers: Tokenizers, cache: Path) -> Batches:
    """Encode the training and validation text, or open what is encoded already."""
    data = config.data
    table = encode_mixture(texts.train, tokenizers, cache, data.filters, data.workers)
    validation = protected_corpus(texts.validation, texts.placeholders)
    return Batches(
        tokenizers,
        table,
        encode_cached(validation, tokenizers, cache, None, data.workers),
        _sampler(config, table),
    )


def _sampler(config: TrainConfig, table: TableMixture, curriculum: Curriculum | None = None) -> BatchSampler:
    lengths = table.source_lengths, table.target_lengths
    return BatchSampler(*lengths, config.batch, config.seed, table.weights, curriculum)


def _start_weights(
    start: Path | None, vocabulary: StartVocabulary, tokenizers: Tokenizers
) -> Callable[[Network], None] | None:
    """The function that gives a network the weights of another run; None without one."""
    if start is None:
        return None
    if vocabulary is StartVocabulary.run:
        return partial(load_start_weights, start)
    return partial(transfer_start_weights, start, tokenizers)


def _curriculum_sampler(config: TrainConfig, batches: Batches) -> BatchSampler:
    """The sampler of training, which begins with short pairs if that is set."""
    length = config.training.curriculum_updates
    if length == 0:
        return batches.sampler
    curriculum = Curriculum(config.training.curriculum_start, _batches_of(config, length))
    return _sampler(config, batches.table, curriculum)


def _stream(config: TrainConfig, texts: Texts, batches: Batches, sampler: BatchSampler) -> BatchStream:
    """The batches of this process: of both directions first, if that is set."""
    tokenizers = batches.tokenizers

    def after(updates: int) -> StreamPosition:
        return sampler.position_after(_batches_of(config, updates))

    share, updates = config.tokenizer.sampling_until, config.training.bidirectional_updates
    until = after(round(share * config.training.updates)) if share < 1 else None
    resample = SubwordResampler(tokenizers, texts.tokenizer, config.seed, texts.tags, until)
    tags = tokenizers.source.ids_of_tags(texts.tags) if updates else ()
    both = BothDirections(after(updates), config.seed, tags)

    def transform(rows: tuple[Rows, Rows], position: StreamPosition) -> tuple[Rows, Rows]:
        return resample(both(rows, position), position)

    return batch_stream(batches.table, sampler, transform, rank(), world_size())


def _batches_of(config: TrainConfig, updates: int) -> int:
    """Number of batches that all processes together take for some updates."""
    return updates * config.training.accumulate * world_size()


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


def _lexicon(config: TrainConfig, batches: Batches) -> tuple[Bitext, Lexicon]:
    """The translation probabilities of tokens, learned from the training pairs."""
    sizes = batches.tokenizers.source.size, batches.tokenizers.target.size
    return learn_lexicon(batches.table, *sizes, config.shortlist.pairs, config.seed)


def _lexicon_as_trained(config: TrainConfig, texts: Texts, batches: Batches) -> tuple[Bitext, Lexicon]:
    """The same, learned from pairs as training reads them: in both directions, and segmented at random."""
    tokenizers = batches.tokenizers
    resample = SubwordResampler(tokenizers, texts.tokenizer, config.seed, texts.tags)
    tags = tokenizers.source.ids_of_tags(texts.tags)

    def as_trained(rows: tuple[Rows, Rows]) -> tuple[Rows, Rows]:
        sources, targets = rows
        if config.training.bidirectional_updates:
            sources, targets = [*sources, *targets], [*targets, *(without_tags(row, tags) for row in sources)]
        return resample((sources, targets), StreamPosition(0, 0))

    sizes = tokenizers.source.size, tokenizers.target.size
    return learn_lexicon(batches.table, *sizes, config.shortlist.pairs, config.seed, as_trained)


def _links(config: TrainConfig, folder: Path, texts: Texts, batches: Batches, device: torch.device) -> Links | None:
    """The links of guided attention; None without it. The shortlist has the same lexicon, and is saved here too.

    The shortlist is for text as it is translated, so reversed and resegmented pairs need a lexicon of their own.
    """
    if config.loss.guided_attention == 0 or config.model.attention is AttentionKind.none:
        return None
    learned, tokenizers = _lexicon(config, batches), batches.tokenizers
    if is_first():
        learn_shortlist(folder, config.shortlist, learned, tokenizers)
    if config.training.bidirectional_updates or config.tokenizer.sampling:
        learned = _lexicon_as_trained(config, texts, batches)
    return Links(learned[1], tokenizers.source.size, tokenizers.target.size, device)


def _objective(config: TrainConfig, tokenizers: Tokenizers, precision: Precision, links: Links | None) -> Objective:
    return build_objective(
        config.loss,
        config.scheduled_sampling,
        config.risk,
        config.training,
        Sampler(tokenizers, config.risk, precision, config.data.target_language),
        non_text_tokens(tokenizers.target),
        links,
    )


def _check_joint(config: TrainConfig, tokenizers: Tokenizers) -> None:
    """Check that both directions have one vocabulary, which tokenizers of another run need not be.

    Raises:
        ConfigError: each side has its own.
    """
    if config.training.bidirectional > 0 and not tokenizers.joint:
        raise ConfigError(
            f"training.bidirectional needs a joint vocabulary, but training.start={config.training.start} has one per "
            "side: set training.bidirectional=0 or start from another run"
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
            "only %s: a model memorises so few and translates nothing else; it takes thousands",
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


def _within_epochs(config: TrainConfig, sampler: BatchSampler) -> tuple[TrainConfig, list[str]]:
    """The settings with the number of updates that both bounds allow, and a line about it if epochs are bounded.

    Raises:
        ConfigError: a schedule is longer than these updates.
    """
    epochs, updates = config.training.epochs, config.training.updates
    if epochs is None:
        return config, []
    batches = sampler.batches_in(epochs, at_most=_batches_of(config, updates))
    bound = -(-batches // _batches_of(config, 1))  # the last update may take batches of the next epoch
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


def _within_time(
    config: TrainConfig,
    network: Network,
    texts: Texts,
    batches: Batches,
    objective: Objective,
    validate: Validator,
) -> tuple[TrainConfig, str]:
    """The settings with the number of updates for their time, measured on this network, and a line about it.

    Args:
        network: on its device; its weights change.
        validate: the validator of the run, unchanged.
        config, texts, batches, objective: as in training.

    Raises:
        ConfigError: a schedule is longer than these updates.
    """
    probe = copy(validate)  # an untrained network finds no end: its translations are as long as the references
    ratio = batches.validation.target_lengths.sum() / max(1, batches.validation.source_lengths.sum())
    probe.search = replace(validate.search, max_length_ratio=float(min(100.0, ratio)), max_length_offset=0)
    whole = replace(config, training=replace(config.training, curriculum=0.0))  # updates of all lengths
    stream = _stream(whole, texts, batches, batches.sampler)
    speed = measure(network, stream, objective, lambda: probe(network.eval(), 0), config, validate.precision)
    config = fitted(config, speed)
    config.check_length(config.training.updates)
    return config, expectation(config.training, speed, processor(next(network.parameters()).device))


def _initial_network(config: TrainConfig, tokenizers: Tokenizers, frozen: Sequence[str]) -> tuple[Network, list[str]]:
    """A network with its initial weights, and lines to report about it."""
    set_seed(config.seed)
    network = make_network(config.model, tokenizers)
    notes = [
        *_copied(network),
        *set_embeddings(network, tokenizers, config.embeddings),
        *slow_path_warnings(config.model),
    ]
    freeze_embeddings(network, frozen)
    return network, [*notes, *(f"embeddings: the {side} table is frozen" for side in frozen)]


def _copied(network: Network) -> list[str]:
    """How many source tokens the network can copy; no line without a copy mechanism.

    Raises:
        ConfigError: it can copy none.
    """
    if network.pointer is None:
        return []
    copies_X = network.pointer.copies_X
    count = int((copies_X >= 0).sum())
    if not count:
        raise ConfigError(
            "model.copy=pointer can copy nothing, as no source token is in the target vocabulary: set "
            "tokenizer.joint=true, or model.copy=none"
        )
    return [f"copying: {count:,} of {len(copies_X):,} source tokens are in the target vocabulary"]


def _reporting(validate: Validator, on_validation: OnValidation) -> Callable[[Network, int], Validation]:
    """The same validation, which reports each result once: weights averaged after training are not reported."""
    reported: set[int] = set()

    def validate_and_report(network: Network, update: int) -> Validation:
        outcome = validate(network, update)
        if is_first() and update not in reported:
            reported.add(update)
            on_validation(outcome)
        return outcome

    return validate_and_report
