"""Training: target tokens per second, peak memory, the floor, and a profile by part."""

import copy
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from statistics import mean

import torch

from seq2seq.benchmark.arithmetic import Counts, Work, count_tokens, training_work
from seq2seq.benchmark.config import BenchmarkConfig
from seq2seq.benchmark.machine import Machine
from seq2seq.benchmark.measurement import Spread, peak, reset_peak, timed
from seq2seq.benchmark.profile import profile_parts
from seq2seq.benchmark.update import Updater
from seq2seq.benchmark.workload import Workload
from seq2seq.data.prefetch import prefetch
from seq2seq.errors import ConfigError
from seq2seq.system.device import DTYPES, choose_device, resolve_precision
from seq2seq.system.precision import Precision


@dataclass(frozen=True)
class PartRow:
    """One part of an update."""

    part: str
    seconds: float
    """Time in the profiled update; the profiler slows it down slightly."""
    share: float
    floor: float
    """Minimum time of the part's arithmetic and bytes."""


@dataclass(frozen=True)
class Training:
    """Measurements of training."""

    workload: str
    precision: str
    parameters: int
    tokens_per_update: float
    tokens_per_second: Spread
    """Target tokens with EOS, without padding."""
    seconds_per_update: Spread
    peak_bytes: int
    operations: float
    """Counted operations per update."""
    arithmetic_seconds: float
    """Their time at the measured rate."""
    memory_seconds: float
    """Time of the counted bytes per update at the measured bandwidth."""
    profile: list[PartRow]

    @property
    def share_of_floor(self) -> float:
        """Floor / measured time: 1 means that the machine's limit is reached."""
        return max(self.arithmetic_seconds, self.memory_seconds) / self.seconds_per_update.median


def training_precision(config: BenchmarkConfig, device: torch.device) -> Precision:
    """The configured precision, or that of ``auto`` where the configured one (int8) cannot train."""
    trains = config.precision in Precision.__members__
    return resolve_precision(Precision(config.precision) if trains else Precision.auto, device)


def measure_training(config: BenchmarkConfig, workload: Workload, machine: Machine) -> Training:
    """Measure updates of the workload's network, whose weights change."""
    device, measure = choose_device(config.device), config.measure
    precision = training_precision(config, device)
    torch.manual_seed(config.seed)
    reset_peak(device)
    with closing(prefetch(workload.batches(device))) as batches:
        update = Updater(
            workload.network,
            batches,
            config.optimizer,
            clip=config.clip,
            smoothing=workload.smoothing,
            precision=precision,
            device=device,
        )
        groups = timed(lambda: update.several(measure.updates), device, measure.warmup, measure.repetitions)
        peak_bytes = peak(device)
        profile = profile_parts(update, workload.network, device, measure.repetitions)
    counts = [[count_tokens(batch) for batch in batches] for _, batches in groups]
    tokens = [sum(count.target for count in group) for group in counts]
    work = mean_work(workload, [count for group in counts for count in group], precision)
    total = sum(work.values(), Work())
    return Training(
        workload=workload.name,
        precision=precision,
        parameters=sum(parameter.numel() for parameter in workload.network.parameters()),
        tokens_per_update=mean(tokens) / measure.updates,
        tokens_per_second=Spread.of([count / took for count, (took, _) in zip(tokens, groups, strict=True)]),
        seconds_per_update=Spread.of([took / measure.updates for took, _ in groups]),
        peak_bytes=peak_bytes,
        operations=total.operations,
        arithmetic_seconds=total.operations / machine.rate(precision),
        memory_seconds=total.bytes / machine.bandwidth,
        profile=profile_rows(profile, work, machine, precision),
    )


def measure_precisions(config: BenchmarkConfig, workload: Workload, machine: Machine) -> Iterator[Training]:
    """Measure training from the same weights in each precision that the device supports, the slowest first."""
    device = choose_device(config.device)
    for precision in (Precision.float32, Precision.tf32, Precision.bfloat16, Precision.float16):
        try:
            resolve_precision(precision, device)
        except ConfigError:
            continue
        copied = replace(workload, network=copy.deepcopy(workload.network))
        yield measure_training(replace(config, precision=str(precision)), copied, machine)


def profile_rows(profile: dict[str, float], work: dict[str, Work], machine: Machine, precision: str) -> list[PartRow]:
    """The profile with the floor of each part; ``work`` is that of the mean measured update."""
    total = sum(profile.values())
    return [
        PartRow(part, took, took / total, machine.floor(work.get(part, Work()), precision))
        for part, took in profile.items()
    ]


def mean_work(workload: Workload, batches: list[Counts], precision: str) -> dict[str, Work]:
    """Work of the mean update by part. Work is linear in token counts, so the mean counts give the mean work."""
    average = Counts(*(mean(column) for column in zip(*batches, strict=True)))
    sizes = workload.tokenizers.source.size, workload.tokenizers.target.size
    return training_work(workload.model, *sizes, average, DTYPES.get(precision, torch.float32).itemsize)
