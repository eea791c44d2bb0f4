"""Sweeps of recipes/train.py (``-m``): the folder of each job, resuming, and the table of results.

Hydra's sweeper chooses the values and its launcher starts the jobs, here or on other machines. `sweeping` surrounds
the sweep in the process that the user started. `sweep_job` runs one job, in whatever process the launcher chose; it
knows the sweep only by Hydra's config and by the files in the sweep's folder.
"""

import contextlib
import csv
import hashlib
import math
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import yaml
from hydra import compose, initialize_config_dir
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict

from seq2seq.config.error_lines import USER_ERRORS, error_line
from seq2seq.config.recipes import TrainConfig
from seq2seq.config.schemas import conf_folder
from seq2seq.errors import ConfigError, RunError, Seq2SeqError, shown
from seq2seq.report.aligned import aligned
from seq2seq.report.help import command, quoted
from seq2seq.settings import differing, flat, hydra_quoted, validate
from seq2seq.system.launcher import is_launched
from seq2seq.training.interrupt import Interrupted

if TYPE_CHECKING:  # imports torch
    from seq2seq.run.folder import RunFolder

TABLE = "sweep.csv"
"""A row for each job: the swept settings, the best validation, the time, and what became of it."""

SETTINGS = "sweep.yaml"
"""What all jobs share: the names of the swept settings, and every other setting."""

STOP = ".stop"
"""A file that keeps jobs from starting; Ctrl-C creates it if a launcher runs jobs in other processes."""

STOPPED = 128 + signal.SIGINT
"""Exit code after Ctrl-C."""

LONGEST_NAME = 60
"""Maximum characters of a job folder's name that state its settings; longer ones end in a hash."""

LONGEST_ERROR = 60
"""Maximum characters of an error in the printed table; sweep.csv has all of it."""

BEFORE, AFTER = ("job",), ("criterion", "score", "update", "seconds", "status", "error")
"""Columns of sweep.csv around those of the swept settings."""


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
    """The value that sweepers maximise; minus the loss if that is the criterion. NaN without a validation."""
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


def folder_name(settings: Mapping[str, str]) -> str:
    """Name of a job's folder: its settings, such as ``seed=1+model.dropout=0.3``, so that order does not matter.

    Characters that need quotes in a shell are replaced. A name that is not exactly the settings ends in a hash of them.
    """
    text = "+".join(f"{name}={value}" for name, value in settings.items()) or "job"
    name = "+".join(f"{name}={_rounded(value)}" for name, value in settings.items()) or "job"
    name = re.sub(r"[^\w.=+-]+", "-", name)
    if name == text and len(name) <= LONGEST_NAME and not name.endswith("."):
        return name
    return f"{name[:LONGEST_NAME]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _rounded(value: str) -> str:
    """A number with many digits, as sweepers draw them, with six; any other value unchanged."""
    return f"{float(value):.6g}" if re.fullmatch(r"-?\d*\.\d{7,}(e-?\d+)?", value) else value


# The process that the user started


@dataclass(frozen=True)
class Sweep:
    """A sweep that is about to start."""

    folder: Path
    arguments: list[str]
    """Overrides of Hydra's own settings, by which each job knows the sweep's folder and which settings are swept."""
    waits: bool
    """Whether jobs run in other processes, for which this one waits."""


@contextlib.contextmanager
def sweeping(arguments: Sequence[str], typed: Sequence[str]) -> Iterator[list[str]]:
    """Prepare a sweep, yield the arguments to start it with, and print its table at the end, however it ends.

    Args:
        arguments: of recipes/train.py, as Hydra reads them. Without ``-m`` they are yielded unchanged.
        typed: the arguments as the user typed them, for the command that resumes.

    Raises:
        ConfigError: a setting is invalid.
        RunError: the folder holds another sweep.
        SystemExit: at the end, with 1 if a job failed, or 128 + the signal if the sweep was stopped.
    """
    sweep = _prepare(arguments)
    if sweep is None:
        yield list(arguments)
        return
    again = f"resume with: {command('train')} {' '.join(map(quoted, typed))}"
    stop, exit_code = sweep.folder / STOP, 0
    try:
        with _stopping(stop) if sweep.waits else contextlib.nullcontext():
            yield [*arguments, *sweep.arguments]
    except (Interrupted, KeyboardInterrupt) as interrupt:
        exit_code = getattr(interrupt, "exit_code", STOPPED)
        if _is_first():
            print(str(interrupt) or "stopped", file=sys.stderr)
    except Exception as error:
        if isinstance(error, USER_ERRORS) or not (stop.exists() or (sweep.folder / TABLE).exists()):
            raise
        if not stop.exists():  # launchers raise many kinds of exceptions, also when their jobs are stopped
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            exit_code = 1
            print(f"error: the sweep ended early ({shown(reason)}): rerun the same command to resume", file=sys.stderr)
    finally:
        exit_code = exit_code or STOPPED * stop.exists()
        _tidy(sweep.folder)
    statuses = _report(sweep.folder)
    exit_code = exit_code or STOPPED * (sweep.waits and Status.interrupted in statuses) or Status.failed in statuses
    if exit_code >= STOPPED and _is_first():
        print(again, file=sys.stderr)
    if exit_code:
        sys.exit(int(exit_code))


def _prepare(arguments: Sequence[str]) -> Sweep | None:
    """Read the arguments of a sweep and check that its folder can hold it; None if they start no sweep."""
    parsed = get_args_parser().parse_args(list(arguments))
    if not (parsed.multirun or "hydra.mode=MULTIRUN" in parsed.overrides) or parsed.help or parsed.cfg or parsed.info:
        return None
    overrides = OverridesParser.create().parse_overrides(parsed.overrides)
    fixed = [override.input_line or "" for override in overrides if not override.is_sweep_override()]
    if parsed.config_dir is not None:
        fixed.append(f"hydra.searchpath=[{hydra_quoted('file://' + os.path.abspath(parsed.config_dir))}]")
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        config = compose(parsed.config_name or "train", fixed, return_hydra_config=True)
    hydra = config.hydra
    params = OmegaConf.select(hydra, "sweeper.params") or {}
    overrides += OverridesParser.create().parse_overrides([f"{name}={value}" for name, value in params.items()])
    swept = sorted({override.get_key_element() for override in overrides if override.is_sweep_override()})
    if "run" in swept:
        raise ConfigError("run is the folder of the whole sweep, with a folder for each job in it: name one, run=PATH")
    folder = Path(str(hydra.sweep.dir)).expanduser()
    with open_dict(config):
        del config["hydra"]
    settings = _settings(config)
    _open(folder, settings, swept)
    kept = sorted({override.get_key_element() for override in overrides} - {*swept})
    told = [
        f"hydra.sweep.dir={hydra_quoted(str(folder))}",
        f"hydra.job.config.override_dirname.exclude_keys=[{','.join(map(hydra_quoted, kept))}]",
    ]
    sampler, storage = (OmegaConf.select(hydra, f"sweeper.{name}") for name in ("sampler", "storage"))
    if storage is None and sampler is not None and sampler.get("seed", 0) is None:
        told.append("hydra.sweeper.sampler.seed=1")  # the same command makes the same trials, and so resumes
    if OmegaConf.select(hydra, "sweeper.max_failure_rate") == 0:
        told.append("hydra.sweeper.max_failure_rate=1")
    return Sweep(folder, told, not hydra.launcher._target_.endswith(".BasicLauncher"))


def _is_first() -> bool:
    """Whether this process writes and prints; torchrun may have started several."""
    if not is_launched():
        return True
    from seq2seq.system.processes import is_first  # imports PyTorch

    return is_first()


def _settings(composed: DictConfig) -> TrainConfig:
    settings = OmegaConf.to_object(composed)
    assert isinstance(settings, TrainConfig)
    validate(settings)
    return settings


def _open(folder: Path, config: TrainConfig, swept: list[str]) -> None:
    """Create the folder of a sweep, or check that the sweep in it differs in no more than the swept values.

    Raises:
        RunError: the folder holds a run or another sweep, or cannot be written.
    """
    from seq2seq.run.folder import CONFIG
    from seq2seq.run.resume import CHANGEABLE, saved_settings
    from seq2seq.system.atomic import atomic_write

    another = "choose another folder with run=PATH"
    if (folder / CONFIG).exists():
        raise RunError(f"{folder} holds a run, and a sweep makes a run folder for each job in its folder: {another}")
    settings = flat(saved_settings(config))
    if (folder / SETTINGS).exists():
        old_swept, old_settings = _read_settings(folder / SETTINGS)
        if old_swept != swept:
            before, now = (", ".join(names) or "nothing" for names in (old_swept, swept))
            raise RunError(f"{folder} holds a sweep over {before}, this command sweeps over {now}: {another}")
        checked = [old_settings]
        ignored = [*CHANGEABLE]
    else:  # job folders of older versions are numbered
        checked = [run.flat_settings for run in _numbered(folder)]
        ignored = [*CHANGEABLE, *_set_by(swept)]
    for old in checked:
        for name, (before, now) in differing([old, settings], ignored).items():
            raise RunError(f"{folder} holds a sweep with {name}={before}, this command says {name}={now}: {another}")
    if not _is_first():
        return
    with atomic_write(folder / SETTINGS) as temporary:
        temporary.write_text(OmegaConf.to_yaml({"swept": swept, "settings": settings}), encoding="utf-8")
    # Jobs that failed start again, if they are still part of the sweep.
    if (folder / TABLE).exists():
        write_jobs(folder, [job for job in read_jobs(folder) if job.status is not Status.failed])


def _read_settings(path: Path) -> tuple[list[str], dict[str, Any]]:
    """The names of swept settings and the other settings in a sweep.yaml."""
    try:
        saved = yaml.safe_load(path.read_text(encoding="utf-8"))
        return list(saved["swept"]), dict(saved["settings"])
    except (yaml.YAMLError, ValueError, LookupError, TypeError, OSError) as error:
        reason = " ".join(str(error).split())
        raise RunError(f"{path} is damaged ({reason}): restore it, or choose another folder with run=PATH") from None


def _set_by(swept: Sequence[str]) -> tuple[str, ...]:
    """The settings that swept settings and choices may change, for `differing`."""
    names = [name.lstrip("+") for name in swept]
    return ("",) if "experiment" in names else tuple(f"{prefix}{name}" for name in names for prefix in ("", "choices."))


def _numbered(folder: Path) -> list["RunFolder"]:
    """The run folders of a sweep that an older version started, which numbered them."""
    from seq2seq.run.folder import CONFIG, RunFolder

    places = [place for place in folder.iterdir() if place.name.isdecimal()] if folder.is_dir() else []
    return [RunFolder.open(place) for place in sorted(places) if (place / CONFIG).exists()]


@contextlib.contextmanager
def _stopping(stop: Path) -> Iterator[None]:
    """At the first Ctrl-C, let the running jobs save their state and start no others; a second one ends at once.

    A terminal sends Ctrl-C to the jobs' processes as well. Without this they would be killed as this process ends.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, previous)
        stop.touch()
        print("stopping: jobs save their state; Ctrl-C again ends at once", file=sys.stderr)

    previous = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _tidy(folder: Path) -> None:
    """Remove the files of a sweep that keep no job from starting any more, or that belong to no job."""
    (folder / STOP).unlink(missing_ok=True)
    if _is_first() and not any(place.is_dir() or place.name == TABLE for place in folder.iterdir()):
        for name in (SETTINGS, "multirun.yaml"):  # the latter is Hydra's
            (folder / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # it has other files
            folder.rmdir()


def _report(folder: Path) -> list[Status]:
    """Print the table of a sweep and return the status of every job in it."""
    jobs = read_jobs(folder)
    if jobs and _is_first():
        print(f"\n{describe(folder, jobs)}")
    return [job.status for job in jobs]


def describe(folder: Path, jobs: Sequence[Job]) -> str:
    """The table of a sweep as text, best job first, and where to find more."""
    names = list(jobs[0].settings)
    scores = {"bleu": "best BLEU", "chrf": "best chrF", "loss": "best loss"}
    criteria = [*{job.criterion for job in jobs if job.criterion}]
    header = scores[criteria[0]] if len(criteria) == 1 else "best score"
    rows = [["job folder", *names, header, "update", "time", "", ""]]
    for job in jobs:
        error = job.error if len(job.error) <= LONGEST_ERROR else f"{job.error[:LONGEST_ERROR]}…"
        rows.append([job.folder, *map(_rounded, job.settings.values()), *_result(job), job.status, error])
    counts = [f"{count} {status}" for status in Status if (count := sum(job.status == status for job in jobs))]
    lines = [f"sweep in {folder}: {', '.join(counts)}", aligned(rows, (0, len(rows[0]) - 2, len(rows[0]) - 1))]
    if not math.isnan(jobs[0].score):
        lines.append(f"best:  {folder / jobs[0].folder}")
    return "\n".join([*lines, f"table: {folder / TABLE}"])


def _result(job: Job) -> list[str]:
    """The best score, its update and the time of a job in words."""
    score = f"{-job.score:.4f}" if job.criterion == "loss" else f"{job.score:.2f}"
    minutes, seconds = divmod(round(job.seconds), 60)
    time_spent = f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return ["–" if math.isnan(job.score) else score, "–" if job.update is None else f"{job.update:,}", time_spent]


# The process of a job


def sweep_job(composed: DictConfig, train: Callable[[TrainConfig], float]) -> float | None:
    """Run one job of a sweep and write its row of sweep.csv. A job that has finished before is not run again.

    Args:
        composed: the settings of the job.
        train: trains with them, and returns the score for the sweeper.

    Returns:
        The score, higher is better. None if the job failed, or if it was interrupted in a process of a launcher:
        Optuna's sweeper counts such a job as failed and goes on.

    Raises:
        Interrupted: Ctrl-C or SIGTERM, if the job runs in the process of the sweep.
    """
    hydra = HydraConfig.get()
    folder, settings = Path(hydra.sweep.dir), _swept(hydra)
    if (folder / STOP).exists():
        return None
    job = Job(folder_name(settings), settings, Status.interrupted)
    started = time.perf_counter()
    try:
        config = _settings(composed)
        job = replace(job, folder=_job_folder(folder, job.folder, config), criterion=str(config.training.criterion))
        if (finished := _finished(folder, job.folder, config)) is not None:
            print(f"{folder / job.folder}: finished before, skipped")
            job, started = finished, math.inf
            return _number(job.score)
        print(f"\n{folder / job.folder}")
        score = train(replace(config, run=str(folder / job.folder)))
        job = replace(job, status=Status.finished)
        return _number(score)
    except Interrupted as interrupted:
        if not hydra.launcher._target_.endswith(".BasicLauncher"):
            print(interrupted, file=sys.stderr)
            return None
        raise
    except Exception as error:
        reason = error_line(error, TrainConfig())
        if reason is None:
            traceback.print_exc()
        job = replace(job, status=Status.failed, error=shown(reason or f"{type(error).__name__}: {error}"))
        print(f"error: {folder / job.folder}: {job.error}", file=sys.stderr)
        return None
    finally:
        _record(folder, job, max(0, time.perf_counter() - started))


def _number(score: float) -> float | None:
    return None if math.isnan(score) else score


def _swept(hydra: Any) -> dict[str, str]:
    """The swept settings of this job by name, as the command line has them."""
    shared = hydra.job.config.override_dirname.exclude_keys
    overrides = OverridesParser.create().parse_overrides(list(hydra.overrides.task))
    named = {override.get_key_element(): _as_text(override) for override in overrides}
    return {name: named[name] for name in sorted(named) if name not in shared}


def _as_text(override: Override) -> str:
    value = override.value()
    return value if isinstance(value, str) else override.get_value_element_as_str()


def _job_folder(folder: Path, name: str, config: TrainConfig) -> str:
    """The name of a job's folder: of the numbered one of an older version if it has the same settings."""
    same = [run.path.name for run in _numbered(folder) if _holds(run.path, config)]
    return same[0] if same and not (folder / name).exists() else name


def _holds(folder: Path, config: TrainConfig) -> bool:
    """Whether the run in a folder has all settings of a job, except those of the machine."""
    from seq2seq.run.folder import CONFIG, RunFolder
    from seq2seq.run.resume import MACHINE, saved_settings

    if not (folder / CONFIG).exists():
        return False
    return not differing([RunFolder.open(folder).flat_settings, flat(saved_settings(config))], MACHINE)


def _finished(folder: Path, name: str, config: TrainConfig) -> Job | None:
    """The row of a job that has finished with these settings; None if there is work to do."""
    from seq2seq.run.folder import MODEL

    rows = [job for job in read_jobs(folder) if job.folder == name and job.status is Status.finished]
    return rows[0] if rows and (folder / name / MODEL).exists() and _holds(folder / name, config) else None


def _record(folder: Path, job: Job, seconds: float) -> None:
    """Write a job's row of sweep.csv, with its best validation. An error is printed and does not end the sweep."""
    from seq2seq.system.lock import locked_output
    from seq2seq.training.config import Criterion
    from seq2seq.training.log import read_validations
    from seq2seq.training.progress import Progress

    if not _is_first():
        return
    try:
        progress = Progress(validations=read_validations(folder / job.folder / "metrics.jsonl"))
        if job.criterion and (best := progress.best(Criterion(job.criterion))) is not None:
            job = replace(job, score=best.value(Criterion(job.criterion)), update=best.update)
        with locked_output(folder / TABLE, wait=True):
            rows = {other.folder: other for other in read_jobs(folder)}
            if job.folder in rows:
                seconds += rows[job.folder].seconds
            write_jobs(folder, [*(rows | {job.folder: replace(job, seconds=seconds)}).values()])
    except Seq2SeqError as error:
        print(f"warning: {error}", file=sys.stderr)
