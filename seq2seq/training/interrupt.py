"""Ctrl-C and SIGTERM stop training after the current update, and save its state; so does a clock."""

import math
import signal
import threading
import time
from types import FrameType, TracebackType

HANDLED = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """Training was interrupted and has saved its state. Not an Exception, because it is not an error."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


class InterruptFlag:
    """Within its context, a signal sets `signal_number`; a second signal has its usual effect.

    Args:
        seconds: time after which it acts as if SIGINT had been received.
    """

    def __init__(self, seconds: float = math.inf) -> None:
        self.signal_number: int | None = None
        self.deadline = time.monotonic() + seconds
        self.previous = {number: signal.getsignal(number) for number in HANDLED}

    def __enter__(self) -> "InterruptFlag":
        # Python allows signal handlers only in the main thread.
        if threading.current_thread() is threading.main_thread():
            for number in HANDLED:
                signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if threading.current_thread() is threading.main_thread():
            for number, handler in self.previous.items():
                signal.signal(number, handler)

    def received(self) -> int | None:
        """The signal that any of the processes has received. All processes must call this together."""
        from seq2seq.system.processes import max_over_processes  # imports PyTorch

        return max_over_processes(self.signal_number or signal.SIGINT * self.time_is_over()) or None

    def time_is_over(self) -> bool:
        """Whether the time has passed."""
        return time.monotonic() > self.deadline

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.signal_number = number
        for handled, handler in self.previous.items():
            signal.signal(handled, handler)
