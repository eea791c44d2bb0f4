"""metrics.jsonl and the logger of a run."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from seq2seq.errors import RunError
from seq2seq.system.atomic import atomic_write, writing
from seq2seq.system.processes import is_first
from seq2seq.training.interrupt import Interrupted
from seq2seq.training.loggers import Ending, Logger
from seq2seq.training.progress import Progress, Validation
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
