"""Beginning where another run ended: fine-tuning, or another objective after cross entropy."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from seq2seq.errors import ConfigError, DataError, RunError
from seq2seq.model import ModelConfig, Network
from seq2seq.model.weights import dequantized, load_weights_of, set_weights
from seq2seq.run.folder import CONFIG, MODEL, TRAINING_ONLY, RunFolder
from seq2seq.settings import override_value, walk
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.tokenizer import load_tokenizers
from seq2seq.training.pretrained_embeddings import EmbeddingsConfig

HEEDED = {"tags", "sampling", "sample_target"}
"""Settings of tokenizers that count where a run begins with another's vocabulary."""

INITIAL = {"initialization", "initial_range", "forget_bias"}
"""Settings of the weights that a run begins with, where it does not begin with another's."""


def checked_start(
    folder: Path, start: str | None, model: ModelConfig, tokenizer: TokenizerConfig, source_tags: Sequence[str] = ()
) -> Path | None:
    """The folder of ``training.start``, if one is named; before any work, see that a run can begin with its model.

    A run that has begun needs its start no more: it is not looked at.

    Args:
        folder: of the run that is to begin.
        start: of the run to begin with.
        model: the architecture, which must be the same.
        tokenizer: whose tags the other run's vocabularies must have.
        source_tags: further tags, of the source alone.

    Raises:
        RunError: ``start`` is no run folder with a trained model, its model has another architecture, or its
            vocabulary lacks a tag.
        ConfigError: a setting of the vocabulary or of initial weights is neither the start's nor its default.
        DataError: its tokenizers are missing or damaged.
    """
    if start is None:
        return None
    other = Path(start).expanduser()
    if not (folder / CONFIG).exists():
        _hold_architecture(other, model)
        if not (other / MODEL).is_file():
            raise RunError(f"training.start={start} has no {MODEL}: train it until it has validated at least once")
        _hold_tags(other, tokenizer, source_tags)
        _refuse_ignored(other, model, tokenizer)
    return other


def inherited_frozen(folder: Path, start: Path | None, embeddings: EmbeddingsConfig) -> list[str]:
    """The embedding tables that a run does not train: those it freezes itself, or those its start had frozen.

    Raises:
        ConfigError: the start's are to be trained (``embeddings.unfreeze``), and it has none.
        RunError: the start is no run folder.
    """
    if (folder / CONFIG).exists():
        return RunFolder.open(folder).frozen_tables
    if start is None:
        return list(embeddings.files()) if embeddings.freeze else []
    frozen = RunFolder.open(start).frozen_tables
    if embeddings.unfreeze and not frozen:
        raise ConfigError(f"embeddings.unfreeze=true, but training.start={start} froze no embeddings: leave it out")
    return [] if embeddings.unfreeze else frozen


def _hold_architecture(start: Path, model: ModelConfig) -> None:
    found = {name: value for name, _, value in walk(RunFolder.open(start).section("model", ModelConfig))}
    others = [name for name, _, value in walk(model) if name not in TRAINING_ONLY and found[name] != value]
    if others:
        raise RunError(
            f"training.start={start} is a model of another architecture than this command's: set "
            f"{' '.join(f'model.{name}={override_value(found[name])}' for name in others)}, or begin with another run"
        )


def _refuse_ignored(start: Path, model: ModelConfig, tokenizer: TokenizerConfig) -> None:
    """Refuse settings of the vocabulary and of the initial weights that are named and not those of the start."""
    vocabulary = RunFolder.open(start).section("tokenizer", TokenizerConfig)
    vocabulary = vocabulary if model.encoder.layers else vocabulary.monolingual()
    sections = {
        "tokenizer": (tokenizer, vocabulary, {item.name for item in fields(TokenizerConfig)} - HEEDED),
        "model": (model, RunFolder.open(start).section("model", ModelConfig), INITIAL),
    }
    others = [
        (f"{section}.{name}", getattr(asked, name), getattr(found, name))
        for section, (asked, found, names) in sections.items()
        for name in sorted(names)
        if getattr(asked, name) not in (getattr(found, name), getattr(type(asked)(), name))
    ]
    if others:
        name, value, _ = others[0]
        raise ConfigError(
            f"{name}={override_value(value)} does nothing: training.start={start} has its own vocabulary and weights; "
            f"set "
            f"{' '.join(f'{name}={override_value(value)}' for name, _, value in others)}, as it has, or leave it out"
        )


def _hold_tags(start: Path, tokenizer: TokenizerConfig, source_tags: Sequence[str]) -> None:
    source, target = load_tokenizers(start)
    asked = [(source, tag) for tag in (*tokenizer.tags, *source_tags)] + [(target, tag) for tag in tokenizer.tags]
    for vocabulary, tag in asked:
        try:
            vocabulary.ids_of_tags([tag])
        except DataError:
            raise RunError(
                f"training.start={start} has no piece for the tag {tag}, and a run keeps the vocabulary it begins "
                f"with: begin with a run that was trained with {tag} (in tokenizer.tags, say), or leave the tag out"
            ) from None


def take_weights(start: Path, network: Network) -> None:
    """Put the weights of another run into a network of the same architecture and vocabulary.

    Raises:
        RunError: they are missing, damaged or of another shape.
    """
    path = start / MODEL
    set_weights(network, dequantized(load_weights_of(network, path), path), path)
