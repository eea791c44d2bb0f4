"""Warm start from another run (``training.start``): fine-tuning, or another objective after cross entropy."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from seq2seq.errors import ConfigError, DataError, RunError
from seq2seq.model import ModelConfig, Network
from seq2seq.model.weights import dequantized, load_weights_of, set_weights
from seq2seq.run.folder import CONFIG, MODEL, RunFolder
from seq2seq.run.metadata import architecture
from seq2seq.settings import override_value
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.tokenizer import Tokenizers
from seq2seq.training.config import EmbeddingsConfig

EFFECTIVE = {"tags", "placeholders", "normalization", "sampling", "sample_target"}
"""Tokenizer settings that have an effect with another run's vocabulary."""

INITIAL = {"initialization", "initial_range", "forget_bias"}
"""Settings of initial weights, which have no effect with another run's weights."""


def checked_start(
    folder: Path, start: str | None, model: ModelConfig, tokenizer: TokenizerConfig, source_tags: Sequence[str] = ()
) -> Path | None:
    """Check that a new run can start from ``training.start``, before any work is done.

    A run that is resumed does not need its start any more, and it is not checked.

    Args:
        folder: folder of the new run.
        start: folder of the run to start from; None: none.
        model: the architecture, which must be the same.
        tokenizer: settings whose tags the other run's vocabularies must contain.
        source_tags: further tags, only of the source.

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
    other = Path(start).expanduser()
    if not (folder / CONFIG).exists():
        run = RunFolder.open(other)
        _check_architecture(run, model)
        if not (other / MODEL).is_file():
            raise RunError(f"training.start={start} has no {MODEL}: train it until it has validated at least once")
        tokenizers = run.tokenizers()
        run.check_file(other / MODEL, run.metadata(tokenizers))
        _check_text_form(run, tokenizer)
        _check_tags(start, tokenizers, tokenizer, source_tags)
        _refuse_ignored(run, model, tokenizer)
    return other


def inherited_frozen(folder: Path, start: Path | None, embeddings: EmbeddingsConfig) -> list[str]:
    """The embedding tables that a run does not train: those it freezes itself, or those frozen in its start.

    Raises:
        ConfigError: ``embeddings.unfreeze`` is set, and the start has no frozen tables.
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
    path = start / MODEL
    set_weights(network, dequantized(load_weights_of(network, path), path), path)
