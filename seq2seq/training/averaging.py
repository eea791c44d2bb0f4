"""One model of several: the mean of the weights of runs that began alike, or of the checkpoints that one run chose."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from seq2seq.errors import RunError
from seq2seq.model import ModelConfig, Network
from seq2seq.model.weights import Weights, load_weights_of, mean_weights
from seq2seq.run.folder import TRAINING_ONLY, LoadedRun, RunFolder, load_run
from seq2seq.settings import walk
from seq2seq.training.checkpoints import Checkpoints
from seq2seq.training.config import TrainingConfig
from seq2seq.training.progress import Progress


def average_runs(run: Path, loaded: LoadedRun, others: Sequence[Path]) -> Weights:
    """Mean of the weights of a run and others (model soups, Wortsman et al. 2022).

    It only makes sense for runs that began from the same weights (training.start, or one seed) and stayed near each
    other: the units of other runs have nothing to do with each other.

    Raises:
        RunError: another run has another architecture or other vocabularies; or a folder is no run.
    """

    def weights() -> Iterator[Weights]:
        yield _parameters(loaded.network)
        for folder in others:
            other = load_run(folder)
            _hold_same_model(loaded, run, other, folder)
            yield _parameters(other.network)

    return mean_weights(weights())


def chosen_checkpoints(run: Path) -> list[Path]:
    """The checkpoints that ``training.average`` chooses, oldest first: those of the run's best or last validations.

    Where no training state can be read, all checkpoints that are there.

    Raises:
        RunError: there are fewer than two; or the folder is no run.
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
            f"{run}: training.average={training.average} with training.average_count={training.average_count} chose "
            f"{len(paths)} of the two or more checkpoints that a mean takes: name other runs with runs=[PATH,…], or "
            f"train one with training.average=best"
        )
    return paths


def average_checkpoints(network: Network, paths: Sequence[Path]) -> Weights:
    """Mean of the weights in these files (Junczys-Dowmunt et al. 2016), all of them a network's like this one.

    Raises:
        RunError: a file is damaged or holds the weights of another network.
    """

    def weights() -> Iterator[Weights]:
        for path in paths:
            yield load_weights_of(network, path)

    return mean_weights(weights())


def _parameters(network: Network) -> Weights:
    return {name: parameter.detach() for name, parameter in network.named_parameters()}


def _hold_same_model(first: LoadedRun, run: Path, other: LoadedRun, folder: Path) -> None:
    """Refuse to average what does not compute the same function of its weights."""
    settings, others = _architecture(first.network.config), _architecture(other.network.config)
    for name, value in settings.items():
        if others[name] != value:
            raise RunError(
                f"{folder} has model.{name}={others[name]}, {run} has model.{name}={value}: only runs of one "
                f"architecture have a mean; as they are, they translate together with ensemble=[PATH,…]"
            )
    if [side.to_bytes() for side in first.tokenizers] != [side.to_bytes() for side in other.tokenizers]:
        raise RunError(f"{folder} has another vocabulary than {run}: average runs that were made with one tokenizer")


def _architecture(config: ModelConfig) -> dict[str, object]:
    return {name: value for name, _, value in walk(config) if name not in TRAINING_ONLY}
