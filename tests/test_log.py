import json
import math

import pytest

from seq2seq.errors import RunError
from seq2seq.train import log as log_module
from seq2seq.train.log import MetricsLog, ProgressBar, read_metrics


def lines(folder):
    return (folder / "metrics.jsonl").read_text("utf-8").splitlines()


def write(folder, *updates):
    with MetricsLog(folder, 0) as log:
        for update in updates:
            log.write("train", update, {"loss": update / 10})


def test_a_record_is_a_line(tmp_path):
    with MetricsLog(tmp_path, 0) as log:
        log.write("train", 50, {"loss": 2.5, "learning_rate": 1e-3})
        log.write("validation", 100, {"loss": math.inf, "bleu": 12.0})
        assert json.loads(lines(tmp_path)[0]) == {"kind": "train", "update": 50, "loss": 2.5, "learning_rate": 1e-3}
    assert read_metrics(tmp_path / "metrics.jsonl")[1] == {
        "kind": "validation", "update": 100, "loss": math.inf, "bleu": 12.0
    }  # fmt: skip


def test_going_on_takes_back_what_came_after_the_checkpoint(tmp_path):
    write(tmp_path, 10, 20, 30, 40)
    with MetricsLog(tmp_path, 20) as log:
        assert [record["update"] for record in read_metrics(log.path)] == [10, 20]
        log.write("train", 30, {"loss": 9.0})
    losses = {record["update"]: record["loss"] for record in read_metrics(log.path)}
    assert losses == {10: 1.0, 20: 2.0, 30: 9.0}
    assert not list(tmp_path.glob("*.tmp"))


def test_a_run_killed_before_its_first_checkpoint_begins_anew(tmp_path):
    write(tmp_path, 10, 20)
    write(tmp_path, 10)
    assert len(lines(tmp_path)) == 1


def test_a_last_line_cut_short_is_left_out_and_the_next_begins_a_line(tmp_path):
    write(tmp_path, 10, 20)
    path = tmp_path / "metrics.jsonl"
    path.write_text(path.read_text("utf-8")[:-7], "utf-8")
    assert [record["update"] for record in read_metrics(path)] == [10]
    with MetricsLog(tmp_path, 20) as log:
        log.write("train", 30, {"loss": 3.0})
    assert [record["update"] for record in read_metrics(path)] == [10, 30]


@pytest.mark.parametrize("line", ["{not json", "5", '{"kind": "train"}'])
def test_a_line_that_is_no_record_is_named(tmp_path, line):
    write(tmp_path, 10)
    path = tmp_path / "metrics.jsonl"
    path.write_text(path.read_text("utf-8") + line + "\n", "utf-8")
    with pytest.raises(RunError, match=r"metrics\.jsonl is damaged \(line 2 is no record\)"):
        read_metrics(path)


def test_no_file_has_no_records(tmp_path):
    assert read_metrics(tmp_path / "metrics.jsonl") == []


def test_tensorboard_reads_the_values(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with MetricsLog(tmp_path, 0) as log:
        log.write("train", 50, {"loss": 2.5})
        log.write("train", 100, {"loss": 1.5})
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("train/loss")] == [(50, 2.5), (100, 1.5)]


def test_tensorboard_forgets_what_is_taken_back(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    write(tmp_path, 10, 20, 30)
    with MetricsLog(tmp_path, 20) as log:
        log.write("train", 30, {"loss": 9.0})
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("train/loss")] == [10, 20, 30]
    assert events.Scalars("train/loss")[-1].value == 9.0


def test_tensorboard_is_closed_on_errors_too(tmp_path, monkeypatch):
    closed = []

    class Writer:
        def __init__(self, folder: str, purge_step: int) -> None:
            pass

        def close(self) -> None:
            closed.append(True)

    monkeypatch.setattr(log_module, "SummaryWriter", Writer)

    def fail() -> None:
        with MetricsLog(tmp_path, 0):
            raise ValueError("anything")

    with pytest.raises(ValueError, match="anything"):
        fail()
    assert closed == [True]


def test_the_bar_shows_place_loss_rate_speed_and_time_left(capsys):
    with ProgressBar(3, 10) as bar:
        bar.step()
        bar.show(2.34567, 0.001, 12345.6)
        bar.say("a line above")
        bar.bar.refresh()
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "a line above\n" in shown.err
    for part in ("4/10", "loss=2.346", "lr=1.00e-03", "tokens/s=12,346", "<"):
        assert part in shown.err
