"""Training for a given time: a short measurement turns the time into a number of updates, once.

The number is written to config.yaml and never changes, so that the schedule ends with the last update, and a run that
resumes ends with the same bits.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from seq2seq.data.batch_sampler import StreamPosition
from seq2seq.data.stream import BatchStream
from seq2seq.errors import RunError, counted
from seq2seq.model import Network
from seq2seq.run.folder import CONFIG, RunFolder
from seq2seq.settings import override_value, walk
from seq2seq.system.precision import Precision
from seq2seq.system.processes import max_over_processes
from seq2seq.training.config import TrainingConfig, seconds_of
from seq2seq.training.loss import Objective
from seq2seq.training.loss_scale import LossScale
from seq2seq.training.moving_average import MovingAverage
from seq2seq.training.optimizer_state import optimizer_of
from seq2seq.training.progress_bar import duration_in_words
from seq2seq.training.self_distillation import with_self_distillation
from seq2seq.training.step import UpdateStep

log = logging.getLogger("seq2seq")

Config = TypeVar("Config")

FIRST, FEWEST, MOST = 3, 5, 60
"""Updates of a measurement: those that are slower and do not count, and how many count."""

SECONDS = 8.0
"""Rough duration of a measurement."""

VALIDATING = 0.25
"""Largest share of the time that validations take; with less time, there are fewer."""

SHORTEST_SHARE = 10
"""A warm-up takes at most one of so many updates."""

RESIZED = (
    *("training.updates", "training.validate_every", "schedule.warmup", "schedule.start", "schedule.end"),
    *("schedule.interval", "scheduled_sampling.updates"),
)
"""Settings that follow from a measurement; a resumed run takes them from config.yaml."""


@dataclass(frozen=True)
class Speed:
    """Measured durations in seconds."""

    update: float
    validation: float

    def training(self, updates: int, validations: int) -> float:
        """Seconds of a training with so many updates and validations."""
        return updates * self.update + validations * self.validation


def measure_update(update: Callable[[], object]) -> float:
    """The mean duration of an update in seconds, that of the slowest process.

    Args:
        update: makes an update and waits for it.
    """
    for _ in range(FIRST):
        update()
    expected = _seconds(update, 2) / 2
    count = int(min(MOST, max(FEWEST, SECONDS / expected)))
    return _seconds(update, count) / count


def _seconds(function: Callable[[], object], count: int = 1) -> float:
    """The duration of ``count`` calls in the slowest process, in seconds."""
    started = time.perf_counter()
    for _ in range(count):
        function()
    return max(1, max_over_processes(round(1e6 * (time.perf_counter() - started)))) / 1e6


def measure(
    network: Network,
    stream: BatchStream,
    objective: Objective,
    validate: Callable[[], object],
    config: Any,
    precision: Precision,
) -> Speed:
    """Measure updates and a validation, on the training batches from the first on.

    Args:
        network: on its device; its weights change.
        stream: yields batches.
        objective: what is minimized.
        validate: makes a validation.
        config: settings of recipes/train.py.
        precision: of the updates.
    """
    validation = _seconds(validate)
    device = next(network.parameters()).device
    batches = stream(StreamPosition(0, 0))
    scale = LossScale(precision is Precision.float16, device)
    optimizer = optimizer_of(network, config.optimizer)
    average = None if config.training.ema is None else MovingAverage(network, config.training.ema)
    objective = with_self_distillation(objective, average, config.training)
    step = UpdateStep(network, objective, optimizer, scale, clip=config.training.clip, seed=config.seed)

    def update() -> float:
        _, cross_entropy, _ = step([next(batches)[0].to(device) for _ in range(config.training.accumulate)], 1)
        return float(cross_entropy)  # waits for the device

    return Speed(measure_update(update), validation)


def is_timed(training: TrainingConfig) -> bool:
    """Whether the number of updates depends on the speed of the machine."""
    return training.time is not None or training.time_limit is not None


def fitted(config: Any, speed: Speed) -> Any:
    """The settings of recipes/train.py with the number of updates that fits into their time, or below its limit.

    The number of validations stays, unless they would take more than `VALIDATING` of the time. Warm-up becomes shorter
    where it would take more than a tenth of the updates; other lengths of schedules change in proportion.

    Args:
        config: settings with training.time or training.time_limit.
        speed: measured.

    Returns:
        The settings, unchanged if the limit leaves all updates.
    """
    training = config.training
    validations = max(1, round(training.updates / training.validate_every))
    if training.time is None:
        seconds = seconds_of(training.time_limit)
        if speed.training(training.updates, validations + 1) <= seconds:
            return config
    else:
        seconds = seconds_of(training.time)
    if speed.validation > 0:
        validations = max(1, min(validations, int(VALIDATING * seconds / speed.validation)))
    # One more validation is that of the averaged weights.
    every = max(1, int((seconds - (validations + 1) * speed.validation) / speed.update / validations))
    if training.time is None:
        every = min(every, max(1, training.updates // validations))  # fewer validations leave time for more updates
    return with_updates(config, every * validations, every)


def with_updates(config: Any, updates: int, every: int) -> Any:
    """The settings with another number of updates and everything that follows it.

    Args:
        config: settings of recipes/train.py.
        updates: number of updates.
        every: updates between validations.
    """
    share = updates / config.training.updates
    values: dict[str, Any] = {"training.updates": updates, "training.validate_every": every}
    for name, _, value in walk(config):
        if name == "schedule.warmup" and updates < config.training.updates:
            values[name] = min(value, max(1, updates // SHORTEST_SHARE))
        elif name in RESIZED and name not in values and name != "schedule.warmup" and value:
            values[name] = max(1, round(value * share))
    if "schedule.start" in values:
        values["schedule.start"] = max(values["schedule.start"], values.get("schedule.warmup", 0))
    if "schedule.end" in values:  # after the start, which is not among the values if it is 0
        values["schedule.end"] = max(values["schedule.end"], values.get("schedule.start", 0) + 1)
    return with_values(config, values)


def with_values(config: Any, values: Mapping[str, Any]) -> Any:
    """The settings with other values, by dotted path of two parts; names that the sections lack are left out."""
    for section in {name.split(".")[0] for name in values}:
        part = getattr(config, section)
        own = {name.split(".")[1]: value for name, value in values.items() if name.startswith(f"{section}.")}
        own = {name: value for name, value in own.items() if hasattr(part, name)}
        config = replace(config, **{section: replace(part, **own)})
    return config


def remembered(config: Config, folder: Path) -> tuple[Config, bool]:
    """The settings with the number of updates of the run in a folder.

    Args:
        config: settings of recipes/train.py.
        folder: the run folder.

    Returns:
        The settings, and whether the number of updates is known: False for a new run with a time.

    Raises:
        RunError: the run has begun with another time.
    """
    training: TrainingConfig = config.training  # type: ignore[attr-defined]
    if not (folder / CONFIG).exists():
        return config, not is_timed(training)
    saved = RunFolder.open(folder).flat_settings
    if not is_timed(training):
        _check_lengths(config, folder, saved)
        return config, True
    for name, new in (("training.time", training.time), ("training.time_limit", training.time_limit)):
        old = saved.get(name)
        if old != new and (old is not None or (folder / "checkpoints").exists()):
            raise RunError(
                f"{folder} holds a run with {name}={override_value(old)}, this command says "
                f"{name}={override_value(new)}, and its number of updates does not change: leave {name} as it was, or "
                f"set {_without_time(config, saved)}"
            )
    if (saved.get("training.time"), saved.get("training.time_limit")) == (None, None):
        return config, False  # it was stopped before the measurement
    known = saved["training.updates"]
    other = f"; for another number, set {_without_time(config, saved)}" if known != training.updates else ""
    log.info("training.updates=%s, as measured when this run began%s", known, other)
    return with_values(config, {name: saved[name] for name in RESIZED if name in saved}), True


def _resized(config: Any, saved: Mapping[str, Any]) -> list[str]:
    """The settings that followed from the measurement of a run and differ from the command's, but for the updates."""
    values = {name: value for name, _, value in walk(config) if name in RESIZED and name != "training.updates"}
    return [f"{name}={override_value(saved[name])}" for name in values if saved.get(name, values[name]) != values[name]]


def _without_time(config: Any, saved: Mapping[str, Any]) -> str:
    """What continues a measured run with another number of updates."""
    return " ".join(["training.time=null training.time_limit=null training.updates=N", *_resized(config, saved)])


def _check_lengths(config: Any, folder: Path, saved: Mapping[str, Any]) -> None:
    """Check that a command without time names the lengths of a run that has been measured.

    Raises:
        RunError: it does not.
    """
    names = [name for name in ("training.time", "training.time_limit") if saved.get(name) is not None]
    if names and (others := _resized(config, saved)):
        raise RunError(
            f"{folder} holds a run whose length follows from {names[0]}={override_value(saved[names[0]])}: set that "
            f"again, or {' '.join(others)} to continue with your number of updates"
        )


def untimed(config: Config) -> Config:
    """The settings as config.yaml has them before the measurement."""
    training: TrainingConfig = config.training  # type: ignore[attr-defined]
    return replace(config, training=replace(training, time=None, time_limit=None))  # type: ignore[type-var]


def expectation(training: TrainingConfig, speed: Speed, processor: str) -> str:
    """A line with the number of updates and the expected duration."""
    validations = -(-training.updates // training.validate_every)
    seconds = duration_in_words(speed.training(training.updates, validations))
    why = f"training.time={training.time}" if training.time else "training"
    return (
        f"{why} will take about {seconds} here ({processor}): {counted(training.updates, 'update')} of "
        f"{speed.update:.3f} s, {counted(validations, 'validation')} of about {speed.validation:.1f} s"
    )
