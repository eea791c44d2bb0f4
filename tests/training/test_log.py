import json
import math

import pytest
from disk import full_disk

from seq2seq.errors import RunError
from seq2seq.training import log
from seq2seq.training.log import MetricsLog, ProgressBar, read_metrics
from seq2seq.training.progress import Progress


def lines(folder):
    return (folder / "metrics.jsonl").read_text("utf-8").splitlines()


def write(folder, *updates):
    """Return the progress of a run with records of these updates."""
    progress = Progress()
    with MetricsLog(folder, progress) as log:
        for update in updates:
            log.write("train", update, {"loss": update / 10})
    return progress


def cut(progress, update):
    """Return the records as in a training state after this number of updates."""
    return Progress(update, records=[record for record in progress.records if record["update"] <= update])


def scalars(folder):
    """Return the loss by update as read by TensorBoard."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return [(event.step, round(event.value, 3)) for event in events.Scalars("train/loss")]


def test_a_record_is_one_line(tmp_path):
    with MetricsLog(tmp_path, Progress()) as log:
        log.write("train", 50, {"loss": 2.5, "learning_rate": 1e-3})
        log.write("validation", 100, {"loss": math.inf, "bleu": 12.0})
        assert json.loads(lines(tmp_path)[0]) == {"kind": "train", "update": 50, "loss": 2.5, "learning_rate": 1e-3}
    assert read_metrics(tmp_path / "metrics.jsonl")[1] == {
        "kind": "validation", "update": 100, "loss": math.inf, "bleu": 12.0
    }  # fmt: skip


def test_resuming_removes_records_after_the_checkpoint(tmp_path):
    with MetricsLog(tmp_path, cut(write(tmp_path, 10, 20, 30, 40), 20)) as log:
        assert [record["update"] for record in read_metrics(log.path)] == [10, 20]
        log.write("train", 30, {"loss": 9.0})
    losses = {record["update"]: record["loss"] for record in read_metrics(log.path)}
    assert losses == {10: 1.0, 20: 2.0, 30: 9.0}
    assert not list(tmp_path.glob("*.tmp"))


def test_a_run_killed_before_its_first_checkpoint_starts_with_an_empty_log(tmp_path):
    write(tmp_path, 10, 20)
    write(tmp_path, 10)
    assert len(lines(tmp_path)) == 1


@pytest.mark.parametrize("spoilt", [None, "", '{"kind": "tr', "\0\0\0\n{}\n", '{"kind": "train", "update": 10}\n' * 2])
def test_resuming_rewrites_the_log_from_the_checkpoint(tmp_path, spoilt):
    progress = write(tmp_path, 10, 20)
    path = tmp_path / "metrics.jsonl"
    whole = path.read_bytes()
    path.unlink() if spoilt is None else path.write_text(spoilt, "utf-8")
    with MetricsLog(tmp_path, cut(progress, 20)) as log:
        assert path.read_bytes() == whole
        log.write("train", 30, {"loss": 3.0})
    assert [record["update"] for record in read_metrics(path)] == [10, 20, 30]


def test_a_truncated_last_line_is_ignored(tmp_path):
    write(tmp_path, 10, 20)
    path = tmp_path / "metrics.jsonl"
    path.write_text(path.read_text("utf-8")[:-7], "utf-8")
    assert [record["update"] for record in read_metrics(path)] == [10]


def test_records_missing_in_an_older_state_are_read_from_the_file(tmp_path):
    write(tmp_path, 10, 20, 30)
    progress = Progress(20)
    with MetricsLog(tmp_path, progress) as log:
        log.write("train", 30, {"loss": 9.0})
    assert [record["update"] for record in progress.records] == [10, 20, 30]
    assert read_metrics(tmp_path / "metrics.jsonl") == progress.records


def test_a_full_disk_is_one_line(tmp_path):
    with MetricsLog(tmp_path, Progress()) as log:
        log.write("train", 1, {"loss": 1.0})
        with full_disk((tmp_path / "metrics.jsonl").stat().st_size), pytest.raises(RunError) as error:
            log.write("train", 2, {"loss": 1.0})
    assert "metrics.jsonl cannot be written (File too large): free some space" in str(error.value)
    with full_disk(100), pytest.raises(RunError, match="free some space"):
        MetricsLog(tmp_path, cut(write(tmp_path, *range(50)), 50))


@pytest.mark.parametrize("line", ["{not json", "5", '{"kind": "train"}'])
def test_an_invalid_line_is_named(tmp_path, line):
    write(tmp_path, 10)
    path = tmp_path / "metrics.jsonl"
    path.write_text(path.read_text("utf-8") + line + "\n", "utf-8")
    with pytest.raises(RunError, match=r"metrics\.jsonl is damaged \(line 2 is not a record\)"):
        read_metrics(path)


def test_no_file_has_no_records(tmp_path):
    assert read_metrics(tmp_path / "metrics.jsonl") == []


def test_tensorboard_reads_the_values(tmp_path):
    write(tmp_path, 50, 100)
    assert scalars(tmp_path) == [(50, 5.0), (100, 10.0)]


def test_removed_records_are_removed_from_tensorboard(tmp_path):
    with MetricsLog(tmp_path, cut(write(tmp_path, 10, 20, 30), 20)) as log:
        log.write("train", 30, {"loss": 9.0})
    assert scalars(tmp_path) == [(10, 1.0), (20, 2.0), (30, 9.0)]


def test_tensorboard_has_a_record_as_soon_as_it_is_written(tmp_path):
    """A killed process does not close its files."""
    with MetricsLog(tmp_path, Progress()) as log:
        log.write("train", 10, {"loss": 1.0})
        assert scalars(tmp_path) == [(10, 1.0)]


def test_the_bar_shows_place_loss_rate_speed_and_time_left(capsys):
    with ProgressBar(3, 10) as bar:
        bar.step()
        bar.show(2.34567, 0.001, 12345.6)
        bar.say("a line above")
        bar.bar.refresh()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "a line above\n" in captured.err
    for part in ("4/10", "loss=2.346", "lr=1.00e-03", "tokens/s=12,346", "<"):
        assert part in captured.err


@pytest.mark.parametrize(
    ("seconds", "smaller", "line"),
    [
        (0.2, "experiment=small", ""),
        (0.3, None, "training will take about 17 minutes here\n"),
        (0.3, "experiment=small", "training will take about 17 minutes here; experiment=small takes less\n"),
    ],
)
def test_a_long_training_is_announced_after_ten_updates(capsys, monkeypatch, seconds, smaller, line):
    clock = [0.0]
    monkeypatch.setattr(log.time, "perf_counter", lambda: clock[0])
    with ProgressBar(100, 3500, smaller) as bar:
        for update in range(1, 30):
            clock[0] += seconds if update > 3 else 60  # the first ones do not count
            bar.step()
            if update == 9:
                assert "minutes" not in capsys.readouterr().err
    lines = [line for line in capsys.readouterr().err.replace("\r", "\n").splitlines() if "minutes" in line]
    assert lines == line.splitlines()
