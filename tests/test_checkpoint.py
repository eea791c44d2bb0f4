import os
import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from seq2seq.errors import RunError
from seq2seq.train.checkpoint import Checkpoints
from seq2seq.weights import load_weights

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
    with pytest.raises(RunError) as raised:
        checkpoints.load_last()
    message = str(raised.value)
    assert "\n" not in message
    assert str(checkpoints.last) in message
    return message


def test_the_state_comes_back_and_replaces_the_one_before(checkpoints):
    assert checkpoints.load_last() is None
    checkpoints.save_last({"progress": {"update": 1}})
    checkpoints.save_last(STATE)
    loaded = checkpoints.load_last()
    assert torch.equal(loaded["network"]["weight"], STATE["network"]["weight"])
    assert loaded["progress"] == STATE["progress"]
    assert files(checkpoints) == {"last.pt"}


def test_a_save_that_fails_leaves_the_state_before_it(checkpoints, monkeypatch):
    def torn(state: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    checkpoints.save_last(STATE)
    monkeypatch.setattr(torch, "save", torn)
    with pytest.raises(OSError, match="disk full"):
        checkpoints.save_last({"progress": {"update": 4}})
    assert checkpoints.load_last()["progress"] == STATE["progress"]
    assert files(checkpoints) == {"last.pt"}


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_state_cut_short_is_refused_in_one_line(checkpoints, share):
    checkpoints.save_last(STATE)
    whole = checkpoints.last.read_bytes()
    checkpoints.last.write_bytes(whole[: int(share * len(whole))])
    assert "damaged" in refused(checkpoints)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60), st.sampled_from([b"", b"\x80\x02", b"\x80\x02}q\x00", b"PK\x03\x04"]))
def test_random_bytes_are_refused_in_one_line(checkpoints, noise, beginning):
    checkpoints.folder.mkdir(exist_ok=True)
    checkpoints.last.write_bytes(beginning + noise)
    assert "damaged" in refused(checkpoints)


class Malicious:
    """Unpickled as anything goes, it makes a folder."""

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


def test_average_is_the_mean_of_the_weights_named(checkpoints):
    for update, value in {10: 1.0, 20: 2.0, 30: 100.0, 40: 6.0}.items():
        checkpoints.save(filled(value), update)
    mean = checkpoints.average([10, 20, 40])
    assert torch.equal(mean["weight"], torch.full((2, 3), 3.0))
    assert torch.equal(mean["bias"], torch.full((2,), -3.0))
    assert mean["weight"].dtype == torch.float32


def test_average_of_one_is_that_one_bit_by_bit(checkpoints):
    network = nn.Linear(3, 2)
    checkpoints.save(network, 7)
    assert torch.equal(checkpoints.average([7])["weight"], network.weight)


def test_average_is_summed_finer_than_float32(checkpoints):
    for update, value in {1: 2.0**24, 2: 1.0, 3: 1.0, 4: 2.0}.items():
        checkpoints.save(filled(value), update)
    assert checkpoints.average([1, 2, 3, 4])["weight"][0, 0] == (2.0**24 + 4) / 4


def test_average_of_weights_that_are_gone_says_so(checkpoints):
    checkpoints.save(filled(1.0), 1)
    with pytest.raises(RunError, match=r"update-0000002\.safetensors is missing"):
        checkpoints.average([1, 2])


def test_keep_only_keeps_the_updates_named_and_the_state(checkpoints):
    checkpoints.save_last(STATE)
    for update in (10, 20, 30):
        checkpoints.save(filled(update), update)
    checkpoints.keep_only([20, 99])
    assert files(checkpoints) == {"last.pt", "update-0000020.safetensors"}
    assert load_weights(checkpoints.weights_path(20))["weight"][0, 0] == 20
