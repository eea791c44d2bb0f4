"""A new process: when it has translated, and what it took."""

import pytest

from seq2seq.benchmark.fresh import measure_fresh
from seq2seq.errors import RunError


@pytest.mark.slow
def test_a_new_process_translates(tiny_run):
    found = measure_fresh((tiny_run, "cpu", "float32", False), ["We work.", "She sleeps."], 1)
    assert 0 < found.import_seconds < found.cold_start_seconds
    assert found.memory_bytes > 1_000_000


def test_one_that_fails_is_one_line(tmp_path):
    with pytest.raises(RunError, match="not a run folder") as error:
        measure_fresh((tmp_path, "cpu", "float32", False), ["We work."], 1)
    assert "\n" not in str(error.value)
