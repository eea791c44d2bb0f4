"""Weights on disk."""

import os
import pickle
from pathlib import Path

import pytest
import torch
from disk import full_disk
from safetensors.torch import load_file, save_file
from torch import nn
from windows import held

from seq2seq.errors import RunError
from seq2seq.model import DecoderConfig, EncoderConfig, ModelConfig, Network, Tying
from seq2seq.model.weights import (
    CHECKSUM,
    SCALES,
    checksum,
    dequantized,
    is_quantized,
    load_weights,
    read_metadata,
    save_quantized,
    save_weights,
    set_weights,
)


def network(tying: Tying = Tying.all, size: int = 5, seed: int = 0) -> Network:
    torch.manual_seed(seed)
    config = ModelConfig(embedding_size=4, encoder=EncoderConfig(size=3), decoder=DecoderConfig(size=size), tying=tying)
    return Network(config, 7, 7, joint=True)


def message(path: Path, into: nn.Module | None = None) -> str:
    """Return the error message of loading ``path``."""
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
def test_saved_weights_are_loaded_unchanged(tmp_path, tying):
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


def test_saving_again_replaces_the_old_weights(saved):
    save_weights(network(seed=9), saved)
    assert torch.equal(load_weights(saved)["output.bias"], network(seed=9).output.bias)
    assert torch.equal(load_weights(saved)["target_embedding.weight"], network(seed=9).target_embedding.weight)
    assert [entry.name for entry in saved.parent.iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_weight_files_have_the_usual_permissions(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        save_weights(network(), tmp_path / "model.safetensors")
    finally:
        assert os.umask(before) == mask
    assert (tmp_path / "model.safetensors").stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("save", [save_weights, save_quantized])
def test_a_full_disk_keeps_the_old_weights(saved, save):
    before = saved.read_bytes()
    with (
        full_disk(len(before) // 2),
        pytest.raises(RunError, match=r"model\.safetensors cannot be written .*space"),
    ):
        save(network(seed=9), saved)
    assert saved.read_bytes() == before
    assert [entry.name for entry in saved.parent.iterdir()] == ["model.safetensors"]


def test_every_changed_bit_is_detected(saved):
    """Except the padding of the header and the name of the checksum."""
    whole, weights = saved.read_bytes(), load_weights(saved)
    for place in range(0, 8 * len(whole), 101):
        spoilt = bytearray(whole)
        spoilt[place // 8] ^= 1 << place % 8
        saved.write_bytes(spoilt)
        try:
            loaded = load_weights(saved)
        except RunError as error:
            assert f"{saved} is damaged" in str(error)  # noqa: PT017
        else:
            assert loaded.keys() == weights.keys()
            assert all(torch.equal(loaded[name], weights[name]) for name in weights)


def test_weights_of_other_programs_have_no_checksum(saved):
    save_file(load_weights(saved), saved)
    assert load_weights(saved)["output.bias"].shape == (7,)


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    save_file({"a": torch.tensor([1.0, torch.nan]), "b": torch.tensor([1])}, tmp_path / "model.safetensors")
    with pytest.raises(RunError, match=r"damaged \(numbers that are not finite\): copy it again or retrain"):
        load_weights(tmp_path / "model.safetensors")


def test_the_checksum_covers_names_shapes_types_and_bytes():
    one = {"a": torch.arange(6.0), "b": torch.zeros(2, 3, dtype=torch.int8)}
    others = [
        one | {"a": torch.arange(6.0).view(2, 3)},
        one | {"a": torch.arange(6.0).view(torch.int32)},
        one | {"a": -torch.arange(6.0)},  # except zero: only signs differ
        {"a": one["a"], "c": one["b"]},
        {"a": one["a"]},
    ]
    assert len({checksum(weights) for weights in [one, *others]}) == 6
    assert checksum(dict(reversed(one.items()))) == checksum(one)
    assert checksum({"a": torch.arange(6.0).view(2, 3).t()}) != checksum({"a": torch.arange(6.0).view(3, 2)})


def test_a_missing_file(tmp_path):
    assert message(tmp_path / "model.safetensors").endswith(
        "is missing: there is no model before the first validation; resume training, or name another run folder"
    )
    assert "is missing" in message(tmp_path)  # a folder instead of a file


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
    assert "copy it again or retrain" in message(saved)


def test_a_manipulated_header(saved):
    saved.write_bytes(saved.read_bytes().replace(b'"F32"', b'"F99"', 1))
    assert "is damaged (" in message(saved)


def test_a_name_missing_in_the_file(saved):
    assert message(saved, network(Tying.output)).endswith(
        "does not belong to config.yaml: the file has no source_embedding.weight; restore the two together"
    )


def test_a_name_missing_in_the_model(saved):
    save_weights(network(Tying.output), saved)
    assert "the model of config.yaml has no source_embedding.weight; restore the two together" in message(saved)


def test_another_shape(saved):
    before = network(size=6, seed=3)
    kept = {name: parameter.clone() for name, parameter in before.state_dict().items()}
    assert "bridge.cell_maps.0.bias is [5] in the file, [6] in the model; restore" in message(saved, before)
    assert all(torch.equal(parameter, kept[name]) for name, parameter in before.state_dict().items())


# In 8 bits


@pytest.fixture
def quantized(tmp_path: Path) -> Path:
    save_quantized(network(), tmp_path / "int8.safetensors")
    return tmp_path / "int8.safetensors"


@pytest.mark.parametrize("tying", Tying)
def test_matrices_in_8_bits_are_restored_within_half_a_step(tmp_path, tying):
    before, after, path = network(tying, seed=1), network(tying, seed=2), tmp_path / "new" / "model.safetensors"
    save_quantized(before, path)
    weights = load_weights(path)
    assert is_quantized(weights)
    assert {tensor.dtype for tensor in weights.values()} == {torch.int8, torch.float32}
    set_weights(after, dequantized(weights, path), path)
    for name, parameter in before.named_parameters():
        result = after.state_dict()[name]
        assert result.dtype is torch.float32
        if parameter.dim() == 2:
            assert not torch.equal(result, parameter), name
            step = parameter.abs().amax(1, keepdim=True) / 127
            assert ((result - parameter).abs() <= 0.501 * step).all(), name
        else:
            assert torch.equal(result, parameter), name
    again = tmp_path / "again.safetensors"
    save_quantized(after, again)
    assert again.read_bytes() == path.read_bytes(), "quantizing again changes nothing"


def test_plain_weights_are_not_quantized_and_unchanged(saved):
    weights = load_weights(saved)
    assert not is_quantized(weights)
    plain = dequantized(weights, saved)
    assert plain.keys() == weights.keys()
    assert all(plain[name] is weights[name] for name in weights)


def test_8_bits_take_a_quarter_of_the_space(tmp_path):
    config = ModelConfig(embedding_size=64, encoder=EncoderConfig(size=64), decoder=DecoderConfig(size=128))
    large = Network(config, 500, 500, joint=True)
    save_weights(large, tmp_path / "plain")
    save_quantized(large, tmp_path / "int8")
    assert (tmp_path / "int8").stat().st_size < 0.29 * (tmp_path / "plain").stat().st_size


MATRIX = "target_embedding.weight"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({MATRIX + SCALES: torch.ones(6)}, f"{MATRIX}{SCALES} fits no matrix"),
        ({MATRIX + SCALES: torch.ones(7, 1)}, f"{MATRIX}{SCALES} fits no matrix"),
        ({MATRIX: torch.ones(7, 4)}, f"{MATRIX}{SCALES} fits no matrix"),
        ({MATRIX: torch.ones(7, dtype=torch.int8)}, f"{MATRIX}{SCALES} fits no matrix"),
        ({MATRIX: None}, f"{MATRIX}{SCALES} fits no matrix"),
        ({MATRIX + SCALES: None}, f"{MATRIX} has no scales"),
        ({"output.bias": torch.ones(7, dtype=torch.int64)}, "output.bias has no scales"),
    ],
)
def test_mismatched_codes_and_scales_are_refused(quantized, changes, words):
    changed = {name: tensor for name, tensor in (load_weights(quantized) | changes).items() if tensor is not None}
    save_file(changed, quantized)
    with pytest.raises(RunError) as caught:
        dequantized(load_weights(quantized), quantized)
    assert str(caught.value) == f"{quantized} is damaged ({words}): copy it again or quantize it again"


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="open files are looked up in /proc")
def test_loaded_weights_keep_no_file_open(tmp_path):
    """Windows cannot replace open or mapped files."""
    path = tmp_path.resolve() / "model.safetensors"
    save_weights(network(), path)
    mapped = load_file(path)
    assert str(path) in held(), "as the library reads them"
    del mapped
    weights = load_weights(path)
    assert str(path) not in held()
    assert weights


def test_metadata_are_read_back_and_equal_weights_give_equal_bytes(tmp_path):
    metadata = {"licence": 'CC-BY "4.0" – é 中 😀\n\x1f\x7f/', **{f"key {number}": str(number) for number in range(9)}}
    contents = set()
    for number in range(5):
        path = tmp_path / f"{number}.safetensors"
        save_weights(network(), path, dict(reversed(metadata.items())) if number % 2 else metadata)
        assert read_metadata(path) == {**metadata, CHECKSUM: checksum(load_weights(path))}
        contents.add(path.read_bytes())
        assert load_file(path).keys() == load_weights(path).keys()
    assert len(contents) == 1


def test_metadata_that_are_not_text_are_refused(tmp_path, saved):
    for wrong in (b"[1]", b'{"a":1}'):
        header = b'{"__metadata__":' + wrong + b"}"
        saved.write_bytes(len(header).to_bytes(8, "little") + header)
        with pytest.raises(RunError, match=r"is damaged \(its metadata is not text\): copy it again"):
            read_metadata(saved)
    with pytest.raises(RunError, match="is missing: there is no model before the first validation"):
        read_metadata(tmp_path / "other")
