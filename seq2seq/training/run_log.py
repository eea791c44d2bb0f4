"""run.log: what training and its recipe report, with times, in the run folder.

A progress bar is not part of it; its values are, as lines of their own.
"""

import logging
import os
import shlex
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from seq2seq.errors import HARMLESS, Seq2SeqError, escaped, without_passwords
from seq2seq.system.descriptors import BINARY, NO_LINK, NO_WAIT
from seq2seq.system.processes import is_first
from seq2seq.training.interrupt import Interrupted

RUN_LOG = "run.log"

FILE_ONLY = logging.DEBUG + 5
"""Level of lines for run.log that the console shows in another form, or not at all."""

log = logging.getLogger("seq2seq")


class RunLog(logging.Filter):
    """Appends everything that the logger ``seq2seq`` reports to run.log, at any level from `FILE_ONLY` on.

    It is a filter of the logger, not a handler, because the level that decides what users see must stay what it was.
    Lines are kept in memory until `open`: a command may yet be refused because the folder belongs to another run.
    A file that cannot be written is reported once; the run continues without it.

    Args:
        folder: the run folder.
        writes: whether this process writes; others ignore every call.
    """

    def __init__(self, folder: Path, writes: bool = True) -> None:
        super().__init__()
        self.path = folder / RUN_LOG
        self.writes = writes
        self.level = log.getEffectiveLevel()
        self.waiting: list[str] | None = [_timed(f"command: {shlex.join(sys.orig_argv)}", time.time())]

    def filter(self, record: logging.LogRecord) -> bool:
        """Write a record; returns whether it was enabled without this log."""
        self.write(record.getMessage(), record.created)
        return record.levelno >= self.level

    def open(self) -> None:
        """Begin to write: first the command, then the lines so far."""
        kept, self.waiting = self.waiting, None
        with suppress(OSError):
            if self.path.is_symlink():  # a folder from somebody else may link to any file
                self.path.unlink()
        self._append("".join(kept or []))

    def write(self, text: str, seconds: float | None = None) -> None:
        """Append a text of one or more lines; blank lines at its ends are left out."""
        lines = _timed(text, time.time() if seconds is None else seconds)
        if self.waiting is None:
            self._append(lines)
        else:
            self.waiting.append(lines)

    def _append(self, lines: str) -> None:
        if not self.writes:
            return
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | NO_LINK | NO_WAIT | BINARY, 0o666)
            with os.fdopen(descriptor, "wb") as file:
                file.write(lines.encode("utf-8", "backslashreplace"))
        except OSError as error:
            self.writes = False
            log.warning("%s cannot be written (%s): the run continues without it", self.path, error.strerror)


def _timed(text: str, seconds: float) -> str:
    """The lines of a text, each with the time; control characters are escaped, and passwords in URLs are left out."""
    text = without_passwords(text)
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    return "".join(f"{stamp}  {line}".rstrip() + "\n" for line in escaped(text.strip("\n"), HARMLESS).split("\n"))


@contextmanager
def run_log(folder: Path, continues: bool = False) -> Iterator[RunLog]:
    """Keep what is reported in the context, and the error that ends it, in run.log of a folder.

    Only the first of several processes writes, and nothing before `RunLog.open` is called.

    Args:
        folder: the run folder.
        continues: this command has already written to run.log, which is open at once.
    """
    kept, level = RunLog(folder, is_first()), log.level
    if continues:
        kept.waiting = None
    log.addFilter(kept)
    log.setLevel(FILE_ONLY)
    try:
        yield kept
    except Interrupted as interrupted:
        kept.write(str(interrupted))
        raise
    except BaseException as error:
        kept.write(f"error: {error}" if isinstance(error, Seq2SeqError) else _trace(error))
        raise
    finally:
        log.removeFilter(kept)
        log.setLevel(level)


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def is_reported() -> bool:
    """Whether users see lines at level INFO; a run log alone does not make them visible."""
    shown = all(item.level <= logging.INFO for item in log.filters if isinstance(item, RunLog))
    return log.isEnabledFor(logging.INFO) and shown
