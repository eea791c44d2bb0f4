"""Training logs: metrics.jsonl, the logger and the progress bar."""

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Any

from tqdm import tqdm

from seq2seq.errors import RunError
from seq2seq.system.atomic import atomic_write, writing
from seq2seq.system.processes import is_first
from seq2seq.training.interrupt import Interrupted
from seq2seq.training.loggers import Ending, Logger
from seq2seq.training.progress import Progress, Validation
from seq2seq.training.run_log import FILE_ONLY, is_reported
from seq2seq.training.samples import Sample

log = logging.getLogger("seq2seq")


class MetricsLog:
    """metrics.jsonl of a run and its logger; only the first process writes.

    The records are part of the run's progress, and so of every training state: a resumed run rewrites the file from
    them. A logger that fails is reported once and tried again at each validation; it then gets what it has missed.

    Raises:
        ConfigError: the logger cannot be used.
        RunError: a file cannot be written, or the logger cannot be used.
    """

    def __init__(self, folder: Path, progress: Progress, logger: Logger | None = None) -> None:
        self.path = folder / "metrics.jsonl"
        self.progress = progress
        self.records = progress.records
        if progress.update and not self.records:  # training states of older versions have none
            self.records += [record for record in read_metrics(self.path) if record["update"] <= progress.update]
        self.logger = Logger() if logger is None or not is_first() else logger
        self.received = len(self.records)
        self.failed = self.warned = False
        if is_first():
            with atomic_write(self.path) as temporary:
                temporary.write_text("".join(map(_as_line, self.records)), encoding="utf-8")
        self.logger.start(progress.update, self.records)

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        interrupted = isinstance(error, (Interrupted, KeyboardInterrupt))
        ending = Ending.finished if error is None else Ending.interrupted if interrupted else Ending.failed
        self.failed = False
        self._try(lambda: self.logger.close(ending))

    def write(self, kind: str, update: int, values: dict[str, float]) -> None:
        """Append one record: ``kind`` is train or validation.

        Raises:
            RunError: metrics.jsonl cannot be written.
        """
        self.records.append({"kind": kind, "update": update, **values})
        if not is_first():
            return
        with writing(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(_as_line(self.records[-1]))
        self.failed &= kind != "validation"
        self._try(self._send)

    def samples(self, samples: Sequence[Sample]) -> None:
        """Pass the sample translations of a validation to the logger; a training state is saved next."""
        if samples:
            self._try(lambda: self.logger.samples(self.progress.update, samples))
        self._try(self.logger.sync)

    def best(self, scores: Mapping[str, float]) -> None:
        """Pass the scores of the final model to the logger."""
        self.failed = False
        self._try(self._send)
        self._try(lambda: self.logger.best(self.progress.update, scores))

    def _send(self) -> None:
        """Pass all records to the logger that it has not received."""
        for record in self.records[self.received :]:
            self.logger.record(record)
            self.received += 1

    def _try(self, call: Callable[[], None]) -> None:
        """Call the logger unless it has failed; an error of it does not end the run."""
        if self.failed:
            return
        try:
            call()
        except Exception as error:
            self.failed = True
            if not self.warned:
                self.warned = True
                name, reason = type(self.logger).__name__, str(error) or type(error).__name__
                log.warning("%s has failed (%s): training continues, and %s has all values", name, reason, self.path)


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
"""After `LAST` updates the first ones, which are slower, no longer count for the mean duration of an update."""

FIRST_LINE, NEXT_LINE = 3, 15
"""Seconds until the first line where there is no terminal, and at least between later ones."""

BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"


class TimeLeft:
    """Estimates the remaining time from the durations of updates and of the last validation.

    Args:
        update: updates done.
        updates: updates in total.
        validate_every: updates between validations.
    """

    def __init__(self, update: int, updates: int, validate_every: int | None = None) -> None:
        self.update, self.updates, self.validate_every = update, updates, validate_every
        self.early: list[float] = []
        self.seconds, self.count = 0.0, 0
        self.validation = 0.0
        self.last = time.perf_counter()

    def step(self) -> None:
        """Count an update, which ends now."""
        duration, self.last = time.perf_counter() - self.last, time.perf_counter()
        self.update += 1
        if len(self.early) < LAST:
            self.early.append(duration)
        if len(self.early) > FIRST:
            self.seconds, self.count = self.seconds + duration, self.count + 1

    @contextmanager
    def validating(self) -> Iterator[None]:
        """Measure a validation, whose time does not belong to an update."""
        started = time.perf_counter()
        yield
        self.last = time.perf_counter()
        self.validation = self.last - started

    def seconds_left(self) -> float | None:
        """The estimate; None before the second update."""
        if len(self.early) < 2:
            return None
        # The median of few durations ignores those of the slow first updates.
        update = self.seconds / self.count if len(self.early) == LAST else median(self.early[1:])
        validations = 0 if self.validate_every is None else self._validations(self.validate_every)
        return update * (self.updates - self.update) + self.validation * validations

    def _validations(self, every: int) -> int:
        """Validations that are still to come: the last update has one."""
        return -(-self.updates // every) - self.update // every

    def in_words(self) -> str:
        """``about 12 min left``; empty before there is an estimate."""
        seconds = self.seconds_left()
        done = self.update >= self.updates
        return "" if seconds is None or done else f"about {duration_in_words(seconds)} left"


def duration_in_words(seconds: float) -> str:
    """A rounded duration: ``40 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60:,} h {minutes % 60} min"


class ProgressBar:
    """Update, loss, learning rate, target tokens per second, remaining time.

    On a terminal it is one line on stderr. Elsewhere these values are lines of their own, the first after a few
    seconds. run.log has them at every record.

    Args:
        update: updates done.
        updates: updates in total.
        smaller: a setting for a smaller model, suggested if training takes long.
        validate_every: updates between validations.
    """

    def __init__(
        self, update: int, updates: int, smaller: str | None = None, validate_every: int | None = None
    ) -> None:
        self.updates, self.smaller = updates, smaller
        self.left = TimeLeft(update, updates, validate_every)
        self.metrics = ""
        self.reported = is_reported()  # recipes enable it
        self.next_line = time.perf_counter() + FIRST_LINE
        self.bar = tqdm(
            total=updates,
            initial=update,
            unit="update",
            mininterval=0.5,
            dynamic_ncols=True,
            desc="training",
            bar_format=BAR,
            disable=not (self.reported and sys.stderr.isatty()),
        )

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.close()

    def step(self) -> None:
        """Advance by one update."""
        self.left.step()
        if self.bar.disable:
            if not self.metrics:  # the first line does not wait for the first record
                self._line()
        else:
            self.bar.set_postfix_str(self._values(), refresh=False)
            self.bar.update()
        if len(self.left.early) == self.left.count + FIRST == LAST:
            self._announce()

    def _announce(self) -> None:
        """Print the expected duration of training if it is long."""
        seconds = self.left.seconds_left() or 0.0
        if seconds > LONG_TRAINING:
            hint = "" if self.smaller is None else f"; {self.smaller} takes less"
            self.say(f"training will take about {seconds / 60:,.0f} minutes here{hint}")

    def show(self, loss: float, learning_rate: float, tokens_per_second: float) -> None:
        """Show the latest metrics."""
        self.metrics = f"loss={loss:.3f}, lr={learning_rate:.2e}, tokens/s={tokens_per_second:,.0f}"
        log.log(FILE_ONLY, "%s", self._place())
        self._line()

    def validating(self) -> AbstractContextManager[None]:
        """Within this context, time does not count as that of updates."""
        return self.left.validating()

    def say(self, line: str) -> None:
        """Print one or more lines above the bar."""
        log.log(FILE_ONLY, "%s", line)
        if self.reported:
            self.bar.write(line, file=sys.stderr)

    def _line(self) -> None:
        """Print a line with all values where there is no bar, unless the last one is recent."""
        if self.reported and self.bar.disable and self.left.seconds_left() is not None:
            now = time.perf_counter()
            if now >= self.next_line:
                self.next_line = now + NEXT_LINE
                self.bar.write(self._place(), file=sys.stderr)

    def _place(self) -> str:
        return f"update {self.left.update:>6,} of {self.updates:,}  {self._values()}"

    def _values(self) -> str:
        return ", ".join(filter(None, (self.metrics, self.left.in_words())))
