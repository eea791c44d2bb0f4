"""Training: target pieces per second, peak memory, the floor, and a profile by part."""

import copy
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from statistics import mean

import torch

from seq2seq.benchmark.arithmetic import Counts, Work, counted, training_work
from seq2seq.benchmark.clock import Spread, timed
from seq2seq.benchmark.config import BenchmarkConfig
from seq2seq.benchmark.machine import Machine
from seq2seq.benchmark.memory import peak, reset_peak
from seq2seq.benchmark.profile import profiled
from seq2seq.benchmark.update import Updater
from seq2seq.benchmark.workload import Workload
from seq2seq.data.prefetch import ahead
from seq2seq.errors import ConfigError
from seq2seq.system.device import DTYPES, Precision, choose_device, resolve_precision


@dataclass(frozen=True)
class PartRow:
    """One part of an update."""

    part: str
    seconds: float
    """In the profiled update, which the profiler slows down a little."""
    share: float
    floor: float
    """The longer of the part's arithmetic's and its bytes' time."""


@dataclass(frozen=True)
class Training:
    """What was measured of training."""

    workload: str
    precision: str
    parameters: int
    pieces_per_update: float
    pieces_per_second: Spread
    """Target pieces, end marks included, padding not."""
    seconds_per_update: Spread
    peak_bytes: int
    operations: float
    """Counted operations of an update."""
    arithmetic_seconds: float
    """Those at the measured rate: the floor."""
    memory_seconds: float
    """Counted bytes of an update at the measured bandwidth."""
    profile: list[PartRow]

    @property
    def share_of_floor(self) -> float:
        """Floor / measured: 1 is as fast as the machine multiplies."""
        return max(self.arithmetic_seconds, self.memory_seconds) / self.seconds_per_update.median


def training_precision(config: BenchmarkConfig, device: torch.device) -> Precision:
    """The precision of training: as asked for, or what auto means here where that only translates (int8)."""
    named = config.precision in Precision.__members__
    return resolve_precision(Precision(config.precision) if named else Precision.auto, device)


def measure_training(config: BenchmarkConfig, workload: Workload, machine: Machine) -> Training:
    """Train for some updates and say how long they took; the workload's network learns on the way."""
    device, measure = choose_device(config.device), config.measure
    precision = training_precision(config, device)
    torch.manual_seed(config.seed)
    reset_peak(device)
    with closing(ahead(workload.batches(device))) as batches:
        update = Updater(
            workload.network,
            batches,
            config.optimizer,
            clip=config.clip,
            smoothing=workload.smoothing,
            precision=precision,
            device=device,
        )
        found = timed(lambda: update.several(measure.updates), device, measure.warmup, measure.repetitions)
        at_most = peak(device)
        profile = profiled(update, workload.network, device, measure.repetitions)
    groups = [[counted(batch) for batch in group] for _, group in found]
    pieces = [sum(counts.target for counts in group) for group in groups]
    work = mean_work(workload, [counts for group in groups for counts in group], precision)
    total = sum(work.values(), Work())
    return Training(
        workload=workload.name,
        precision=precision,
        parameters=sum(parameter.numel() for parameter in workload.network.parameters()),
        pieces_per_update=mean(pieces) / measure.updates,
        pieces_per_second=Spread.of([count / took for count, (took, _) in zip(pieces, found, strict=True)]),
        seconds_per_update=Spread.of([took / measure.updates for took, _ in found]),
        peak_bytes=at_most,
        operations=total.operations,
        arithmetic_seconds=total.operations / machine.rate(precision),
        memory_seconds=total.bytes / machine.bandwidth,
        profile=profile_rows(profile, work, machine, precision),
    )


def measure_precisions(config: BenchmarkConfig, workload: Workload, machine: Machine) -> Iterator[Training]:
    """Train from the same weights in each precision that runs on the device, slowest first."""
    device = choose_device(config.device)
    for precision in (Precision.float32, Precision.tf32, Precision.bfloat16, Precision.float16):
        try:
            resolve_precision(precision, device)
        except ConfigError:
            continue
        fresh = replace(workload, network=copy.deepcopy(workload.network))
        yield measure_training(replace(config, precision=str(precision)), fresh, machine)


def profile_rows(profile: dict[str, float], work: dict[str, Work], machine: Machine, precision: str) -> list[PartRow]:
    """The profile with each part's own floor: that of a mean update among those that were timed."""
    total = sum(profile.values())
    return [
        PartRow(part, took, took / total, machine.floor(work.get(part, Work()), precision))
        for part, took in profile.items()
    ]


def mean_work(workload: Workload, batches: list[Counts], precision: str) -> dict[str, Work]:
    """Work of a mean update by part: every count is linear in what a batch holds."""
    average = Counts(*(mean(column) for column in zip(*batches, strict=True)))
    sizes = workload.tokenizers.source.size, workload.tokenizers.target.size
    return training_work(workload.model, *sizes, average, DTYPES.get(precision, torch.float32).itemsize)
