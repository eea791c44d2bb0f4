"""Beginning where another run ended: fine-tuning, or another objective after cross entropy."""

from pathlib import Path

from seq2seq.errors import RunError
from seq2seq.model import ModelConfig, Network
from seq2seq.run import CONFIG, MODEL, read_section
from seq2seq.settings import walk
from seq2seq.weights import dequantized, load_weights, set_weights

FREE = {
    "dropout",
    "dropout_shared_over_time",
    "recurrent_dropout",
    "word_dropout",
    "initialization",
    "initial_range",
    "forget_bias",
}
"""Settings of a model that say how its weights are made, not what they mean: these may differ."""


def hold_start(folder: Path, start: Path, model: ModelConfig) -> None:
    """See that a run can begin with the model of ``start``, before any work; one that has begun is not looked at.

    Raises:
        RunError: ``start`` is no run folder with a trained model, or its model has another architecture.
    """
    if (folder / CONFIG).exists():
        return
    found = {name: value for name, _, value in walk(read_section(start, "model", ModelConfig))}
    others = [name for name, _, value in walk(model) if name not in FREE and found[name] != value]
    if others:
        raise RunError(
            f"training.start={start} is a model of another architecture than this command's: set "
            f"{' '.join(f'model.{name}={_written(found[name])}' for name in others)}, or begin with another run"
        )
    if not (start / MODEL).is_file():
        raise RunError(f"training.start={start} has no {MODEL}: train it until it has validated at least once")


def _written(value: object) -> str:
    """A setting's value as it is typed."""
    return {"None": "null", "True": "true", "False": "false"}.get(str(value), str(value))


def take_weights(start: Path, network: Network) -> None:
    """Put the weights of another run into a network of the same architecture and vocabulary.

    Raises:
        RunError: they are missing, damaged or of another shape.
    """
    path = start / MODEL
    set_weights(network, dequantized(load_weights(path), path), path)
