"""The progress bar of training and the time that is left."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from statistics import median
from types import TracebackType

from tqdm import tqdm

from seq2seq.training.run_log import FILE_ONLY, is_reported

log = logging.getLogger("seq2seq")

LONG_TRAINING = 15 * 60
"""Seconds of training beyond which the expected duration is printed at the start."""

FIRST, LAST = 3, 10
"""After `LAST` updates the first ones, which are slower, no longer count for the mean duration of an update."""

FIRST_LINE, NEXT_LINE = 3, 15
"""Seconds until the first line where there is no terminal, and at least between later ones."""

BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"


class TimeLeft:
    """Estimates the remaining time from the durations of updates and of the last validation.

    Args:
        update: updates done.
        updates: updates in total.
        validate_every: updates between validations.
    """

    def __init__(self, update: int, updates: int, validate_every: int | None = None) -> None:
        self.update, self.updates, self.validate_every = update, updates, validate_every
        self.early: list[float] = []
        self.seconds, self.count = 0.0, 0
        self.validation = 0.0
        self.last = time.perf_counter()

    def step(self) -> None:
        """Count an update, which ends now."""
        duration, self.last = time.perf_counter() - self.last, time.perf_counter()
        self.update += 1
        if len(self.early) < LAST:
            self.early.append(duration)
        if len(self.early) > FIRST:
            self.seconds, self.count = self.seconds + duration, self.count + 1

    @contextmanager
    def validating(self) -> Iterator[None]:
        """Measure a validation, whose time does not belong to an update."""
        started = time.perf_counter()
        yield
        self.last = time.perf_counter()
        self.validation = self.last - started

    def seconds_left(self) -> float | None:
        """The estimate; None before the second update."""
        if len(self.early) < 2:
            return None
        # The median of few durations ignores those of the slow first updates.
        update = self.seconds / self.count if len(self.early) == LAST else median(self.early[1:])
        validations = 0 if self.validate_every is None else self._validations(self.validate_every)
        return update * (self.updates - self.update) + self.validation * validations

    def _validations(self, every: int) -> int:
        """Validations that are still to come: the last update has one."""
        return -(-self.updates // every) - self.update // every

    def in_words(self) -> str:
        """``about 12 min left``; empty before there is an estimate."""
        seconds = self.seconds_left()
        done = self.update >= self.updates
        return "" if seconds is None or done else f"about {duration_in_words(seconds)} left"


def duration_in_words(seconds: float) -> str:
    """A rounded duration: ``40 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60:,} h {minutes % 60} min"


class ProgressBar:
    """Update, loss, learning rate, target tokens per second, remaining time.

    On a terminal it is one line on stderr. Elsewhere these values are lines of their own, the first after a few
    seconds. run.log has them at every record.

    Args:
        update: updates done.
        updates: updates in total.
        smaller: a setting for a smaller model, suggested if training takes long.
        validate_every: updates between validations.
    """

    def __init__(
        self, update: int, updates: int, smaller: str | None = None, validate_every: int | None = None
    ) -> None:
        self.updates, self.smaller = updates, smaller
        self.left = TimeLeft(update, updates, validate_every)
        self.metrics = ""
        self.reported = is_reported()  # recipes enable it
        self.next_line = time.perf_counter() + FIRST_LINE
        self.bar = tqdm(
            total=updates,
            initial=update,
            unit="update",
            mininterval=0.5,
            dynamic_ncols=True,
            desc="training",
            bar_format=BAR,
            disable=not (self.reported and sys.stderr.isatty()),
        )

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.close()

    def step(self) -> None:
        """Advance by one update."""
        self.left.step()
        if self.bar.disable:
            if not self.metrics:  # the first line does not wait for the first record
                self._line()
        else:
            self.bar.set_postfix_str(self._values(), refresh=False)
            self.bar.update()
        if len(self.left.early) == self.left.count + FIRST == LAST:
            self._announce()

    def _announce(self) -> None:
        """Print the expected duration of training if it is long."""
        seconds = self.left.seconds_left() or 0.0
        if seconds > LONG_TRAINING:
            hint = "" if self.smaller is None else f"; {self.smaller} takes less"
            self.say(f"training will take about {seconds / 60:,.0f} minutes here{hint}")

    def show(self, loss: float, learning_rate: float, tokens_per_second: float) -> None:
        """Show the latest metrics."""
        self.metrics = f"loss={loss:.3f}, lr={learning_rate:.2e}, tokens/s={tokens_per_second:,.0f}"
        log.log(FILE_ONLY, "%s", self._place())
        self._line()

    def validating(self) -> AbstractContextManager[None]:
        """Within this context, time does not count as that of updates."""
        return self.left.validating()

    def say(self, line: str) -> None:
        """Print one or more lines above the bar."""
        log.log(FILE_ONLY, "%s", line)
        if self.reported:
            self.bar.write(line, file=sys.stderr)

    def _line(self) -> None:
        """Print a line with all values where there is no bar, unless the last one is recent."""
        if self.reported and self.bar.disable and self.left.seconds_left() is not None:
            now = time.perf_counter()
            if now >= self.next_line:
                self.next_line = now + NEXT_LINE
                self.bar.write(self._place(), file=sys.stderr)

    def _place(self) -> str:
        return f"update {self.left.update:>6,} of {self.updates:,}  {self._values()}"

    def _values(self) -> str:
        return ", ".join(filter(None, (self.metrics, self.left.in_words())))
