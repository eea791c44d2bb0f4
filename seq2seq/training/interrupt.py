"""Leaving politely: Ctrl-C and SIGTERM ask training to stop after the update under way."""

import signal
import threading
from types import FrameType, TracebackType

from seq2seq.system.processes import max_over_processes

HANDLED = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """Training was asked to stop and has saved its state. Not an Exception: it is no error and passes every handler."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


class InterruptFlag:
    """Within its context, a signal sets `signal_number`; a second one ends the program as ever."""

    def __init__(self) -> None:
        self.signal_number: int | None = None
        self.previous = {number: signal.getsignal(number) for number in HANDLED}

    def __enter__(self) -> "InterruptFlag":
        # Python allows handlers in the main thread only; elsewhere training runs without them.
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

    def asked(self) -> int | None:
        """The signal that this process got or, in training with several, any of them; to be asked by all at once."""
        return max_over_processes(self.signal_number or 0) or None

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.signal_number = number
        for handled, handler in self.previous.items():
            signal.signal(handled, handler)
