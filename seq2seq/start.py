"""Beginning where another run ended: fine-tuning, or another objective after cross entropy."""

from collections.abc import Sequence
from pathlib import Path

from seq2seq.errors import DataError, RunError
from seq2seq.model import ModelConfig, Network
from seq2seq.run import CONFIG, MODEL, TRAINING_ONLY, read_section
from seq2seq.settings import walk
from seq2seq.text.tokenizer import load_tokenizers
from seq2seq.text.tokenizer_config import TokenizerConfig
from seq2seq.weights import dequantized, load_weights, set_weights


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
    return other


def _hold_architecture(start: Path, model: ModelConfig) -> None:
    found = {name: value for name, _, value in walk(read_section(start, "model", ModelConfig))}
    others = [name for name, _, value in walk(model) if name not in TRAINING_ONLY and found[name] != value]
    if others:
        raise RunError(
            f"training.start={start} is a model of another architecture than this command's: set "
            f"{' '.join(f'model.{name}={_written(found[name])}' for name in others)}, or begin with another run"
        )


def _written(value: object) -> str:
    """A setting's value as it is typed."""
    return {"None": "null", "True": "true", "False": "false"}.get(str(value), str(value))


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
    set_weights(network, dequantized(load_weights(path), path), path)
