"""Training speed with each number of threads."""

import pytest

from tests.tools import threads
from tests.tools.against import own_command
from tests.tools.threads import measure_threads, thread_counts, threads_table


@pytest.mark.parametrize(("processors", "counts"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8])])
def test_numbers_of_threads_are_powers_of_two_and_all(processors, counts):
    assert thread_counts(processors) == counts


def test_every_number_of_threads_has_its_own_process(tmp_path, monkeypatch):
    """The process has this number and policy whatever the environment says."""
    program = tmp_path / "program.py"
    program.write_text(
        "import os, sys\n"
        "assert 'parts=[training]' in sys.argv\n"
        "waits = os.environ['OMP_WAIT_POLICY'], os.environ.get('GOMP_SPINCOUNT')\n"
        "figure = {('PASSIVE', '3000'): 5, ('PASSIVE', None): 0, ('ACTIVE', None): 9}[waits]\n"
        "print(f'target tokens/s   1,{os.environ[\"OMP_NUM_THREADS\"]}{figure}0')\n"
    )
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    monkeypatch.setenv("OMP_NUM_THREADS", "9")
    monkeypatch.setattr(threads, "available_cores", lambda: 2)
    monkeypatch.setattr("tests.tools.against.BENCHMARK", program)
    rows = list(measure_threads(own_command([], tmp_path)))
    assert [(row.threads, row.policy, row.tokens_per_second) for row in rows] == [
        (1, "spin briefly", 1150),
        (2, "spin briefly", 1250),
        (2, "sleep", 1200),
        (2, "spin", 1290),
    ]
    assert threads_table(rows).split("\n")[2].split() == ["1", "spin", "briefly", "1,150"]
