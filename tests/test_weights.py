"""Weights on disk."""

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from seq2seq import weights as weights_module
from seq2seq.errors import RunError
from seq2seq.model import DecoderConfig, EncoderConfig, ModelConfig, Network, Tying
from seq2seq.weights import load_weights, save_weights, set_weights


def network(tying: Tying = Tying.all, size: int = 5, seed: int = 0) -> Network:
    torch.manual_seed(seed)
    config = ModelConfig(embedding_size=4, encoder=EncoderConfig(size=3), decoder=DecoderConfig(size=size), tying=tying)
    return Network(config, 7, 7, joint=True)


def message(path: Path, into: nn.Module | None = None) -> str:
    """The one line that loading ``path`` ends with."""
    with pytest.raises(RunError) as caught:
        set_weights(into or network(), load_weights(path), path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_weights(network(), tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize("tying", Tying)
def test_what_is_saved_comes_back(tmp_path, tying):
    before, after = network(tying, seed=1), network(tying, seed=2)
    path = tmp_path / "new" / "folder" / "model.safetensors"
    save_weights(before, path)
    set_weights(after, load_weights(path), path)
    for name, parameter in before.state_dict().items():
        assert torch.equal(after.state_dict()[name], parameter), name
    assert (after.output.weight is after.target_embedding.weight) == (tying is not Tying.none)
    assert [entry.name for entry in path.parent.iterdir()] == ["model.safetensors"]


def test_tied_tables_are_stored_once(saved):
    names = set(load_file(saved))
    assert names == {name for name, _ in network().named_parameters()}
    assert names & {"target_embedding.weight", "source_embedding.weight", "output.weight"} == {
        "target_embedding.weight"
    }


def test_weights_that_are_saved_again_replace_the_old(saved):
    save_weights(network(seed=9), saved)
    assert torch.equal(load_weights(saved)["output.bias"], network(seed=9).output.bias)
    assert torch.equal(load_weights(saved)["target_embedding.weight"], network(seed=9).target_embedding.weight)
    assert [entry.name for entry in saved.parent.iterdir()] == ["model.safetensors"]


def test_the_old_weights_stand_until_the_new_are_whole(saved, monkeypatch):
    def full_disk(weights: dict[str, torch.Tensor], path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("no space left on device")

    before = saved.read_bytes()
    monkeypatch.setattr(weights_module, "save_file", full_disk)
    with pytest.raises(OSError, match="no space"):
        save_weights(network(seed=9), saved)
    assert saved.read_bytes() == before
    assert [entry.name for entry in saved.parent.iterdir()] == ["model.safetensors"]


def test_a_missing_file(tmp_path):
    assert message(tmp_path / "model.safetensors").endswith(
        "is missing: is this a run folder whose training has validated at least once?"
    )
    assert "is missing" in message(tmp_path)  # a folder is no file


@pytest.mark.parametrize("kept", [0, 4, 8, 100, -1])
def test_a_truncated_file(saved, kept):
    saved.write_bytes(saved.read_bytes()[:kept])
    assert f"{saved} is damaged (" in message(saved)


@pytest.mark.parametrize(
    "content",
    [
        b"not weights at all, but a text of some length\nand a second line",
        b"\xff" * 64,
        pickle.dumps({"output.bias": [1.0, 2.0]}),
        (12).to_bytes(8, "little") + b'{"a": [1, 2]',
    ],
)
def test_a_foreign_file(saved, content):
    saved.write_bytes(content)
    assert "copy it again or train anew" in message(saved)


def test_a_header_that_was_tampered_with(saved):
    saved.write_bytes(saved.read_bytes().replace(b'"F32"', b'"F99"', 1))
    assert "is damaged (" in message(saved)


def test_a_name_that_the_file_lacks(saved):
    assert message(saved, network(Tying.output)).endswith(
        "does not belong to config.yaml: the file has no source_embedding.weight; restore the two together"
    )


def test_a_name_that_the_model_lacks(saved):
    save_weights(network(Tying.output), saved)
    assert "the model of config.yaml has no source_embedding.weight; restore the two together" in message(saved)


def test_another_shape(saved):
    before = network(size=6, seed=3)
    kept = {name: parameter.clone() for name, parameter in before.state_dict().items()}
    assert "bridge.cell_maps.0.bias is [5] in the file, [6] in the model; restore" in message(saved, before)
    assert all(torch.equal(parameter, kept[name]) for name, parameter in before.state_dict().items())
