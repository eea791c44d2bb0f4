"""Warm start from another run (``training.start``): fine-tuning, another objective after cross entropy, transfer.

V tokens of a vocabulary.
"""

import logging
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import torch

from seq2seq.errors import ConfigError, DataError, RunError
from seq2seq.model import ModelConfig, Network
from seq2seq.model.network import meta_network
from seq2seq.model.weights import Weights, dequantized, load_weights_of, set_weights
from seq2seq.run.folder import CONFIG, MODEL, RunFolder
from seq2seq.run.metadata import architecture
from seq2seq.settings import override_value
from seq2seq.system.hub import is_hub, is_model_folder, local_folder
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.tokenizer import Tokenizer, Tokenizers
from seq2seq.training.config import EmbeddingsConfig, StartVocabulary

log = logging.getLogger("seq2seq")

EFFECTIVE = {"tags", "placeholders", "normalization", "sampling", "sampling_until", "sample_target"}
"""Tokenizer settings that have an effect with another run's vocabulary."""

INITIAL = {"initialization", "initial_range", "forget_bias"}
"""Settings of initial weights, which have no effect with another run's weights."""


def checked_start(
    folder: Path,
    start: str | None,
    model: ModelConfig,
    tokenizer: TokenizerConfig,
    source_tags: Sequence[str] = (),
    vocabulary: StartVocabulary = StartVocabulary.run,
) -> Path | None:
    """Check that a new run can start from ``training.start``, before any work is done.

    A run that is resumed does not need its start any more, and it is not checked.

    Args:
        folder: folder of the new run.
        start: folder of the run to start from; None: none.
        model: the architecture, which must be the same.
        tokenizer: settings whose tags the other run's vocabularies must contain, if the new run takes them.
        source_tags: further tags, only of the source.
        vocabulary: that of the new run.

    Returns:
        The folder to start from.

    Raises:
        RunError: ``start`` is not a run folder with a trained model, its architecture differs, or its vocabulary lacks
            a tag, or its files do not belong together.
        ConfigError: a setting without effect is neither the start's nor its default.
        DataError: its tokenizers are missing or damaged.
    """
    if start is None:
        return None
    if (folder / CONFIG).exists():
        return Path(start) if is_hub(start) else Path(start).expanduser()
    other = local_folder(start)
    if not is_model_folder(other):
        raise RunError(f"training.start={start} is not a run folder ({CONFIG} is missing): name one that was trained")
    run = RunFolder.open(other)
    _check_architecture(run, model)
    if not (other / MODEL).is_file():
        raise RunError(f"training.start={start} has no {MODEL}: train it until it has validated at least once")
    tokenizers = run.tokenizers()
    run.check_file(other / MODEL, run.metadata(tokenizers))
    if vocabulary is StartVocabulary.run:
        _check_text_form(run, tokenizer)
        _check_tags(start, tokenizers, tokenizer, source_tags)
        _refuse_ignored(run, model, tokenizer)
    return other


def inherited_frozen(
    folder: Path,
    start: Path | None,
    embeddings: EmbeddingsConfig,
    vocabulary: StartVocabulary = StartVocabulary.run,
) -> list[str]:
    """The embedding tables that a run does not train: those it freezes itself, or those frozen in its start.

    Raises:
        ConfigError: ``embeddings.unfreeze`` is set, and the start has no frozen tables; or it is not, the start has
            them, and the vocabulary is new.
        RunError: the start is not a run folder.
    """
    if (folder / CONFIG).exists():
        return RunFolder.open(folder).frozen_tables
    if start is None:
        return list(embeddings.files()) if embeddings.freeze else []
    frozen = RunFolder.open(start).frozen_tables
    if embeddings.unfreeze and not frozen:
        raise ConfigError(
            f"embeddings.unfreeze=true, but training.start={start} has no frozen embeddings: leave it out"
        )
    if frozen and not embeddings.unfreeze and vocabulary is StartVocabulary.own:
        raise ConfigError(
            f"training.start_vocabulary=own has tokens without vectors, which would stay random, as training.start="
            f"{start} has frozen embeddings: set embeddings.unfreeze=true"
        )
    return [] if embeddings.unfreeze else frozen


def _check_architecture(start: RunFolder, model: ModelConfig) -> None:
    started = architecture(start.section("model", ModelConfig))
    others = [name for name, value in architecture(model).items() if started[name] != value]
    if others:
        raise RunError(
            f"training.start={start.path} has another architecture than this command: set "
            f"{' '.join(f'model.{name}={override_value(started[name])}' for name in others)}, or start from another run"
        )


def _refuse_ignored(start: RunFolder, model: ModelConfig, tokenizer: TokenizerConfig) -> None:
    """Refuse settings of vocabulary and initial weights that differ from the start's and from their defaults."""
    vocabulary = start.section("tokenizer", TokenizerConfig)
    vocabulary = vocabulary if model.encoder.layers else vocabulary.monolingual()
    sections = {
        "tokenizer": (tokenizer, vocabulary, {item.name for item in fields(TokenizerConfig)} - EFFECTIVE),
        "model": (model, start.section("model", ModelConfig), INITIAL),
    }
    others = [
        (f"{section}.{name}", getattr(config, name), getattr(started, name))
        for section, (config, started, names) in sections.items()
        for name in sorted(names)
        if getattr(config, name) not in (getattr(started, name), getattr(type(config)(), name))
    ]
    if others:
        name, value, _ = others[0]
        raise ConfigError(
            f"{name}={override_value(value)} does nothing, as vocabulary and weights come from "
            f"training.start={start.path}: set "
            f"{' '.join(f'{name}={override_value(value)}' for name, _, value in others)} as there, or leave it out"
        )


def _check_text_form(start: RunFolder, tokenizer: TokenizerConfig) -> None:
    if start.normalization is not tokenizer.normalization:
        raise ConfigError(
            f"training.start={start.path} was trained with tokenizer.normalization={start.normalization}, and a run "
            "keeps the vocabulary of its start: set the same"
        )
    started = start.section("tokenizer", TokenizerConfig).placeholders
    if {*started} != {*tokenizer.placeholders}:
        raise ConfigError(
            f"training.start={start.path} was trained with tokenizer.placeholders=[{','.join(started)}], and a run "
            "keeps the vocabulary of its start: set the same"
        )


def _check_tags(start: str, tokenizers: Tokenizers, tokenizer: TokenizerConfig, source_tags: Sequence[str]) -> None:
    source, target = tokenizers
    tags = [(source, tag) for tag in (*tokenizer.tags, *source_tags)] + [(target, tag) for tag in tokenizer.tags]
    for vocabulary, tag in tags:
        try:
            vocabulary.ids_of_tags([tag])
        except DataError:
            raise RunError(
                f"training.start={start} has no token for the tag {tag}, and a run keeps the vocabulary of its "
                f"start: start from a run that was trained with {tag} in tokenizer.tags, or leave the tag out"
            ) from None


def load_start_weights(start: Path, network: Network) -> None:
    """Copy the weights of another run into a network of the same architecture and vocabulary.

    Raises:
        RunError: they are missing or damaged, or their shapes differ.
    """
    path = local_folder(start) / MODEL  # a model of the hub, if the run was interrupted before its first state
    set_weights(network, dequantized(load_weights_of(network, path), path), path)


def transfer_start_weights(start: Path, tokenizers: Tokenizers, network: Network) -> None:
    """Copy the weights of another run into a network of the same architecture with another vocabulary.

    Tokens of the same text keep their embeddings and their weights and biases of the output layer (Zoph et al. 2016
    replace the vocabulary; Aji et al. 2020, "token matching"). The other tokens keep the initial weights of
    ``network``. The number of shared tokens is logged.

    Args:
        start: folder of the other run.
        tokenizers: of the network.
        network: receives the weights.

    Raises:
        RunError: the weights are missing or damaged, or another shape differs.
        DataError: the tokenizers are missing or damaged.
    """
    run = RunFolder.open(start)
    others, path = run.tokenizers(), run.path / MODEL
    sizes = others.source.size, others.target.size, others.joint
    weights = dequantized(load_weights_of(meta_network(run.section("model", ModelConfig), *sizes), path), path)
    initial: Weights = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    sides = {"source": (tokenizers.source, others.source), "target": (tokenizers.target, others.target)}
    shared = {side: _shared_tokens(*both) for side, both in sides.items()}
    for side, names in OF_TOKENS.items():
        own_V, other_V = shared[side]
        for name in names & weights.keys() & initial.keys():
            initial[name][own_V] = weights[name][other_V].to(initial[name])
            weights[name] = initial[name]
    set_weights(network, weights, path)
    for side in ["target"] if tokenizers.joint or network.encoder is None else ["source", "target"]:
        kind = "" if tokenizers.joint else f"{side} "
        log.info(
            "training.start: %s of %s %stokens are in the vocabulary of %s too and keep their weights; the others "
            "start from random ones",
            *(f"{len(shared[side][0]):,}", f"{sides[side][0].size:,}", kind, start),
        )


OF_TOKENS = {
    "source": {"source_embedding.weight"},
    "target": {"target_embedding.weight", "output.weight", "output.bias"},
}
"""The weights whose first dimension is the vocabulary, by its side."""


def _shared_tokens(own: Tokenizer, other: Tokenizer) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids of the tokens that two vocabularies have in common, in each of them."""
    ids = {token: number for number, token in enumerate(other.tokens(range(other.size)))}
    pairs = [(number, ids[token]) for number, token in enumerate(own.tokens(range(own.size))) if token in ids]
    return torch.tensor([number for number, _ in pairs]), torch.tensor([number for _, number in pairs])
