"""Training measured with each number of threads."""

import pytest

from seq2seq.benchmark import threads
from seq2seq.benchmark.report import threads_table
from seq2seq.benchmark.threads import measure_threads, numbers


@pytest.mark.parametrize(("processors", "found"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8])])
def test_numbers_of_threads(processors, found):
    assert numbers(processors) == found


def test_every_number_has_a_process_of_its_own(tmp_path, monkeypatch):
    """It sees its number and policy, whatever the environment said."""
    program = tmp_path / "program.py"
    program.write_text(
        "import os, sys\n"
        "assert 'parts=[training]' in sys.argv\n"
        "waits = os.environ['OMP_WAIT_POLICY'], os.environ.get('GOMP_SPINCOUNT')\n"
        "figure = {('PASSIVE', '3000'): 5, ('PASSIVE', None): 0, ('ACTIVE', None): 9}[waits]\n"
        "print(f'target pieces/s   1,{os.environ[\"OMP_NUM_THREADS\"]}{figure}0')\n"
    )
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    monkeypatch.setenv("OMP_NUM_THREADS", "9")
    monkeypatch.setattr(threads, "available", lambda: 2)
    rows = list(measure_threads([str(program), "parts=[threads]"], tmp_path))
    assert [(row.threads, row.policy, row.pieces_per_second) for row in rows] == [
        (1, "spin briefly", 1150),
        (2, "spin briefly", 1250),
        (2, "sleep", 1200),
        (2, "spin", 1290),
    ]
    assert threads_table(rows).split("\n")[2].split() == ["1", "spin", "briefly", "1,150"]
