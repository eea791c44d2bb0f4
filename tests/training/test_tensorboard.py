"""Event files of interrupted, resumed and truncated runs, as read by TensorBoard."""

import threading

import pytest
from disk import full_disk
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seq2seq.training import tensorboard as events_module
from seq2seq.training.tensorboard import EventFile


def read(folder):
    """Return updates and values by tag."""
    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_values_are_read_by_tag(tmp_path):
    file = EventFile(tmp_path / "new", 1)
    file.add(10, {"train/loss": 2.5, "train/learning_rate": 0.5})
    file.add(20, {"train/loss": 1.5})
    assert read(tmp_path / "new") == {"train/loss": [(10, 2.5), (20, 1.5)], "train/learning_rate": [(10, 0.5)]}
    file.close()


@pytest.mark.parametrize("clock", [1.0, 0.0])
def test_a_later_file_replaces_values_from_its_first_update_on(tmp_path, monkeypatch, clock):
    """Also if both files are created within one second."""
    now = [1_700_000_000.0]
    monkeypatch.setattr(events_module.time, "time", lambda: now[0])
    for first, updates in ((1, (10, 20, 30)), (21, (30, 40)), (11, (20,)), (21, ())):
        file = EventFile(tmp_path, first)
        for update in updates:
            file.add(update, {"loss": update + first})
        file.close()
        now[0] += clock
    assert read(tmp_path) == {"loss": [(10, 11), (20, 31)]}


@pytest.mark.parametrize("left", [1, 9, 20, 40])
def test_a_truncated_file_keeps_its_complete_records(tmp_path, left):
    for first in (1, 21):
        file = EventFile(tmp_path, first)
        for update in (first + 9, first + 19):
            file.add(update, {"loss": update})
        file.close()
        if first == 1:
            [path] = tmp_path.iterdir()
            size = path.stat().st_size
            file = EventFile(tmp_path, 21)
            file.close()
            sorted(tmp_path.iterdir())[1].unlink()
            path.write_bytes(path.read_bytes()[: size - left])
    assert read(tmp_path)["loss"][-2:] == [(30, 30.0), (40, 40.0)]
    assert read(tmp_path)["loss"][0] == (10, 10.0)


def test_a_full_disk_raises_in_the_caller_and_closing_does_not_raise(tmp_path):
    threads = threading.active_count()
    file = EventFile(tmp_path, 1)
    file.add(1, {"loss": 1.0})
    file.sync()
    with full_disk(sum(path.stat().st_size for path in tmp_path.iterdir())):
        with pytest.raises(OSError, match="File too large"):
            file.add(2, {"loss": 1.0})
        file.close()
    with full_disk(10), pytest.raises(OSError, match="File too large"):
        EventFile(tmp_path / "other", 1)
    assert threading.active_count() == threads
    assert read(tmp_path) == {"loss": [(1, 1.0)]}
