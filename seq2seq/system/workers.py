"""Work spread over processes, its results in order: text is cut and encoded by Python code, which runs on one core.

A worker is a new interpreter that is sent a function once and then items, through pipes. It is no fork, which may
deadlock where the parent has threads (PyTorch's, Arrow's), and it imports nothing of the program that starts it. It
ends when its pipe does, whatever has become of the parent.
"""

import os
import pickle
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from itertools import chain, islice
from typing import IO, Any, TypeVar

from seq2seq.errors import RunError, Seq2SeqError

ALONE = 5
"""Items that are worked on before any process is started: of fewer, none is worth its start."""

START = "from seq2seq.system.workers import serve; serve()"

Item = TypeVar("Item")
Result = TypeVar("Result")


def python(program: str, *arguments: str) -> list[str]:
    """The command that runs a program of ours in a new interpreter, which imports from where this one does.

    Python by itself looks first into the current folder, which may hold a stranger's text, and with it a ``pickle.py``;
    and into what the environment names. ``-I`` keeps it from both; with ``-u`` nothing that is printed is lost when the
    process is killed.
    """
    return [sys.executable, "-I", "-u", "-c", f"import sys; sys.path[:] = {sys.path!a}\n{program}", *arguments]


def last_line(output: str) -> str:
    """The last line that a failed process printed, for an error message."""
    return (output.strip().splitlines() or ["it printed nothing"])[-1]


def available() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ordered_map(
    work: Callable[[Item], Result], items: Iterable[Item], processes: int, alone: int = ALONE
) -> Generator[Result]:
    """What ``work`` makes of each item, in the items' order, by several processes at once.

    At most one item a process is under way, so that memory is bounded. Items are read in this process, between results;
    hold the iterator in `contextlib.closing` where it may not be read to its end.

    Args:
        work: picklable, a function of a module or a `functools.partial` of one.
        items: picklable.
        processes: how many; 1: none but this one.
        alone: so many items are worked on here before the processes are started.

    Raises:
        RunError: a process was killed.
        Seq2SeqError: as ``work`` raises it.
    """
    waiting = iter(items)
    yield from map(work, islice(waiting, None if processes <= 1 else alone))
    if processes <= 1 or (following := list(islice(waiting, 1))) == []:
        return
    workers = [Worker(work) for _ in range(processes)]
    try:
        items = chain(following, waiting)
        busy = deque[Worker]()
        for worker, item in zip(workers, items, strict=False):
            worker.send(item)
            busy.append(worker)
        for item in items:
            result = busy[0].receive()
            busy[0].send(item)
            busy.rotate(-1)
            yield result
        while busy:
            yield busy.popleft().receive()
    finally:
        for worker in workers:
            worker.end()


class Worker:
    """A process that applies one function. It takes an item only when the result before has been received."""

    def __init__(self, work: Callable[[Any], Any]) -> None:
        self._process = subprocess.Popen(python(START), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.send(work)

    def send(self, item: object) -> None:
        """Hand an item over.

        Raises:
            RunError: the process is gone.
        """
        assert self._process.stdin is not None
        try:
            _write(item, self._process.stdin)
        except OSError:
            raise self._gone() from None

    def receive(self) -> Any:
        """Wait for the result.

        Raises:
            RunError: the process is gone.
            Seq2SeqError: what the function raised.
        """
        assert self._process.stdout is not None
        try:
            result = pickle.load(self._process.stdout)  # from our own process
        except (EOFError, OSError, pickle.UnpicklingError):
            raise self._gone() from None
        if isinstance(result, Seq2SeqError):
            raise result
        return result

    def end(self) -> None:
        """End the process, whatever it does, and wait until it is gone."""
        self._process.kill()
        with suppress(OSError):  # what was not flushed is for nobody
            self._process.communicate()

    def _gone(self) -> RunError:
        code = self._process.wait()
        how = f"killed by signal {-code}" if code < 0 else f"it left with code {code}"
        return RunError(
            f"a worker process is gone ({how}): where memory is short set data.workers=1; the same command goes on"
        )


def serve() -> None:
    """What a worker does: read a function, then items, and write results, until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent to answer
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the function prints must not get between the results
    with suppress(EOFError, BrokenPipeError):
        work = pickle.load(sys.stdin.buffer)
        while True:
            item = pickle.load(sys.stdin.buffer)
            try:
                result = work(item)
            except Seq2SeqError as error:
                result = error
            _write(result, results)


def _write(item: object, stream: IO[bytes]) -> None:
    pickle.dump(item, stream, protocol=pickle.HIGHEST_PROTOCOL)
    stream.flush()
