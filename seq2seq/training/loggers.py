"""Where training reports its measurements besides metrics.jsonl: the choices of ``logger=``.

Each choice is a dataclass of settings that builds a `Logger`. Its package is imported when training starts.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq.errors import ConfigError, install_hint
from seq2seq.settings import Settings, setting

if TYPE_CHECKING:  # settings need no PyTorch
    from seq2seq.training.samples import Sample

Record = Mapping[str, Any]
"""A record of metrics.jsonl: ``kind`` (train or validation), ``update``, and measurements by name."""

Flat = Mapping[str, str | int | float | bool]
"""The settings of a run by dotted path."""


class Ending(StrEnum):
    """How a training ended."""

    finished = "finished"
    interrupted = "interrupted"
    failed = "failed"


class Logger:
    """Receives what training measures, and ignores it: this is ``logger=none``. Any method may raise any error."""

    def start(self, update: int, records: Sequence[Record]) -> None:
        """Begin after ``update`` updates, which have these records; what an earlier start has after them is outdated.

        Raises:
            ConfigError, RunError: the logger cannot be used.
        """

    def record(self, record: Record) -> None:
        """Receive a record of metrics.jsonl."""

    def samples(self, update: int, samples: "Sequence[Sample]") -> None:
        """Receive the sample translations of a validation."""

    def sync(self) -> None:
        """Put everything on the disk: a training state is saved next."""

    def best(self, update: int, scores: Mapping[str, float]) -> None:
        """Receive the scores of the final model, when training has finished after ``update`` updates."""

    def close(self, ending: Ending) -> None:
        """End the log, also after an error."""


def measurements(record: Record) -> dict[str, float]:
    """The measurements of a record, named by its kind: ``train/loss``."""
    return {f"{record['kind']}/{name}": value for name, value in record.items() if name not in ("kind", "update")}


@dataclass(kw_only=True)
class LoggerConfig(Settings):
    """No logger. Each choice of ``logger=`` is a subclass."""

    def check(self) -> None:
        """Check that the package of the logger is installed and its service can be used.

        Raises:
            ConfigError: says what to install or to set.
        """

    def build(self, folder: Path, settings: Flat) -> Logger:
        """Build the logger of a run folder with these settings; `Logger.start` opens it."""
        return Logger()


@dataclass(kw_only=True)
class TensorBoard(LoggerConfig):
    """TensorBoard event files in ``tensorboard/`` of the run folder."""

    def build(self, folder: Path, settings: Flat) -> Logger:
        """Build the logger."""
        from seq2seq.training.tensorboard import TensorBoardLogger

        return TensorBoardLogger(folder / "tensorboard", settings)


@dataclass(kw_only=True)
class Csv(LoggerConfig):
    """A table for spreadsheets, ``metrics.csv`` in the run folder."""

    def build(self, folder: Path, settings: Flat) -> Logger:
        """Build the logger."""
        from seq2seq.training.trackers import CsvLogger

        return CsvLogger(folder / "metrics.csv")


@dataclass(kw_only=True)
class WeightsAndBiases(LoggerConfig):
    """Weights & Biases; its run has the name of the run folder and continues when training resumes."""

    project: str = setting("seq2seq", "project of Weights & Biases")
    entity: str | None = setting(None, "user or team; null: your default")
    offline: bool = setting(False, "keep everything in RUN/wandb, for wandb sync to upload later")

    def check(self) -> None:
        """Check that wandb is installed, and has a key unless it works offline.

        Raises:
            ConfigError: says what to install or to set.
        """
        require("wandb", "wandb")
        import wandb

        offline = self.offline or wandb.setup().settings.mode in ("offline", "disabled")
        if not offline and not wandb.login(prompt=sys.stdin.isatty()):
            raise ConfigError("logger=wandb has no API key: run wandb login, or set logger.offline=true")

    def build(self, folder: Path, settings: Flat) -> Logger:
        """Build the logger."""
        from seq2seq.training.trackers import WandbLogger

        return WandbLogger(folder, settings, self.project, self.entity, self.offline)


@dataclass(kw_only=True)
class MLflow(LoggerConfig):
    """MLflow; its run has the name of the run folder and continues when training resumes."""

    experiment: str = setting("seq2seq", "experiment of MLflow; created if it is missing")
    uri: str | None = setting(
        None, "server or database, such as http://localhost:5000; null: MLFLOW_TRACKING_URI, or a local database"
    )

    def check(self) -> None:
        """Check that MLflow is installed.

        Raises:
            ConfigError: it is not.
        """
        require("mlflow", "mlflow")

    def build(self, folder: Path, settings: Flat) -> Logger:
        """Build the logger."""
        from seq2seq.training.trackers import MlflowLogger

        return MlflowLogger(folder, settings, self.experiment, self.uri)


def require(package: str, name: str) -> None:
    """Check that the package of a logger is installed.

    Raises:
        ConfigError: it is not. The message has the command that installs it.
    """
    spec = find_spec(package)
    if spec is None or spec.origin is None:  # only a folder of this name, such as these packages create
        raise ConfigError(f"logger={name} needs {package}: {install_hint(name)}, or choose another logger")
