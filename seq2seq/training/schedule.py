"""Learning rate schedules: a factor of the learning rate, a function of the update and of the validation losses.

Every schedule begins with a linear warm-up over ``warmup`` updates. Schedules have no state: the trainer keeps the
validation losses.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from seq2seq.errors import ConfigError
from seq2seq.settings import setting


@dataclass(kw_only=True)
class ScheduleConfig:
    """Settings of every schedule. Each choice of ``schedule=`` is a subclass."""

    warmup: int = setting(0, "updates over which the learning rate rises linearly from zero", at_least=0)

    def check(self, updates: int) -> None:
        """Check the settings for a run of ``updates`` updates.

        Raises:
            ConfigError: warm-up is longer than the run, or settings contradict each other.
        """
        if self.warmup > updates:
            shorter = max(1, updates // 10)
            raise ConfigError(
                f"schedule.warmup={self.warmup} is longer than the run, so the learning rate never reaches its peak: "
                f"set schedule.warmup={shorter}, or training.updates={self.warmup} or more (it is {updates})"
            )

    def factor(self, update: int, updates: int, losses: Sequence[float]) -> float:
        """Factor in [0, 1] for update number ``update`` (from 1) of ``updates``, after validations with ``losses``."""
        if update <= self.warmup:
            return update / self.warmup
        return self.after_warmup(update, updates, losses)

    def after_warmup(self, update: int, updates: int, losses: Sequence[float]) -> float:
        """The factor after warm-up."""
        raise NotImplementedError


@dataclass(kw_only=True)
class Constant(ScheduleConfig):
    """The learning rate is constant after warm-up."""

    def after_warmup(self, update: int, updates: int, losses: Sequence[float]) -> float:
        """One."""
        return 1.0


@dataclass(kw_only=True)
class InverseSquareRoot(ScheduleConfig):
    """Decays with the inverse square root of the update after warm-up (Vaswani et al. 2017, eq. 3)."""

    warmup: int = setting(4000, "updates over which the learning rate rises linearly from zero", at_least=1)

    def after_warmup(self, update: int, updates: int, losses: Sequence[float]) -> float:
        """sqrt(warmup / update)."""
        return math.sqrt(self.warmup / update)


@dataclass(kw_only=True)
class Cosine(ScheduleConfig):
    """Decays along half a cosine to ``floor`` at the last update (Loshchilov & Hutter 2017, eq. 5, no restarts)."""

    floor: float = setting(0.0, "factor at the last update", at_least=0, at_most=1)

    def check(self, updates: int) -> None:
        """Check as every schedule, and that not all factors are 0."""
        super().check(updates)
        if updates == 1 and self.factor(1, 1, []) == 0:
            raise ConfigError(
                "schedule=cosine has a learning rate of 0 in its last update, and training.updates=1 has no other: "
                "set training.updates=2 or more, or schedule=constant"
            )

    def after_warmup(self, update: int, updates: int, losses: Sequence[float]) -> float:
        """floor + (1 - floor) · (1 + cos(π · share of the way)) / 2."""
        share = min(1.0, (update - self.warmup) / max(1, updates - self.warmup))
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * share)) / 2


@dataclass(kw_only=True)
class Exponential(ScheduleConfig):
    """Constant until update ``start``, then decays exponentially to ``floor`` at ``end`` (RNMT+, eq. 1)."""

    start: int = setting(1000, "update after which the decay begins", at_least=0)
    end: int = setting(3000, "update at which the floor is reached; after start", at_least=1)
    floor: float = setting(0.01, "factor from the end on", above=0, at_most=1)

    def check(self, updates: int) -> None:
        """Check as every schedule, and that the decay begins after warm-up and ends after it begins."""
        super().check(updates)
        if self.end <= self.start:
            raise ConfigError(
                f"schedule.end={self.end} must be after schedule.start={self.start}: set schedule.end="
                f"{2 * self.start + 1} or so"
            )
        check_start(self.start, self.warmup)

    def after_warmup(self, update: int, updates: int, losses: Sequence[float]) -> float:
        """floor ** (share of the way from start to end)."""
        share = (update - self.start) / max(1, self.end - self.start)
        return float(self.floor ** min(1.0, max(0.0, share)))


@dataclass(kw_only=True)
class Plateau(ScheduleConfig):
    """Multiplied by ``decay`` after each ``patience`` validations in a row that do not improve the best loss."""

    decay: float = setting(0.5, "factor of each decay", above=0, below=1)
    patience: int = setting(1, "validations without a lower loss before a decay", at_least=1)
    smallest: float = setting(0.01, "lower limit of the factor", at_least=0, at_most=1)

    def after_warmup(self, update: int, updates: int, losses: Sequence[float]) -> float:
        """decay ** (number of decays so far)."""
        best, worse, decays = math.inf, 0, 0
        for loss in losses:
            if loss < best:
                best, worse = loss, 0
            else:
                worse += 1
            if worse == self.patience:
                worse, decays = 0, decays + 1
        return max(self.smallest, self.decay**decays)


@dataclass(kw_only=True)
class Halving(ScheduleConfig):
    """Halved every ``interval`` updates from update ``start`` on (Luong et al. 2015; Wu et al. 2016)."""

    start: int = setting(1000, "update after which the learning rate is first halved", at_least=0)
    interval: int = setting(500, "updates between halvings", at_least=1)

    def check(self, updates: int) -> None:
        """Check as every schedule, and that halving begins after warm-up."""
        super().check(updates)
        check_start(self.start, self.warmup)

    def after_warmup(self, update: int, updates: int, losses: Sequence[float]) -> float:
        """2 ** -(number of halvings so far)."""
        if update <= self.start:
            return 1.0
        return float(0.5 ** (1 + (update - self.start - 1) // self.interval))


def check_start(start: int, warmup: int) -> None:
    """Check that a decay does not begin within warm-up, at whose end the learning rate would jump.

    Raises:
        ConfigError: it does.
    """
    if start < warmup:
        raise ConfigError(
            f"schedule.start={start} is within the warm-up: set schedule.start={warmup} or more, or schedule.warmup="
            f"{start} or less (it is {warmup})"
        )
