"""Training logs: metrics.jsonl, TensorBoard and the progress bar."""

import json
import logging
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from tqdm import tqdm

from seq2seq.errors import RunError
from seq2seq.system.atomic import atomic_write, writing
from seq2seq.system.processes import is_first
from seq2seq.training.progress import Progress, Validation
from seq2seq.training.tensorboard import EventFile

log = logging.getLogger("seq2seq")


class MetricsLog:
    """metrics.jsonl and TensorBoard events of a run; only the first process writes.

    The records are part of the run's progress, and so of every training state: a resumed run rewrites the file from
    them.

    Raises:
        RunError: a file cannot be written.
    """

    def __init__(self, folder: Path, progress: Progress) -> None:
        self.path = folder / "metrics.jsonl"
        self.records = progress.records
        if progress.update and not self.records:  # training states of older versions have none
            self.records += [record for record in read_metrics(self.path) if record["update"] <= progress.update]
        self.events: EventFile | None = None
        if is_first():
            with atomic_write(self.path) as temporary:
                temporary.write_text("".join(map(_as_line, self.records)), encoding="utf-8")
            with writing(folder / "tensorboard"):
                self.events = EventFile(folder / "tensorboard", progress.update + 1)

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.events is not None:
            self.events.close()

    def write(self, kind: str, update: int, values: dict[str, float]) -> None:
        """Append one record: ``kind`` is train or validation.

        Raises:
            RunError: a file cannot be written.
        """
        record = {"kind": kind, "update": update, **values}
        self.records.append(record)
        if self.events is None:
            return
        with writing(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(_as_line(record))
        with writing(self.path.parent / "tensorboard"):
            self.events.add(update, {f"{kind}/{name}": value for name, value in values.items()})
            if kind == "validation":  # a training state is saved next
                self.events.sync()


def _as_line(record: dict[str, Any]) -> str:
    return json.dumps(record) + "\n"


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Read the records of a metrics.jsonl; empty if it does not exist. An incomplete last line is ignored.

    Raises:
        RunError: another line is not a record, or the path is not a file.
    """
    if not path.exists():
        return []
    if not path.is_file():  # reading a pipe would block
        raise RunError(f"{path} is not a file: delete it and start again")
    records, number = [], 0
    with path.open("rb") as file:
        while (line := file.readline(MAX_LINE)) and (line.endswith(b"\n") or len(line) == MAX_LINE):
            number += 1
            if (record := _record(line)) is None:
                raise RunError(f"{path} is damaged (line {number} is not a record): delete that line and start again")
            records.append(record)
    return records


def read_validations(path: Path) -> list[Validation]:
    """The validations in a metrics.jsonl: see `read_metrics`."""
    return [
        Validation(record["update"], record["loss"], record.get("bleu"), record.get("chrf"))
        for record in read_metrics(path)
        if record["kind"] == "validation"
    ]


def _record(line: bytes) -> dict[str, Any] | None:
    """Parse a line; None if it is not a record."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not isinstance(record.get("kind"), str):
        return None
    others = [value for name, value in record.items() if name != "kind"]
    return (
        record if type(record.get("update")) is int and all(type(value) in (int, float) for value in others) else None
    )


MAX_LINE = 1_000_000
"""Most bytes of a line of metrics.jsonl."""


LONG_TRAINING = 15 * 60
"""Seconds of training beyond which the expected duration is printed at the start."""

FIRST, LAST = 3, 10
"""Updates between which time is measured for that; the very first updates are slower."""


class ProgressBar:
    """One line on stderr: update, loss, learning rate, target tokens per second, remaining time.

    Args:
        update: updates done.
        updates: updates in total.
        smaller: a setting for a smaller model, suggested if training takes long.
    """

    def __init__(self, update: int, updates: int, smaller: str | None = None) -> None:
        self.first, self.updates, self.smaller = update, updates, smaller
        self.started = time.perf_counter()
        # Redrawn twice a second on a terminal, and rarely in a file.
        interval = 0.5 if sys.stderr.isatty() else 15
        self.bar = tqdm(
            total=updates,
            initial=update,
            unit="update",
            mininterval=interval,
            dynamic_ncols=True,
            desc="training",
            disable=not log.isEnabledFor(logging.INFO),  # recipes enable it
        )

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.close()

    def step(self) -> None:
        """Advance by one update."""
        self.bar.update()
        done = self.bar.n - self.first
        if done == FIRST:
            self.started = time.perf_counter()
        elif done == LAST:
            self._estimate((time.perf_counter() - self.started) / (LAST - FIRST))

    def _estimate(self, seconds_per_update: float) -> None:
        """Print the expected duration of training if it is long."""
        seconds = seconds_per_update * (self.updates - self.bar.n)
        if seconds > LONG_TRAINING:
            hint = "" if self.smaller is None else f"; {self.smaller} takes less"
            self.say(f"training will take about {seconds / 60:,.0f} minutes here{hint}")

    def show(self, loss: float, learning_rate: float, tokens_per_second: float) -> None:
        """Show the latest metrics."""
        values = {"loss": f"{loss:.3f}", "lr": f"{learning_rate:.2e}", "tokens/s": f"{tokens_per_second:,.0f}"}
        self.bar.set_postfix(values, refresh=False)

    def say(self, line: str) -> None:
        """A line above the bar."""
        if not self.bar.disable:
            self.bar.write(line, file=sys.stderr)
