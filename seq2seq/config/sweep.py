"""Sweeps of recipes/train.py (``-m``) in the process that the user started: resuming, stopping, the table at the end.

Hydra's sweeper chooses the values and its launcher starts the jobs, here or on other machines: see sweep_job.py.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf, open_dict

from seq2seq.config.error_lines import STOPPED, USER_ERRORS
from seq2seq.config.recipes import TrainConfig
from seq2seq.config.schemas import conf_folder
from seq2seq.config.sweep_job import STOP, job_settings
from seq2seq.config.sweep_table import TABLE, Status, describe, read_jobs, write_jobs
from seq2seq.errors import ConfigError, RunError, shown
from seq2seq.report.help import command, quoted
from seq2seq.settings import differing, flat, hydra_quoted
from seq2seq.system.launcher import is_first
from seq2seq.training.interrupt import Interrupted

SETTINGS = "sweep.yaml"
"""What all jobs share: the names of the swept settings, and every other setting."""


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
        if is_first():
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
    if exit_code >= STOPPED and is_first():
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
    settings = job_settings(config)
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
        for name, (before, now) in differing([old_settings, settings], [*CHANGEABLE]).items():
            raise RunError(f"{folder} holds a sweep with {name}={before}, this command says {name}={now}: {another}")
    if not is_first():
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


@contextlib.contextmanager
def _stopping(stop: Path) -> Iterator[None]:
    """At the first Ctrl-C or SIGTERM, let the running jobs save and start no others. A second one ends.

    A terminal sends Ctrl-C to the jobs' processes as well. Without this they would be killed as this process ends.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        signal.signal(number, previous[signal.Signals(number)])
        stop.touch()
        print("stopping: jobs save their state; Ctrl-C again ends at once", file=sys.stderr)

    stop.unlink(missing_ok=True)  # of a sweep that was killed
    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _tidy(folder: Path) -> None:
    """Remove the files of a sweep that keep no job from starting any more, or that belong to no job."""
    (folder / STOP).unlink(missing_ok=True)
    if is_first() and not any(place.is_dir() or place.name == TABLE for place in folder.iterdir()):
        for name in (SETTINGS, "multirun.yaml"):  # the latter is Hydra's
            (folder / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # it has other files
            folder.rmdir()


def _report(folder: Path) -> list[Status]:
    """Print the table of a sweep and return the status of every job in it."""
    jobs = read_jobs(folder)
    if jobs and is_first():
        print(f"\n{describe(folder, jobs)}")
    return [job.status for job in jobs]
