"""What a run says while it learns: metrics.jsonl, TensorBoard and the progress bar."""

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
from seq2seq.training.progress import Progress
from seq2seq.training.tensorboard import EventFile

log = logging.getLogger("seq2seq")


class MetricsLog:
    """metrics.jsonl and TensorBoard events of one run; of several processes the first alone writes.

    The records are part of the run's progress, and so of every training state: a run that goes on makes the file anew
    of them, whatever has become of it.

    Raises:
        RunError: a file cannot be written.
    """

    def __init__(self, folder: Path, progress: Progress) -> None:
        self.path = folder / "metrics.jsonl"
        self.records = progress.records
        if progress.update and not self.records:  # a training state of an older version has none
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
            if kind == "validation":  # a training state comes next, and power may fail after it
                self.events.sync()


def _as_line(record: dict[str, Any]) -> str:
    return json.dumps(record) + "\n"


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Records of a metrics.jsonl; none where it does not exist; a last line cut short by a crash is left out.

    Raises:
        RunError: another line is no record, or this is no file.
    """
    if not path.exists():
        return []
    if not path.is_file():  # a pipe, say, that would be waited for
        raise RunError(f"{path} is no file: delete it and start again")
    records, number = [], 0
    with path.open("rb") as file:
        while (line := file.readline(LONGEST)) and (line.endswith(b"\n") or len(line) == LONGEST):
            number += 1
            if (record := _record(line)) is None:
                raise RunError(f"{path} is damaged (line {number} is no record): delete that line and start again")
            records.append(record)
    return records


def _record(line: bytes) -> dict[str, Any] | None:
    """What a line says; None where it is no record."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not isinstance(record.get("kind"), str):
        return None
    others = [value for name, value in record.items() if name != "kind"]
    return record if type(record.get("update")) is int and all(type(one) in (int, float) for one in others) else None


LONGEST = 1_000_000
"""Bytes of a line of metrics.jsonl: more is no record."""


LONG = 15 * 60
"""Seconds of training beyond which the run says at once how long it will take."""

FIRST, LAST = 3, 10
"""Updates between which the time is taken for that: the very first ones take longer."""


class ProgressBar:
    """One line on stderr: update, loss, learning rate, target pieces a second, time left.

    Args:
        update: where training stands.
        updates: where it ends.
        smaller: a setting with which training takes less time, named where it would take long.
    """

    def __init__(self, update: int, updates: int, smaller: str | None = None) -> None:
        self.first, self.updates, self.smaller = update, updates, smaller
        self.started = time.perf_counter()
        # Redrawn twice a second for a reader, now and then where stderr is a file.
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
        """One update more."""
        self.bar.update()
        done = self.bar.n - self.first
        if done == FIRST:
            self.started = time.perf_counter()
        elif done == LAST:
            self._estimate((time.perf_counter() - self.started) / (LAST - FIRST))

    def _estimate(self, seconds_per_update: float) -> None:
        """Say how long training will take, if that is long."""
        seconds = seconds_per_update * (self.updates - self.bar.n)
        if seconds > LONG:
            hint = "" if self.smaller is None else f"; {self.smaller} takes less"
            self.say(f"training will take about {seconds / 60:,.0f} minutes here{hint}")

    def show(self, loss: float, learning_rate: float, tokens_per_second: float) -> None:
        """What was found at the last look."""
        values = {"loss": f"{loss:.3f}", "lr": f"{learning_rate:.2e}", "tokens/s": f"{tokens_per_second:,.0f}"}
        self.bar.set_postfix(values, refresh=False)

    def say(self, line: str) -> None:
        """A line above the bar."""
        if not self.bar.disable:
            self.bar.write(line, file=sys.stderr)
