"""Work in several processes: the same results in the same order, and errors in one line."""

import math
import operator
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from functools import partial
from itertools import count, islice

import pytest

from seq2seq.corpora.files import TsvFile
from seq2seq.errors import DataError, RunError
from seq2seq.system.workers import available_cores, ordered_map


@pytest.mark.parametrize("processes", [1, 3])
@pytest.mark.parametrize("items", [0, 1, 2, 9])
def test_results_come_in_the_order_of_their_items(processes, items):
    assert list(ordered_map(math.sqrt, range(items), processes, before_start=1)) == [math.sqrt(n) for n in range(items)]


def test_few_items_start_no_process(monkeypatch):
    monkeypatch.setattr("seq2seq.system.workers.Worker", None)
    assert list(ordered_map(abs, [-1, -2, -3], 8, before_start=3)) == [1, 2, 3]


def test_other_processes_do_the_work_and_large_items_do_not_block():
    large = b"x" * 1_000_000  # more than the buffer of a pipe, in both directions
    assert list(ordered_map(bytes.upper, [large] * 6, 2, before_start=0)) == [large.upper()] * 6
    result = set(ordered_map(operator.call, [os.getpid] * 6, 3, before_start=0))
    assert len(result) == 3
    assert os.getpid() not in result


def test_no_more_items_are_read_than_there_are_free_workers():
    read = []
    items = (read.append(number) or number for number in count())
    with closing(ordered_map(abs, items, 2, before_start=0)) as results:
        assert list(islice(results, 3)) == [0, 1, 2]
        assert len(read) <= 6


def test_an_error_of_the_work_is_raised(tmp_path):
    reader = partial(TsvFile, source_column="1", target_column="2")
    with pytest.raises(DataError, match="none: no such file"):
        list(ordered_map(reader, [tmp_path / "none"] * 3, 2, before_start=0))


def test_output_of_the_work_does_not_mix_with_results(capfd):
    say = partial(os.write, 1)  # one call of the system per line, so that two processes do not mix theirs
    assert list(ordered_map(say, [b"said\n"] * 2, 2, before_start=0)) == [5, 5]
    assert capfd.readouterr() == ("", "said\n" * 2)


def test_a_killed_worker_gives_one_line():
    with pytest.raises(RunError, match=r"killed by signal 9\): set data\.workers=1 if memory is short") as error:
        list(ordered_map(signal.raise_signal, [signal.SIGKILL] * 4, 2, before_start=0))
    assert "\n" not in str(error.value)


def test_closing_the_iterator_ends_the_workers():
    results = ordered_map(time.sleep, [0, 60, 60], 2, before_start=0)
    next(results)
    started = time.monotonic()
    results.close()
    assert time.monotonic() - started < 30


def test_workers_end_when_their_parent_is_killed():
    program = "import operator, os\nfrom itertools import repeat\nfrom seq2seq.system.workers import ordered_map\n"
    program += (
        "for process in ordered_map(operator.call, repeat(os.getpid), 2, before_start=0): print(process, flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        workers = {int(parent.stdout.readline()) for _ in range(2)}
        parent.kill()
    assert len(workers) == 2
    for worker in workers:
        while running(worker):
            time.sleep(0.01)


def running(process: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    completed = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return completed.stdout.strip()[:1] not in ("", "Z")


def test_workers_do_not_import_pytorch():
    modules = "seq2seq.system.workers, seq2seq.data.encoding, seq2seq.grammar.sentences"
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout == b"False\n"


def test_at_least_one_core_is_available():
    assert 1 <= available_cores() <= (os.cpu_count() or 1)
