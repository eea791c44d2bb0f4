"""Learning-rate schedules: a factor on the learning rate, a function of the update and of validation losses.

Every schedule begins with a linear warm-up over ``warmup`` updates. Schedules hold no state: what a schedule must
remember of validations is the list of their losses, which the trainer keeps.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from seq2seq.errors import ConfigError
from seq2seq.settings import setting


@dataclass(kw_only=True)
class ScheduleConfig:
    """What every schedule has. A choice of `conf/schedule` is one of its subclasses."""

    warmup: int = setting(0, "updates over which the learning rate rises from zero", at_least=0)

    def check(self, updates: int) -> None:
        """Hold that a run of ``updates`` updates reaches the learning rate and learns.

        Raises:
            ConfigError: warm-up is longer than the run, or settings of the schedule contradict each other.
        """
        if self.warmup > updates:
            shorter = max(1, updates // 10)
            raise ConfigError(
                f"schedule.warmup={self.warmup} is longer than the run: the learning rate would never reach its peak; "
                f"set schedule.warmup={shorter}, or training.updates={self.warmup} or more (it is {updates})"
            )

    def factor(self, update: int, updates: int, losses: Sequence[float]) -> float:
        """Factor in [0, 1] for update number ``update`` (from 1) of ``updates``, after validations with ``losses``."""
        if update <= self.warmup:
            return update / self.warmup
        return self.after_warmup(update, updates, losses)

    def after_warmup(self, update: int, updates: int, losses: Sequence[float]) -> float:
        """The factor once warm-up is over."""
        raise NotImplementedError


@dataclass(kw_only=True)
class Constant(ScheduleConfig):
    """The learning rate stays."""

    def after_warmup(self, update: int, updates: int, losses: Sequence[float]) -> float:
        """One."""
        return 1.0


@dataclass(kw_only=True)
class InverseSquareRoot(ScheduleConfig):
    """Falls with the root of the update (Vaswani et al. 2017, eq. 3), from the end of warm-up on."""

    warmup: int = setting(4000, "updates over which the learning rate rises from zero", at_least=1)

    def after_warmup(self, update: int, updates: int, losses: Sequence[float]) -> float:
        """sqrt(warmup / update)."""
        return math.sqrt(self.warmup / update)


@dataclass(kw_only=True)
class Cosine(ScheduleConfig):
    """Falls along half a cosine to ``floor`` at the last update (Loshchilov & Hutter 2017, eq. 5, without restarts)."""

    floor: float = setting(0.0, "factor at the last update", at_least=0, at_most=1)

    def check(self, updates: int) -> None:
        """Hold what every schedule demands, and that not all factors are 0."""
        super().check(updates)
        if updates == 1 and self.factor(1, 1, []) == 0:
            raise ConfigError(
                "schedule=cosine is at 0 in its last update, and training.updates=1 has no other: set "
                "training.updates=2 or more, or schedule=constant"
            )

    def after_warmup(self, update: int, updates: int, losses: Sequence[float]) -> float:
        """floor + (1 - floor) · (1 + cos(π · share of the way)) / 2."""
        share = min(1.0, (update - self.warmup) / max(1, updates - self.warmup))
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * share)) / 2


@dataclass(kw_only=True)
class Exponential(ScheduleConfig):
    """Stays until update ``start``, then falls by the same share an update to ``floor`` at ``end`` (RNMT+, eq. 1)."""

    start: int = setting(1000, "update after which the fall begins", at_least=0)
    end: int = setting(3000, "update at which the floor is reached; later than start", at_least=1)
    floor: float = setting(0.01, "factor from the end on", above=0, at_most=1)

    def check(self, updates: int) -> None:
        """Hold what every schedule demands, and that the fall begins after warm-up and takes some updates."""
        super().check(updates)
        if self.end <= self.start:
            raise ConfigError(
                f"schedule.end={self.end} must be later than schedule.start={self.start}: set schedule.end="
                f"{2 * self.start + 1}, say"
            )
        check_start(self.start, self.warmup)

    def after_warmup(self, update: int, updates: int, losses: Sequence[float]) -> float:
        """floor ** (share of the way from start to end)."""
        share = (update - self.start) / max(1, self.end - self.start)
        return float(self.floor ** min(1.0, max(0.0, share)))


@dataclass(kw_only=True)
class Plateau(ScheduleConfig):
    """Multiplied by ``decay`` whenever ``patience`` validations in a row have not lowered the best loss."""

    decay: float = setting(0.5, "factor of each fall", above=0, below=1)
    patience: int = setting(1, "validations without a better loss before a fall", at_least=1)
    smallest: float = setting(0.01, "the factor never falls below this", at_least=0, at_most=1)

    def after_warmup(self, update: int, updates: int, losses: Sequence[float]) -> float:
        """decay ** number of falls so far."""
        best, waited, falls = math.inf, 0, 0
        for loss in losses:
            if loss < best:
                best, waited = loss, 0
            else:
                waited += 1
            if waited == self.patience:
                waited, falls = 0, falls + 1
        return max(self.smallest, self.decay**falls)


@dataclass(kw_only=True)
class Halving(ScheduleConfig):
    """Halved every ``interval`` updates from update ``start`` on (Luong et al. 2015; Wu et al. 2016)."""

    start: int = setting(1000, "update after which the first halving happens", at_least=0)
    interval: int = setting(500, "updates between halvings", at_least=1)

    def check(self, updates: int) -> None:
        """Hold what every schedule demands, and that halving begins after warm-up."""
        super().check(updates)
        check_start(self.start, self.warmup)

    def after_warmup(self, update: int, updates: int, losses: Sequence[float]) -> float:
        """2 ** -(number of halvings so far)."""
        if update <= self.start:
            return 1.0
        return float(0.5 ** (1 + (update - self.start - 1) // self.interval))


def check_start(start: int, warmup: int) -> None:
    """Refuse a fall that begins within warm-up: the learning rate would jump where warm-up ends."""
    if start < warmup:
        raise ConfigError(
            f"schedule.start={start} lies within the warm-up: set schedule.start={warmup} or more, or schedule.warmup="
            f"{start} or less (it is {warmup})"
        )
