"""The table of a sweep: sweep.csv with a row for each job."""

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq.errors import RunError
from seq2seq.report.aligned import aligned

if TYPE_CHECKING:  # imports torch
    pass

TABLE = "sweep.csv"
"""A row for each job: the swept settings, the best validation, the time, and what became of it."""

BEFORE, AFTER = ("job",), ("criterion", "score", "update", "seconds", "status", "error")
"""Columns of sweep.csv around those of the swept settings."""

LONGEST_ERROR = 60
"""Maximum characters of an error in the printed table; sweep.csv has all of it."""


class Status(StrEnum):
    """What became of a job."""

    finished = "finished"
    interrupted = "interrupted"
    failed = "failed"


@dataclass(frozen=True)
class Job:
    """A row of sweep.csv."""

    folder: str
    """Name of the job's run folder within the sweep's folder."""
    settings: dict[str, str]
    """The swept settings."""
    status: Status
    error: str = ""
    criterion: str = ""
    score: float = math.nan
    """The value that sweepers maximize; minus the loss if that is the criterion. NaN without a validation."""
    update: int | None = None
    """The update of the best validation."""
    seconds: float = 0.0

    @property
    def rank(self) -> tuple[bool, float]:
        """Key for sorting: the best first, those without a score last."""
        return math.isnan(self.score), -self.score

    def as_row(self) -> list[str]:
        """The row in the order of the columns."""
        update = "" if self.update is None else str(self.update)
        score = "" if math.isnan(self.score) else repr(self.score)
        outcome = [self.criterion, score, update, f"{self.seconds:.1f}", self.status, self.error]
        return [self.folder, *self.settings.values(), *outcome]

    @classmethod
    def from_row(cls, row: Mapping[str, str]) -> "Job":
        """The inverse of `as_row`.

        Raises:
            ValueError, LookupError, TypeError: the row is not from `as_row`.
        """
        settings = {name: value for name, value in row.items() if name not in (*BEFORE, *AFTER)}
        score, update = float(row["score"] or "nan"), int(row["update"]) if row["update"] else None
        outcome = Status(row["status"]), row["error"], row["criterion"]
        return cls(row["job"], settings, *outcome, score, update, float(row["seconds"]))


def read_jobs(folder: Path) -> list[Job]:
    """The jobs in the sweep.csv of a folder, best first; empty without the file.

    Raises:
        RunError: the file is damaged.
    """
    path = folder / TABLE
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return sorted(map(Job.from_row, csv.DictReader(file)), key=lambda job: job.rank)
    except FileNotFoundError:
        return []
    except (ValueError, LookupError, TypeError, csv.Error, OSError) as error:
        raise RunError(f"{path} is damaged ({error}): delete it; the same command makes it again") from None


def write_jobs(folder: Path, jobs: Sequence[Job]) -> None:
    """Write sweep.csv, best job first.

    Raises:
        RunError: it cannot be written.
    """
    from seq2seq.system.atomic import atomic_write

    names = list(dict.fromkeys(name for job in jobs for name in job.settings))
    with (
        atomic_write(folder / TABLE) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow([*BEFORE, *names, *AFTER])
        for job in sorted(jobs, key=lambda job: job.rank):
            writer.writerow(replace(job, settings={name: job.settings.get(name, "") for name in names}).as_row())


def describe(folder: Path, jobs: Sequence[Job]) -> str:
    """The table of a sweep as text, best job first, and where to find more."""
    names = list(jobs[0].settings)
    scores = {"bleu": "best BLEU", "chrf": "best chrF", "loss": "best loss"}
    criteria = [*{job.criterion for job in jobs if job.criterion}]
    header = scores[criteria[0]] if len(criteria) == 1 else "best score"
    rows = [["job folder", *names, header, "update", "time", "", ""]]
    for job in jobs:
        error = job.error if len(job.error) <= LONGEST_ERROR else f"{job.error[:LONGEST_ERROR]}…"
        rows.append([job.folder, *map(rounded, job.settings.values()), *_result(job), job.status, error])
    counts = [f"{count} {status}" for status in Status if (count := sum(job.status == status for job in jobs))]
    lines = [f"sweep in {folder}: {', '.join(counts)}", aligned(rows, (0, len(rows[0]) - 2, len(rows[0]) - 1))]
    if not math.isnan(jobs[0].score):
        lines.append(f"best:  {folder / jobs[0].folder}")
    return "\n".join([*lines, f"table: {folder / TABLE}"])


def rounded(value: str) -> str:
    """A number with many digits, as sweepers draw them, with six; any other value unchanged."""
    return f"{float(value):.6g}" if re.fullmatch(r"-?\d*\.\d{7,}(e-?\d+)?", value) else value


def _result(job: Job) -> list[str]:
    """The best score, its update and the time of a job in words."""
    score = f"{-job.score:.4f}" if job.criterion == "loss" else f"{job.score:.2f}"
    minutes, seconds = divmod(round(job.seconds), 60)
    time_spent = f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return ["–" if math.isnan(job.score) else score, "–" if job.update is None else f"{job.update:,}", time_spent]
