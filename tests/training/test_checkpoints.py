import os
import pickle
from pathlib import Path

import pytest
import torch
from disk import HOW, damage, full_disk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from seq2seq.errors import RunError
from seq2seq.model.weights import load_weights
from seq2seq.system.atomic import temporary_path
from seq2seq.training.checkpoints import Checkpoints

STATE = {"network": {"weight": torch.arange(6.0).view(2, 3)}, "progress": {"update": 3, "place": [1, 2]}}


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path / "checkpoints")


def filled(value: float) -> nn.Module:
    network = nn.Linear(3, 2)
    nn.init.constant_(network.weight, value)
    nn.init.constant_(network.bias, -value)
    return network


def files(checkpoints: Checkpoints) -> set[str]:
    return {path.name for path in checkpoints.folder.iterdir()}


def refused(checkpoints: Checkpoints) -> str:
    """Return the error message of a new process in this folder."""
    with pytest.raises(RunError) as raised:
        Checkpoints(checkpoints.folder).load_state()
    message = str(raised.value)
    assert "\n" not in message
    assert str(checkpoints.last) in message
    assert f"delete {checkpoints.folder} to train from the beginning" in message
    return message


def found(checkpoints: Checkpoints) -> dict[str, object]:
    """Return the state that a new process loads."""
    state = Checkpoints(checkpoints.folder).load_state()
    assert state is not None
    return state


def test_the_state_is_restored_and_the_previous_one_is_kept(checkpoints):
    assert checkpoints.load_state() is None
    for update in (1, 2):
        checkpoints.save_state({"progress": {"update": update}}, [])
    checkpoints.save_state(STATE, [])
    loaded = found(checkpoints)
    assert torch.equal(loaded["network"]["weight"], STATE["network"]["weight"])
    assert loaded["progress"] == STATE["progress"]
    assert torch.load(checkpoints.previous, weights_only=True)["progress"] == {"update": 2}
    assert files(checkpoints) == {"last.pt", "previous.pt"}


def test_a_full_disk_keeps_both_states(checkpoints):
    checkpoints.save_state({"progress": {"update": 1}}, [])
    checkpoints.save_state(STATE, [])
    before = {path: path.read_bytes() for path in checkpoints.folder.iterdir()}
    with full_disk(1000), pytest.raises(RunError, match=r"last\.pt cannot be written .*free some space"):
        checkpoints.save_state({"weights": torch.zeros(1000)}, [])
    assert {path: path.read_bytes() for path in checkpoints.folder.iterdir()} == before


@pytest.mark.parametrize("how", HOW)
def test_a_damaged_state_falls_back_to_the_previous_one_with_a_warning(checkpoints, how, caplog):
    checkpoints.save_state({"progress": {"update": 1}}, [])
    checkpoints.save_state(STATE, [])
    assert found(checkpoints)["progress"] == STATE["progress"]
    assert caplog.messages == []
    damage(checkpoints.last, how)
    assert found(checkpoints)["progress"] == {"update": 1}
    [line] = caplog.messages
    assert line.startswith(f"{checkpoints.last} cannot be used (")
    assert line.endswith(f"): resuming from the state before it, {checkpoints.previous}")
    assert "\n" not in line


def test_a_damaged_state_never_replaces_the_intact_one(checkpoints):
    checkpoints.save_state({"progress": {"update": 1}}, [])
    checkpoints.save_state(STATE, [])
    damage(checkpoints.last, "0.5")
    again = Checkpoints(checkpoints.folder)
    again.load_state()
    again.save_state({"progress": {"update": 2}}, [])
    assert torch.load(checkpoints.previous, weights_only=True)["progress"] == {"update": 1}
    again.save_state({"progress": {"update": 3}}, [])
    assert torch.load(checkpoints.previous, weights_only=True)["progress"] == {"update": 2}
    assert found(checkpoints)["progress"] == {"update": 3}


@pytest.mark.parametrize("how", HOW[1:])
@pytest.mark.parametrize("before", ["none", "damaged too"])
def test_two_damaged_states_give_one_line(checkpoints, how, before):
    checkpoints.save_state(STATE, [])
    if before == "damaged too":
        checkpoints.save_state(STATE, [])
        damage(checkpoints.previous, "0.5")
    damage(checkpoints.last, how)
    assert "damaged" in refused(checkpoints)


def test_a_state_with_any_changed_bit_is_not_used(checkpoints):
    checkpoints.save_state(STATE, [])
    whole = checkpoints.last.read_bytes()
    for place in range(0, 8 * len(whole), 61):
        spoilt = bytearray(whole)
        spoilt[place // 8] ^= 1 << place % 8
        checkpoints.last.write_bytes(spoilt)
        try:
            state = found(checkpoints)
        except RunError:
            continue
        assert state["progress"] == STATE["progress"]
        assert torch.equal(state["network"]["weight"], STATE["network"]["weight"])


@pytest.mark.parametrize("how", ["missing", "0.5"])
def test_a_state_whose_weights_are_damaged_is_not_used(checkpoints, how, caplog):
    checkpoints.save(filled(1.0), 10)
    checkpoints.save_state({"progress": {"update": 10}}, [10])
    checkpoints.save(filled(2.0), 20)
    checkpoints.save_state({"progress": {"update": 20}}, [10, 20])
    damage(checkpoints.weights_path(20), how)
    assert found(checkpoints)["progress"] == {"update": 10}
    assert "update-0000020.safetensors is" in caplog.messages[0]
    damage(checkpoints.weights_path(10), how)
    assert "update-0000010.safetensors is" in refused(checkpoints)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60), st.sampled_from([b"", b"\x80\x02", b"\x80\x02}q\x00", b"PK\x03\x04"]))
def test_random_bytes_are_refused_in_one_line(checkpoints, noise, beginning):
    checkpoints.folder.mkdir(exist_ok=True)
    checkpoints.last.write_bytes(beginning + noise)
    assert "damaged" in refused(checkpoints)


class Malicious:
    """An unsafe unpickler would create a folder."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.proof),)


@pytest.mark.parametrize("form", ["zip", "legacy", "plain"])
def test_nothing_in_a_state_is_executed(checkpoints, tmp_path, form):
    proof = tmp_path / "executed"
    checkpoints.folder.mkdir()
    if form == "plain":
        checkpoints.last.write_bytes(pickle.dumps({"network": Malicious(proof)}))
    else:
        torch.save({"network": Malicious(proof)}, checkpoints.last, _use_new_zipfile_serialization=form == "zip")
    assert "damaged" in refused(checkpoints)
    assert not proof.exists()


def test_a_state_of_an_older_version_is_resumed(checkpoints):
    """It has one state and no list of kept weights."""
    checkpoints.folder.mkdir()
    torch.save(STATE, checkpoints.last)
    assert found(checkpoints)["progress"] == STATE["progress"]


def test_the_average_is_the_mean_of_the_named_weights(checkpoints):
    for update, value in {10: 1.0, 20: 2.0, 30: 100.0, 40: 6.0}.items():
        checkpoints.save(filled(value), update)
    mean = checkpoints.average([10, 20, 40])
    assert torch.equal(mean["weight"], torch.full((2, 3), 3.0))
    assert torch.equal(mean["bias"], torch.full((2,), -3.0))
    assert mean["weight"].dtype == torch.float32


def test_the_average_of_one_checkpoint_has_its_bits(checkpoints):
    network = nn.Linear(3, 2)
    checkpoints.save(network, 7)
    assert torch.equal(checkpoints.average([7])["weight"], network.weight)


def test_the_average_is_summed_in_higher_precision_than_float32(checkpoints):
    for update, value in {1: 2.0**24, 2: 1.0, 3: 1.0, 4: 2.0}.items():
        checkpoints.save(filled(value), update)
    assert checkpoints.average([1, 2, 3, 4])["weight"][0, 0] == (2.0**24 + 4) / 4


def test_the_average_of_missing_weights_gives_one_line(checkpoints):
    checkpoints.save(filled(1.0), 1)
    with pytest.raises(RunError, match=r"update-0000002\.safetensors is missing"):
        checkpoints.average([1, 2])


def test_weights_are_kept_while_a_state_refers_to_them(checkpoints):
    def kept() -> list[int]:
        return sorted(int(name[7:14]) for name in files(checkpoints) if name.startswith("update-"))

    for update, asked_for, left in [
        (10, [10], [10]),
        (20, [10, 20], [10, 20]),
        (30, [20, 30], [10, 20, 30]),
        (40, [30, 40], [20, 30, 40]),
        (50, [50], [30, 40, 50]),
    ]:
        if update == 40:  # a new process
            checkpoints = Checkpoints(checkpoints.folder)
            checkpoints.load_state()
        checkpoints.save(filled(update), update)
        temporary_path(checkpoints.folder / "update-0000099.safetensors").touch()  # of a process that was killed
        checkpoints.save_state({"progress": {"update": update}}, asked_for)
        assert kept() == left
    assert load_weights(checkpoints.weights_path(30))["weight"][0, 0] == 30


def test_files_left_by_a_killed_process_are_deleted_at_the_next_start(checkpoints):
    for update in (10, 20, 30):
        checkpoints.save(filled(update), update)
        checkpoints.save_state({"progress": {"update": update}}, [update])
    checkpoints.save(filled(1), 10)
    assert len(files(checkpoints)) == 5
    found(checkpoints)
    assert files(checkpoints) == {
        "last.pt", "previous.pt", "update-0000020.safetensors", "update-0000030.safetensors"
    }  # fmt: skip
    damage(checkpoints.last, "0.5")
    checkpoints.save(filled(1), 10)
    found(checkpoints)
    assert checkpoints.weights_path(10).exists(), "the previous state may need further weights"


def test_existing_checkpoints_and_their_update_are_listed(checkpoints):
    for update in (10, 20, 30):
        checkpoints.save(filled(update), update)
        checkpoints.save_state({"progress": {"update": update}}, [update - 10, update])
    assert [path.name[12:14] for path in checkpoints.kept()] == ["10", "20", "30"]
    assert checkpoints.progress() == {"update": 30}
    damage(checkpoints.last, "0.5")
    assert checkpoints.progress() is None
    checkpoints.last.unlink()
    assert checkpoints.progress() is None


@pytest.mark.parametrize("how", ["whole", *HOW, "of another update"])
def test_a_model_is_restored_only_if_it_is_unchanged(checkpoints, tmp_path, how):
    path = tmp_path / "model.safetensors"
    for update, value in {1: 1.0, 2: 3.0}.items():
        checkpoints.save(filled(value), update)
    checkpoints.put([1, 2], path)
    before, stamp = path.read_bytes(), path.stat().st_mtime_ns
    if how == "of another update":
        checkpoints.put([2], path)
    elif how != "whole":
        damage(path, how)
    checkpoints.put([1, 2], path)
    assert path.read_bytes() == before
    assert torch.equal(load_weights(path)["weight"], torch.full((2, 3), 2.0))
    assert (path.stat().st_mtime_ns == stamp) == (how == "whole")
