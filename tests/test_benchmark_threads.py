"""Training measured with each number of threads."""

import pytest

from seq2seq.benchmark import threads
from seq2seq.benchmark.report import threads_table
from seq2seq.benchmark.threads import ThreadsRow, measure_threads, numbers


@pytest.mark.parametrize(("processors", "found"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8])])
def test_numbers_of_threads(processors, found):
    assert numbers(processors) == found


def test_every_number_has_a_process_of_its_own(tmp_path, monkeypatch):
    """It sees its number and policy, whatever the environment said."""
    program = tmp_path / "program.py"
    program.write_text(
        "import os, sys\n"
        "assert 'GOMP_SPINCOUNT' not in os.environ and 'parts=[training]' in sys.argv\n"
        "spins = os.environ['OMP_WAIT_POLICY'] == 'ACTIVE'\n"
        "print('target pieces/s   1,' + os.environ['OMP_NUM_THREADS'] + ('5' if spins else '0') + '0')\n"
    )
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    monkeypatch.setenv("OMP_NUM_THREADS", "9")
    monkeypatch.setattr(threads, "available", lambda: 2)
    rows = list(measure_threads([str(program), "parts=[threads]"], tmp_path))
    assert rows == [ThreadsRow(1, "PASSIVE", 1100), ThreadsRow(2, "PASSIVE", 1200), ThreadsRow(2, "ACTIVE", 1250)]
    assert threads_table(rows).split("\n")[2].split() == ["1", "sleep", "1,100"]
    assert threads_table(rows).split("\n")[-1].split() == ["2", "spin", "1,250"]
