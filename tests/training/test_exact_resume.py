"""A run resumes exactly after disk failures: damaged, missing or incomplete files and a full disk.

These tests run in this process with the tiny network of `reversal`; `test_kill.py` tests whole programs.
"""

import shutil
from pathlib import Path

import pytest
import torch
from disk import HOW, damage, full_disk
from reversal import SEVEN_BATCHES, Stream, held_out_loss, metrics, same, tiny_network, trainer, training, weights

from seq2seq.data.batch_sampler import StreamPosition
from seq2seq.errors import RunError
from seq2seq.model.weights import load_weights
from seq2seq.system.atomic import temporary_path
from seq2seq.training import trainer as trainer_module
from seq2seq.training.config import Average

CONFIG = training(updates=14, accumulate=2, ema=0.7, average=Average.best)  # validated at 4, 8, 12 and 14
LAST, PREVIOUS, MODEL = "checkpoints/last.pt", "checkpoints/previous.pt", "model.safetensors"


def weights_after(update: int) -> str:
    return f"checkpoints/update-{update:07d}.safetensors"


class Ended:
    """The results of a finished run, which must not depend on interruptions."""

    def __init__(self, folder: Path, config=CONFIG, validate=held_out_loss) -> None:
        network = tiny_network()
        self.trainer = trainer(folder, config, network=network, validate=validate)
        torch.manual_seed(999)
        self.trainer.fit()
        self.weights, self.best = weights(network), load_weights(folder / MODEL)
        self.metrics, self.validations = metrics(folder), self.trainer.progress.validations
        self.average = dict(enumerate(self.trainer.average.weights))

    def same_as(self, other: "Ended") -> bool:
        return (
            same(self.weights, other.weights)
            and same(self.best, other.best)
            and same(self.average, other.average)
            and self.metrics == other.metrics
            and self.validations == other.validations
        )


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Ended:
    return Ended(tmp_path_factory.mktemp("whole"))


AFTER_NINE = StreamPosition(2, 5)


def stopped(folder: Path, place: StreamPosition = AFTER_NINE, config=CONFIG) -> None:
    """Crash a run, by default after update 9, with states of updates 8 and 4."""

    def crash(now: StreamPosition) -> None:
        if now == place:
            raise ConnectionError

    with pytest.raises(ConnectionError):
        trainer(folder, config, stream=Stream(SEVEN_BATCHES, crash)).fit()


@pytest.mark.grid
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(("file", "goes_on_from"), [(LAST, 4), (weights_after(8), 4), (PREVIOUS, 8), (MODEL, 8)])
def test_a_damaged_state_does_not_change_the_result(tmp_path, whole, how, file, goes_on_from, caplog):
    stopped(tmp_path)
    damage(tmp_path / file, how)
    assert trainer(tmp_path, CONFIG).progress.update == goes_on_from
    assert len(caplog.messages) == (goes_on_from == 4)
    assert Ended(tmp_path).same_as(whole)


def test_repeated_damage_does_not_change_the_result(tmp_path, whole):
    stopped(tmp_path)
    damage(tmp_path / LAST, "0.5")
    stopped(tmp_path, StreamPosition(3, 5))  # resumes from 4, validates at 8 and 12, crashes
    damage(tmp_path / LAST, "bit")
    assert trainer(tmp_path, CONFIG).progress.update == 8
    assert Ended(tmp_path).same_as(whole)


def test_incomplete_files_of_a_killed_process_are_ignored(tmp_path, whole):
    stopped(tmp_path)
    for name in (LAST, MODEL, weights_after(8), weights_after(12), weights_after(99), "metrics.jsonl"):
        temporary_path(tmp_path / name).write_bytes(b"half a file")
    (tmp_path / weights_after(12)).write_bytes(b"of an update that is still to come")
    with (tmp_path / "metrics.jsonl").open("ab") as file:
        file.write(b'{"kind": "validation", "update": 8}\n\0\0\0\n{"kind": ')
    assert Ended(tmp_path).same_as(whole)
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize("how", HOW)
def test_missing_weights_of_both_states_give_one_line(tmp_path, how):
    stopped(tmp_path)
    damage(tmp_path / weights_after(4), how)
    with pytest.raises(RunError) as error:
        trainer(tmp_path, CONFIG)
    assert "update-0000004.safetensors is" in str(error.value)
    assert str(error.value).endswith(f"delete {tmp_path / 'checkpoints'} to train from the beginning")
    assert "\n" not in str(error.value)


def scripted_validation(average_is_better: bool):
    """A validation that prefers the average or not, and records the weights it receives."""
    updates = []

    def validate(network, update):
        updates.append(update)
        outcome = held_out_loss(network, update)
        return outcome._replace(loss=outcome.loss * (0.5 if average_is_better else 2)) if len(updates) == 5 else outcome

    return validate, updates


@pytest.mark.grid
@pytest.mark.parametrize("how", [*HOW, "another"])
@pytest.mark.parametrize("average_is_better", [True, False])
def test_the_model_of_a_finished_run_is_restored_without_validation(tmp_path, how, average_is_better):
    validate, updates = scripted_validation(average_is_better)
    ended = Ended(tmp_path, validate=validate)
    assert ended.trainer.progress.model == ([14, 12] if average_is_better else [14])
    before = (tmp_path / MODEL).read_bytes()
    if how == "another":  # weights of an update that was lost
        (tmp_path / MODEL).unlink()
        shutil.copy(tmp_path / weights_after(12), tmp_path / MODEL)
    else:
        damage(tmp_path / MODEL, how)
    assert Ended(tmp_path, validate=validate).same_as(ended)
    assert (tmp_path / MODEL).read_bytes() == before
    assert len(updates) == 5


# No room


def test_a_full_disk_stops_the_run_in_one_line_and_it_resumes_with_space(tmp_path, whole):
    stopped_at = set()
    for room in (50, 500, 5_000, 12_000, 20_000):
        before = {path: path.read_bytes() for path in tmp_path.rglob("*.pt")}
        with full_disk(room), pytest.raises(RunError, match=r"cannot be written .*: free some space") as error:
            trainer(tmp_path, CONFIG).fit()
        assert "\n" not in str(error.value)
        assert not list(tmp_path.rglob("*.tmp"))
        assert {path: path.read_bytes() for path in before} == before
        stopped_at.add(str(error.value).split()[0].rpartition("/")[2])
    assert stopped_at >= {"tensorboard", "last.pt", "update-0000004.safetensors"}, stopped_at
    assert Ended(tmp_path).same_as(whole)


# Frequency of saving


class Clock:
    """A clock that each update advances by a minute."""

    def __init__(self, monkeypatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(trainer_module, "time", self)

    def perf_counter(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("minutes", "states"),
    [
        (None, [10, 20, 24]),  # the validations and the end
        (0, [2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24]),  # with every record
        (4, [4, 8, 10, 14, 18, 20, 24]),
        (5, [6, 10, 16, 20, 24]),
        (60, [10, 20, 24]),
    ],
)
def test_a_state_is_saved_with_the_first_record_after_save_minutes(tmp_path, monkeypatch, minutes, states):
    clock = Clock(monkeypatch)
    config = training(updates=24, validate_every=10, log_every=2, save_minutes=minutes, average=Average.none)
    one = trainer(tmp_path, config)
    update, save, saved = one._update, one.checkpoints.save_state, []

    def minute_long(*args):
        clock.now += 60
        return update(*args)

    one._update = minute_long
    one.checkpoints.save_state = lambda state, updates: saved.append(one.progress.update) or save(state, updates)
    one.fit()
    assert sorted({*saved}) == states


def test_intermediate_states_reduce_the_loss_of_a_crash_and_change_nothing(tmp_path, whole):
    config = training(updates=14, accumulate=2, ema=0.7, save_minutes=0)  # recorded, and so saved, at 5 and 10
    stopped(tmp_path, StreamPosition(3, 2), config)  # after update 11, during the next
    assert trainer(tmp_path, config).progress.update == 10
    damage(tmp_path / LAST, "0.5")
    assert trainer(tmp_path, config).progress.update == 8
    assert Ended(tmp_path, config).same_as(whole)
