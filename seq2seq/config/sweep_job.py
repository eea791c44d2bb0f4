"""One job of a sweep, in whatever process Hydra's launcher chose.

It knows the sweep only by Hydra's config and by the files in the sweep's folder.
"""

import hashlib
import math
import re
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from seq2seq.config.automatic import with_command_line
from seq2seq.config.error_lines import error_line
from seq2seq.config.recipes import TrainConfig
from seq2seq.config.schemas import conf_folder
from seq2seq.config.sweep_table import TABLE, Job, Status, read_jobs, rounded, write_jobs
from seq2seq.errors import Seq2SeqError, shown
from seq2seq.settings import differing, flat, validate
from seq2seq.system.launcher import is_first
from seq2seq.training.interrupt import Interrupted

STOP = ".stop"
"""A file that keeps jobs from starting; Ctrl-C creates it if a launcher runs jobs in other processes."""

LONGEST_NAME = 60
"""Maximum characters of a job folder's name that state its settings; longer ones end in a hash."""


def folder_name(settings: Mapping[str, str]) -> str:
    """Name of a job's folder: its settings, such as ``seed=1+model.dropout=0.3``, so that order does not matter.

    Characters that need quotes in a shell are replaced. A name that is not exactly the settings ends in a hash of them.
    """
    text = "+".join(f"{name}={value}" for name, value in settings.items()) or "job"
    name = "+".join(f"{name}={rounded(value)}" for name, value in settings.items()) or "job"
    name = re.sub(r"[^\w.=+-]+", "-", name)
    if name == text and len(name) <= LONGEST_NAME and not name.endswith("."):
        return name
    return f"{name[:LONGEST_NAME]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


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
        config = job_settings(composed)
        trained, _ = with_command_line(config, hydra.overrides.task, conf_folder())  # as the run has them
        job = replace(job, criterion=str(config.training.criterion))
        if (finished := _finished(folder, job.folder, trained)) is not None:
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


def _holds(folder: Path, config: TrainConfig) -> bool:
    """Whether the run in a folder has all settings of a job, except those of the machine."""
    from seq2seq.run.folder import CONFIG, RunFolder
    from seq2seq.run.resume import MACHINE, saved_settings

    if not (folder / CONFIG).exists():
        return False
    kept = [] if config.data.file is None else ["data"]  # the run has its split of the file, which training checks
    kept += _decided(folder, config)
    return not differing([RunFolder.open(folder).flat_settings, flat(saved_settings(config))], [*MACHINE, *kept])


def _decided(folder: Path, config: TrainConfig) -> list[str]:
    """The settings that a run decides when it begins: by its text, or by the speed of the machine.

    Settings of the command line are not chosen by the text.
    """
    from seq2seq.auto.choice import decided_settings
    from seq2seq.training.duration import RESIZED, is_timed

    names = list(RESIZED) if is_timed(config.training) else []
    if config.auto.choose:
        names += ["auto", *(name for name in (*decided_settings(folder), *RESIZED) if not config.auto.leaves(name))]
    return names


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

    if not is_first():
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


def job_settings(composed: DictConfig) -> TrainConfig:
    """The settings that Hydra composed, checked.

    Raises:
        ConfigError: a setting is invalid.
    """
    settings = OmegaConf.to_object(composed)
    assert isinstance(settings, TrainConfig)
    validate(settings)
    return settings
