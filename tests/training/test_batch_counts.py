"""A run that is resumed with another number of batches per update."""

import os
import signal
from itertools import pairwise
from typing import NamedTuple

import pytest
from conftest import TINY
from hypothesis import given
from hypothesis import strategies as st

from seq2seq import train
from seq2seq.config.hydra import compose_train
from seq2seq.data.batch_sampler import StreamPosition
from seq2seq.data.stream import BothDirections, SubwordResampler
from seq2seq.training.batch_counts import BatchCounts
from seq2seq.training.checkpoints import Checkpoints
from seq2seq.training.interrupt import Interrupted
from seq2seq.training.trainer import Trainer

SETTINGS = [*TINY, "training.updates=20", "training.validate_every=4", "training.log_every=1"]
SETTINGS += ["training.precision=float32", "tokenizer=bpe", "batch.tokens=150", "data.builtin.validation_size=2"]


@st.composite
def batch_counts(draw) -> BatchCounts:
    starts = [0, *sorted(draw(st.sets(st.integers(1, 12), max_size=3)))]
    return BatchCounts(tuple((start, draw(st.integers(1, 4))) for start in starts))


@given(batch_counts(), st.integers(0, 12), st.integers(1, 4))
def test_counts_are_those_of_adding_update_by_update(counts, resumed_at, count):
    """Compared with a list of the batches before each update."""
    for tried in (counts, counts.resumed(resumed_at, count)):
        tried.check()
        taken = [0]
        for update in range(40):
            taken.append(taken[-1] + dict(tried.changes)[max(start for start, _ in tried.changes if start <= update)])
        assert [tried.taken(updates) for updates in range(41)] == taken
        for batches in range(taken[20]):
            assert tried.updates(batches) == next(number for number, sum_ in enumerate(taken) if sum_ >= batches)
    after = counts.resumed(resumed_at, count)
    assert after.taken(resumed_at) == counts.taken(resumed_at)
    assert after.taken(resumed_at + 3) == counts.taken(resumed_at) + 3 * count


@pytest.mark.parametrize("changes", [((1, 2),), ((0, 0),), ((0, 1), (0, 2)), ((0, 2**40),), ((0, 1.0),), ((True, 1),)])
def test_numbers_of_a_damaged_file_are_refused(changes):
    with pytest.raises(ValueError, match=r"batches|order"):
        BatchCounts(changes).check()


class Batches(NamedTuple):
    """What happened to the batches of an update."""

    before: StreamPosition
    reversed: set[bool]
    sampled: set[bool]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Train with each number of batches per update in turn, up to an update; returns all updates and the end."""
    updates: dict[int, Batches] = {}
    update, both, resample = Trainer._update, BothDirections.__call__, SubwordResampler.__call__

    def updated(self, *arguments):
        updates[self.progress.update + 1] = Batches(self.progress.place, set(), set())
        return update(self, *arguments)

    def reversing(self, rows, position):
        updates[max(updates)].reversed.add(position <= self.until)
        return both(self, rows, position)

    def sampling(self, rows, position):
        updates[max(updates)].sampled.add(self.until is None or position <= self.until)
        return resample(self, rows, position)

    monkeypatch.setattr(Trainer, "_update", updated)
    monkeypatch.setattr(BothDirections, "__call__", reversing)
    monkeypatch.setattr(SubwordResampler, "__call__", sampling)

    def go(parts, *settings):
        for accumulate, last in parts:

            def crash(validation, last=last):
                if validation.update == last:
                    raise ConnectionError

            config = compose_train(overrides=[*SETTINGS, f"training.accumulate={accumulate}", *settings])
            if last is None:
                train(config, tmp_path / "run")
                continue
            with pytest.raises(ConnectionError):
                train(config, tmp_path / "run", on_validation=crash)
            for lost in range(last - 3, last + 1):  # the saved state is that of the validation before
                del updates[lost]
        return updates, StreamPosition(*Checkpoints(tmp_path / "run" / "checkpoints").progress()["place"])

    return go


PARTS = [pytest.param([(2, 8), (1, None)], marks=pytest.mark.slow), [(3, 8), (1, 16), (2, None)]]


@pytest.mark.parametrize("parts", PARTS)
def test_phases_end_after_their_updates(run, parts):
    phases = "training.bidirectional=0.5", "tokenizer.sampling=0.1", "tokenizer.sampling_until=0.8"
    updates, _ = run(parts, *phases)
    assert [number for number, batches in updates.items() if batches.reversed == {True}] == [*range(1, 11)]
    assert [number for number, batches in updates.items() if batches.reversed == {False}] == [*range(11, 21)]
    assert [number for number, batches in updates.items() if batches.sampled == {True}] == [*range(1, 17)]
    assert [number for number, batches in updates.items() if batches.sampled == {False}] == [*range(17, 21)]


@pytest.mark.parametrize("parts", PARTS)
def test_a_curriculum_that_is_over_does_not_move_the_stream(run, parts):
    """Every update begins where the one before it has ended; a batch is one step, and so is the end of an epoch."""
    updates, end = run(parts, "training.curriculum=0.1")
    starts = [updates[number].before for number in range(1, 21)]
    for position, after in pairwise([*starts, end]):
        assert position < after
        assert after.epoch - position.epoch <= 1
        if after.epoch == position.epoch:
            assert after.batch - position.batch in {accumulate for accumulate, _ in parts}


@pytest.mark.parametrize("parts", [[(2, 8), (3, None)]])
def test_epochs_end_with_the_epoch(run, parts):
    updates, end = run(parts, "training.epochs=2", "training.updates=1000", "data.builtin.train_size=150")
    assert end.epoch == 2
    assert end.batch < parts[-1][0]
    assert updates[max(updates)].before < (2, 0)


@pytest.mark.parametrize("damage", [pytest.param("other bytes", marks=pytest.mark.slow), "one bit"])
def test_the_history_is_that_of_the_state_that_is_resumed(tmp_path, damage):
    """The last state, of update 16, is damaged, so that training resumes at update 12."""

    def go(accumulate, last=None):
        def crash(validation):
            if validation.update == last:
                raise ConnectionError

        train(
            compose_train(overrides=[*SETTINGS, f"training.accumulate={accumulate}"]),
            tmp_path / "run",
            on_validation=crash,
        )

    for accumulate, last in ((1, 12), (2, 20)):
        with pytest.raises(ConnectionError):
            go(accumulate, last)
    state = tmp_path / "run" / "checkpoints" / "last.pt"
    content = bytearray(state.read_bytes())
    content[len(content) // 2] ^= 1
    state.write_bytes(content if damage == "one bit" else b"no state")
    go(3)
    saved = Checkpoints(state.parent).progress()
    assert saved["batches_per_update"] == [[0, 1], [8, 2], [12, 3]]
    assert saved["update"] == 20


def test_an_interrupted_run_reports_no_average(tmp_path):
    """Interrupted in its last validation, it only has to average weights when it resumes."""
    config, reports = compose_train(overrides=SETTINGS), []

    def interrupt(validation):
        reports.append(validation.update)
        if validation.update == 20:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        train(config, tmp_path, on_validation=interrupt)
    train(config, tmp_path, on_validation=interrupt)
    assert reports == [4, 8, 12, 16, 20]
