"""What a recipe prints: records of the log, and text that cannot control the terminal."""

import contextlib
import io
import logging
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from seq2seq.errors import HARMLESS, escaped, shown

log = logging.getLogger("seq2seq")


def escape_what_streams_lack() -> None:
    """Escape characters that the character set of standard output or error lacks: nothing printed ends a run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a notebook has another class
            with contextlib.suppress(OSError):  # a device that cannot seek
                stream.reconfigure(errors="backslashreplace")  # a file on Windows has a small character set


class LogPrinter(logging.Handler):
    """Prints log records as plain text: INFO on stdout, WARNING and above as one line on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record above a progress bar, if there is one."""
        from tqdm import tqdm

        text = record.getMessage()
        if record.levelno < logging.WARNING:
            tqdm.write(text, file=sys.stdout)
        else:  # the text may come from a file
            tqdm.write(shown(text), file=sys.stderr)


@contextlib.contextmanager
def printed_log() -> Iterator[None]:
    """Print what the library logs; a library that is imported prints nothing."""
    handler, level = LogPrinter(), log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


class Terminal:
    """Standard output that is a terminal: escapes all control characters. Files and pipes receive text unchanged."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write text; line ends stay."""
        self.stream.write(escaped(text, HARMLESS))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        """Any other attribute is that of the stream."""
        return getattr(self.stream, name)


@contextlib.contextmanager
def safe_terminal() -> Iterator[None]:
    """Redirect standard output through `Terminal` if it is a terminal."""
    with contextlib.redirect_stdout(Terminal(sys.stdout)) if sys.stdout.isatty() else contextlib.nullcontext():
        yield
