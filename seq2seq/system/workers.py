"""A map over several worker processes, with results in order, for Python code that would use one core only.

A worker is a new interpreter. It receives a function once and then items, through pipes. It is not a fork, which may
deadlock if the parent has threads (those of PyTorch or Arrow), and it does not import the program that started it. It
ends when its pipe is closed, even if the parent was killed.
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

BEFORE_START = 5
"""Items that are processed before workers are started, because starting them costs more time."""

PROGRAM = "from seq2seq.system.workers import worker_main; worker_main()"

Item = TypeVar("Item")
Result = TypeVar("Result")


def python(program: str, *arguments: str) -> list[str]:
    """The command that runs a program in a new interpreter with the import path of this one.

    By default Python imports first from the current folder, where downloaded data may contain a ``pickle.py``, and from
    folders that the environment names. ``-I`` prevents both. With ``-u`` no output is lost when the process is killed.
    """
    return [sys.executable, "-I", "-u", "-c", f"import sys; sys.path[:] = {sys.path!a}\n{program}", *arguments]


def last_line(output: str) -> str:
    """The last line that a failed process printed, for an error message."""
    return (output.strip().splitlines() or ["it printed nothing"])[-1]


def available_cores() -> int:
    """Number of logical cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ordered_map(
    work: Callable[[Item], Result], items: Iterable[Item], processes: int, before_start: int = BEFORE_START
) -> Generator[Result]:
    """Apply ``work`` to each item in several processes, and yield the results in order.

    Each process has at most one item at a time, so memory is bounded. Items are read in this process, between results.
    Use `contextlib.closing` if the iterator may not be read to its end.

    Args:
        work: picklable: a function of a module, or a `functools.partial` of one.
        items: picklable.
        processes: number of workers; 1: this process does all work.
        before_start: number of items that this process handles before it starts workers.

    Raises:
        RunError: a worker was killed.
        Seq2SeqError: raised by ``work``.
    """
    remaining = iter(items)
    yield from map(work, islice(remaining, None if processes <= 1 else before_start))
    if processes <= 1 or (following := list(islice(remaining, 1))) == []:
        return
    workers = [Worker(work) for _ in range(processes)]
    try:
        items = chain(following, remaining)
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
            worker.kill()


class Worker:
    """A process that applies one function to one item at a time; receive each result before sending the next item."""

    def __init__(self, work: Callable[[Any], Any]) -> None:
        self._process = subprocess.Popen(python(PROGRAM), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.send(work)

    def send(self, item: object) -> None:
        """Send an item.

        Raises:
            RunError: the process has ended.
        """
        assert self._process.stdin is not None
        try:
            _write(item, self._process.stdin)
        except OSError:
            raise self._ended() from None

    def receive(self) -> Any:
        """Wait for the result.

        Raises:
            RunError: the process has ended.
            Seq2SeqError: raised by the function.
        """
        assert self._process.stdout is not None
        try:
            result = pickle.load(self._process.stdout)  # from our own process
        except (EOFError, OSError, pickle.UnpicklingError):
            raise self._ended() from None
        if isinstance(result, Seq2SeqError):
            raise result
        return result

    def kill(self) -> None:
        """Kill the process and wait until it has ended."""
        self._process.kill()
        with suppress(OSError):  # unsent data is lost on purpose
            self._process.communicate()

    def _ended(self) -> RunError:
        code = self._process.wait()
        reason = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
        return RunError(
            f"a worker process has ended ({reason}): set data.workers=1 if memory is short, and rerun the same command"
        )


def worker_main() -> None:
    """Main function of a worker: read a function, then items, and write results, until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # the function's own output must not mix with the results
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
