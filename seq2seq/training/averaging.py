"""Weight averaging: over runs with the same initial weights, or over checkpoints of one run."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from seq2seq.errors import RunError
from seq2seq.model import Network
from seq2seq.model.weights import Weights, load_weights_of, mean_weights
from seq2seq.run.folder import LoadedRun, RunFolder, load_run
from seq2seq.run.metadata import architecture
from seq2seq.training.checkpoints import Checkpoints
from seq2seq.training.config import TrainingConfig
from seq2seq.training.progress import Progress


def average_runs(run: Path, loaded: LoadedRun, others: Sequence[Path]) -> Weights:
    """Average the weights of a run and others (model soups, Wortsman et al. 2022).

    The runs must have started from the same weights (training.start, or the same seed) and stayed near each other:
    otherwise their units do not correspond.

    Raises:
        RunError: another run has a different architecture or vocabulary, or a folder is not a run folder.
    """

    def weights() -> Iterator[Weights]:
        yield _parameters(loaded.network)
        for folder in others:
            other = load_run(folder)
            _check_same_model(loaded, run, other, folder)
            yield _parameters(other.network)

    return mean_weights(weights())


def chosen_checkpoints(run: Path) -> list[Path]:
    """The checkpoints of the run's best or last validations, as ``training.average`` selects them, oldest first.

    All checkpoints in the folder, if no training state can be read.

    Raises:
        RunError: there are fewer than two, or the folder is not a run folder.
    """
    training, checkpoints = RunFolder.open(run).section("training", TrainingConfig), Checkpoints(run / "checkpoints")
    try:
        progress = Progress.from_dict(checkpoints.progress() or {})
        updates = progress.averaged(training.average, training.average_count, training.criterion)
        paths = [checkpoints.weights_path(update) for update in sorted(updates)]
    except (ValueError, LookupError, TypeError, AttributeError):
        paths = checkpoints.kept()
    if len(paths) < 2:
        raise RunError(
            f"{run}: an average needs two or more checkpoints, and training.average={training.average} with "
            f"training.average_count={training.average_count} selected {len(paths)}: name other runs with "
            f"runs=[PATH,…], or train with training.average=best"
        )
    return paths


def average_checkpoints(run: RunFolder, loaded: LoadedRun, paths: Sequence[Path]) -> Weights:
    """Average the weights in these files (Junczys-Dowmunt et al. 2016).

    Raises:
        RunError: a file is damaged, does not fit the network, or was trained with other tokenizers or settings.
    """

    def weights() -> Iterator[Weights]:
        for path in paths:
            run.check_file(path, loaded.metadata)
            yield load_weights_of(loaded.network, path)

    return mean_weights(weights())


def _parameters(network: Network) -> Weights:
    return {name: parameter.detach() for name, parameter in network.named_parameters()}


def _check_same_model(first: LoadedRun, run: Path, other: LoadedRun, folder: Path) -> None:
    """Check that two runs have the same architecture and vocabulary."""
    settings, others = architecture(first.network.config), architecture(other.network.config)
    for name, value in settings.items():
        if others[name] != value:
            raise RunError(
                f"{folder} has model.{name}={others[name]}, {run} has model.{name}={value}: only runs with the "
                f"same architecture can be averaged; use them as an ensemble with ensemble=[PATH,…]"
            )
    if [side.to_bytes() for side in first.tokenizers] != [side.to_bytes() for side in other.tokenizers]:
        raise RunError(f"{folder} has another vocabulary than {run}: average runs with the same tokenizer")
