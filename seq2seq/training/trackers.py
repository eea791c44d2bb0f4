"""Loggers for spreadsheets, Weights & Biases and MLflow."""

import csv
import io
import json
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seq2seq.errors import RunError
from seq2seq.system.atomic import atomic_write
from seq2seq.training.loggers import Ending, Flat, Logger, Record, measurements
from seq2seq.training.samples import Sample

COLUMNS = (
    *("kind", "update", "epoch", "loss", "perplexity", "bleu", "chrf"),
    *("learning_rate", "gradient_norm", "loss_scale", "tokens_per_second"),
)
"""Columns of metrics.csv: every name that a record may have."""

IDS = "logger.json"
"""The file of a run folder with the run's id in each service."""

MOST = 100
"""Parameters that one request to MLflow may have."""


class CsvLogger(Logger):
    """Writes all records as rows of one table; cells that a record lacks are empty."""

    def __init__(self, path: Path) -> None:
        self.path, self.size = path, 0

    def start(self, update: int, records: Sequence[Record]) -> None:
        """Rewrite the table with the records so far."""
        with atomic_write(self.path) as temporary:
            temporary.write_bytes(_csv([dict(zip(COLUMNS, COLUMNS, strict=True)), *records]))
        self.size = self.path.stat().st_size

    def record(self, record: Record) -> None:
        """Append a row, in place of one that was written in part only."""
        with self.path.open("r+b") as file:
            file.truncate(self.size)
            file.seek(self.size)
            file.write(_csv([record]))
            file.flush()
            self.size = file.tell()


def _csv(rows: Sequence[Record]) -> bytes:
    text = io.StringIO()
    csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


class WandbLogger(Logger):
    """Logs to Weights & Biases."""

    def __init__(self, folder: Path, settings: Flat, project: str, entity: str | None, offline: bool) -> None:
        self.folder, self.settings = folder, settings
        self.options: dict[str, Any] = {"project": project, "entity": entity, "mode": "offline" if offline else None}
        self.run: Any = None

    def start(self, update: int, records: Sequence[Record]) -> None:
        """Start a run, or continue the one of the run folder."""
        import wandb

        identity = saved_id(self.folder, "wandb") or save_id(self.folder, "wandb", secrets.token_hex(4))
        quiet = wandb.Settings(console="off", silent=True)
        try:
            self.run = wandb.init(
                id=identity,
                resume="allow",
                name=self.folder.resolve().name,
                dir=str(self.folder),
                config=dict(self.settings),
                settings=quiet,
                **self.options,
            )
        except wandb.Error as error:
            raise _unusable("wandb", error) from None

    def record(self, record: Record) -> None:
        """Log a record. wandb ignores the updates that a resumed run repeats: they have the same values."""
        self.run.log(measurements(record), step=record["update"])

    def samples(self, update: int, samples: Sequence[Sample]) -> None:
        """Log a table."""
        import wandb

        rows = [[sample.source, sample.reference, sample.hypothesis] for sample in samples]
        table = wandb.Table(columns=["source", "reference", "model"], data=rows)
        self.run.log({"samples": table}, step=update)

    def best(self, update: int, scores: Mapping[str, float]) -> None:
        """Set values of the summary."""
        self.run.summary.update({f"best/{name}": score for name, score in scores.items()})

    def close(self, ending: Ending) -> None:
        """Finish the run."""
        if self.run is not None:
            self.run.finish(exit_code=0 if ending is Ending.finished else 1)


class MlflowLogger(Logger):
    """Logs to MLflow."""

    def __init__(self, folder: Path, settings: Flat, experiment: str, uri: str | None) -> None:
        self.folder, self.settings, self.experiment, self.uri = folder, settings, experiment, uri
        self.client: Any = None
        self.run = ""

    def start(self, update: int, records: Sequence[Record]) -> None:
        """Create a run, or continue the one of the run folder."""
        import mlflow

        try:
            self.client = mlflow.MlflowClient(self.uri)
            self.run = saved_id(self.folder, "mlflow") or self._create()
            self.client.update_run(self.run, status="RUNNING")
        except (mlflow.MlflowException, ImportError, OSError) as error:
            raise _unusable("mlflow", error) from None

    def record(self, record: Record) -> None:
        """Log a record."""
        self._log(record["update"], measurements(record))

    def samples(self, update: int, samples: Sequence[Sample]) -> None:
        """Log a text file."""
        text = "\n\n".join("\n".join(sample.rows()) for sample in samples)
        self.client.log_text(self.run, f"{text}\n", f"samples/update-{update:07d}.txt")

    def best(self, update: int, scores: Mapping[str, float]) -> None:
        """Log metrics."""
        self._log(update, {f"best/{name}": score for name, score in scores.items()})

    def close(self, ending: Ending) -> None:
        """End the run with its status."""
        status = {Ending.finished: "FINISHED", Ending.interrupted: "KILLED", Ending.failed: "FAILED"}[ending]
        if self.run:
            self.client.set_terminated(self.run, status)

    def _create(self) -> str:
        """Create a run with the settings as its parameters, which cannot change later, and keep its id."""
        from mlflow.entities import Param

        found = self.client.get_experiment_by_name(self.experiment)
        experiment = self.client.create_experiment(self.experiment) if found is None else found.experiment_id
        run: str = self.client.create_run(experiment, run_name=self.folder.resolve().name).info.run_id
        params = [Param(name, str(value)) for name, value in self.settings.items()]
        for first in range(0, len(params), MOST):
            self.client.log_batch(run, params=params[first : first + MOST])
        return save_id(self.folder, "mlflow", run)

    def _log(self, update: int, values: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        self.client.log_batch(self.run, [Metric(name, value, now, update) for name, value in values.items()])


def _unusable(name: str, error: Exception) -> RunError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return RunError(
        f"logger={name} cannot start ({reason}): check its settings, delete {IDS} in the run folder if its run was "
        f"deleted there, or choose another logger"
    )


def saved_id(folder: Path, service: str) -> str | None:
    """The id of the run in a service; None if there is none yet.

    Raises:
        RunError: the file is damaged.
    """
    return _ids(folder / IDS).get(service)


def save_id(folder: Path, service: str, identity: str) -> str:
    """Keep the id of the run in a service, and return it."""
    path = folder / IDS
    ids = {**_ids(path), service: identity}
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(ids) + "\n", encoding="utf-8")
    return identity


def _ids(path: Path) -> dict[str, str]:
    if not os.path.lexists(path):
        return {}
    try:
        if not path.is_file() or path.stat().st_size > 10_000:
            raise ValueError
        ids = json.loads(path.read_text(encoding="utf-8"))
        if not (isinstance(ids, dict) and all(isinstance(value, str) for value in ids.values())):
            raise ValueError
    except (ValueError, RecursionError, OSError):
        raise RunError(f"{path} is damaged: delete it to start a new run in the service") from None
    return ids
