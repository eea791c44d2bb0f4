"""Loading exported graphs; tests/export/test_onnx_graph.py compares their results with torch."""

import shutil

import numpy as np
import pytest
import torch
from networks import EVERY, random_network

from seq2seq.export.onnx_graph import write_graphs
from seq2seq.model.weights import save_weights
from seq2seq.portable.errors import PortableError
from seq2seq.portable.onnx_engine import OnnxEngine


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_weights(random_network(EVERY[4], 1, dtype=torch.float32), folder / "model.safetensors")
    write_graphs(EVERY[4], folder)
    return folder


@pytest.fixture
def copy(model, tmp_path):
    return shutil.copytree(model, tmp_path / "copy")


def test_a_copied_folder_computes_the_same_bits(model, copy):
    engines = [OnnxEngine(folder) for folder in (model, copy)]
    first, second = (engine.step(np.array([1]), *engine.encode([3, 4, 2]))[0] for engine in engines)
    assert (first == second).all()


def test_a_folder_of_links_into_a_cache_is_read(model, tmp_path):
    """As huggingface_hub downloads a model: onnxruntime refuses weights outside of the graph's own folder."""
    for name in ("encoder.onnx", "step.onnx", "model.safetensors"):
        stored = tmp_path / "blobs" / f"hash of {name}"
        stored.parent.mkdir(exist_ok=True)
        shutil.copy(model / name, stored)
        (tmp_path / name).symlink_to(stored)
    assert len(OnnxEngine(tmp_path).encode([3, 4, 2])) == 2


@pytest.mark.parametrize("name", ["encoder.onnx", "step.onnx", "model.safetensors"])
def test_a_missing_or_truncated_file_is_named_in_one_line(copy, name):
    content = (copy / name).read_bytes()
    for damage in (lambda path: path.unlink(), lambda path: path.write_bytes(content[: len(content) // 2])):
        damage(copy / name)
        with pytest.raises(PortableError, match=r"copy or export (the folder|it) again") as caught:
            OnnxEngine(copy)
        assert "\n" not in str(caught.value)
        assert name in str(caught.value)
