import io
import json
import math
import sys

import pytest
from disk import full_disk

from seq2seq.errors import RunError
from seq2seq.training import progress_bar
from seq2seq.training.interrupt import Interrupted
from seq2seq.training.log import MetricsLog, read_metrics
from seq2seq.training.loggers import Ending, Logger, TensorBoard
from seq2seq.training.progress import Progress
from seq2seq.training.progress_bar import ProgressBar, TimeLeft, duration_in_words
from seq2seq.training.tensorboard import EventFile


def lines(folder):
    return (folder / "metrics.jsonl").read_text("utf-8").splitlines()


def opened(folder, progress):
    """Open the log of a run with logger=tensorboard."""
    return MetricsLog(folder, progress, TensorBoard().build(folder, {"seed": 1}))


def write(folder, *updates):
    """Return the progress of a run with records of these updates."""
    progress = Progress()
    with opened(folder, progress) as log:
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
    with opened(tmp_path, Progress()) as log:
        log.write("train", 50, {"loss": 2.5, "learning_rate": 1e-3})
        log.write("validation", 100, {"loss": math.inf, "bleu": 12.0})
        assert json.loads(lines(tmp_path)[0]) == {"kind": "train", "update": 50, "loss": 2.5, "learning_rate": 1e-3}
    assert read_metrics(tmp_path / "metrics.jsonl")[1] == {
        "kind": "validation", "update": 100, "loss": math.inf, "bleu": 12.0
    }  # fmt: skip


def test_resuming_removes_records_after_the_checkpoint(tmp_path):
    with opened(tmp_path, cut(write(tmp_path, 10, 20, 30, 40), 20)) as log:
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
    with opened(tmp_path, cut(progress, 20)) as log:
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
    with opened(tmp_path, progress) as log:
        log.write("train", 30, {"loss": 9.0})
    assert [record["update"] for record in progress.records] == [10, 20, 30]
    assert read_metrics(tmp_path / "metrics.jsonl") == progress.records


def test_a_full_disk_is_one_line(tmp_path):
    with opened(tmp_path, Progress()) as log:
        log.write("train", 1, {"loss": 1.0})
        with full_disk((tmp_path / "metrics.jsonl").stat().st_size), pytest.raises(RunError) as error:
            log.write("train", 2, {"loss": 1.0})
    assert "metrics.jsonl cannot be written (File too large): free some space" in str(error.value)
    with full_disk(100), pytest.raises(RunError, match="free some space"):
        opened(tmp_path, cut(write(tmp_path, *range(50)), 50))


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
    with opened(tmp_path, cut(write(tmp_path, 10, 20, 30), 20)) as log:
        log.write("train", 30, {"loss": 9.0})
    assert scalars(tmp_path) == [(10, 1.0), (20, 2.0), (30, 9.0)]


def test_tensorboard_has_a_record_as_soon_as_it_is_written(tmp_path):
    """A killed process does not close its files."""
    with opened(tmp_path, Progress()) as log:
        log.write("train", 10, {"loss": 1.0})
        assert scalars(tmp_path) == [(10, 1.0)]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_bar_shows_place_loss_rate_speed_and_time_left(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with ProgressBar(3, 10) as bar:
        bar.step()
        bar.step()
        bar.show(2.34567, 0.001, 12345.6)
        bar.say("a line above")
        bar.step()
        bar.bar.refresh()
        shown = sys.stderr.getvalue()
    assert "a line above\n" in shown
    for part in ("6/10", "loss=2.346", "lr=1.00e-03", "tokens/s=12,346", "about 0 s left"):
        assert part in shown


class Clock:
    """A clock that only the test advances."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(progress_bar, "time", self)

    def perf_counter(self):
        return self.now


def test_without_a_terminal_lines_say_how_much_time_is_left(capsys, monkeypatch):
    clock = Clock(monkeypatch)
    with ProgressBar(0, 1000) as bar:
        for update in range(1, 121):
            clock.now += 30 if update == 1 else 1  # the first update is slow
            bar.step()
            if update % 10 == 0:
                bar.show(2.5, 0.001, 800.0)
    first, long, second, *others = capsys.readouterr().err.splitlines()
    assert first == "update      2 of 1,000  about 17 min left"
    assert long == "training will take about 16 minutes here"
    assert second == "update     20 of 1,000  loss=2.500, lr=1.00e-03, tokens/s=800, about 16 min left"
    assert [line.split()[1] for line in others] == ["40", "60", "80", "100", "120"]


def test_the_estimate_counts_validations_and_ignores_the_slow_first_updates(monkeypatch):
    clock = Clock(monkeypatch)
    left = TimeLeft(100, 200, 20)
    for number, seconds in enumerate([50, 1, 30, *[1] * 17]):
        assert (left.seconds_left() is None) == (number < 2)
        clock.now += seconds
        left.step()
        if number > 2:
            assert left.seconds_left() == 200 - left.update
    with left.validating():
        clock.now += 7
    assert left.seconds_left() == 80 + 4 * 7
    clock.now += 1
    left.step()
    assert left.seconds_left() == 79 + 4 * 7, "the validation is not part of an update"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59, "59 s"), (61, "1 min"), (3599, "1 h 0 min"), (12_000, "3 h 20 min")]
)
def test_a_duration_is_rounded(seconds, words):
    assert duration_in_words(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "smaller", "line"),
    [
        (0.2, "experiment=small", ""),
        (0.3, None, "training will take about 17 minutes here\n"),
        (0.3, "experiment=small", "training will take about 17 minutes here; experiment=small takes less\n"),
    ],
)
def test_a_long_training_is_announced_after_ten_updates(capsys, monkeypatch, seconds, smaller, line):
    clock = Clock(monkeypatch)
    with ProgressBar(100, 3500, smaller) as bar:
        for update in range(1, 30):
            clock.now += seconds if update > 3 else 60  # the first ones do not count
            bar.step()
            if update == 9:
                assert "minutes" not in capsys.readouterr().err
    lines = [line for line in capsys.readouterr().err.replace("\r", "\n").splitlines() if "minutes" in line]
    assert lines == line.splitlines()


class Flaky(Logger):
    """A logger that fails while ``broken``."""

    def __init__(self):
        self.broken, self.received, self.calls, self.ending = False, [], 0, None

    def record(self, record):
        self.calls += 1
        if self.broken:
            raise ConnectionError("the network is down")
        self.received.append((record["kind"], record["update"]))

    def close(self, ending):
        self.ending = ending
        if self.broken:
            raise ConnectionError("the network is down")


def test_a_failed_logger_is_reported_once_and_later_gets_what_it_missed(tmp_path, caplog):
    logger = Flaky()
    with MetricsLog(tmp_path, Progress(), logger) as log:
        log.write("train", 10, {"loss": 1.0})
        logger.broken = True
        for update in (20, 30, 40):
            log.write("train", update, {"loss": 1.0})
        assert logger.calls == 2, "a slow service is not asked again at every record"
        log.write("validation", 40, {"loss": 1.0})
        assert logger.calls == 3
        logger.broken = False
        log.write("train", 50, {"loss": 1.0})
        log.write("validation", 60, {"loss": 1.0})
    expected = [("train", 10), ("train", 20), ("train", 30), ("train", 40), ("validation", 40), ("train", 50)]
    assert logger.received == [*expected, ("validation", 60)]
    assert logger.ending is Ending.finished
    [message] = caplog.messages
    assert message.startswith("Flaky has failed (the network is down): training continues")
    assert len(lines(tmp_path)) == 7


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (Interrupted("stopped", 15), Ending.interrupted),
        (KeyboardInterrupt(), Ending.interrupted),
        (ValueError(), Ending.failed),
    ],
)
def test_a_logger_learns_how_training_ended_and_hides_no_error(tmp_path, error, ending):
    logger = Flaky()
    logger.broken = True
    with pytest.raises(type(error)), MetricsLog(tmp_path, Progress(), logger):
        raise error
    assert logger.ending is ending


def test_a_full_disk_does_not_end_the_run_for_tensorboard(tmp_path, monkeypatch, caplog):
    """The next validation begins a new file; nothing is missing."""
    with opened(tmp_path, Progress()) as log:
        log.write("train", 10, {"loss": 1.0})
        monkeypatch.setattr(EventFile, "add", full)
        log.write("train", 20, {"loss": 2.0})
        monkeypatch.undo()
        log.write("train", 30, {"loss": 3.0})
        log.write("validation", 30, {"loss": 3.0})
    assert scalars(tmp_path) == [(10, 1.0), (20, 2.0), (30, 3.0)]
    assert len(caplog.messages) == 1


def full(file, update, values):
    """Write a part of an event."""
    file.file.write(b"half")
    file.close()
    raise OSError(28, "No space left on device")
