"""A trace survives saving and loading, and other files are rejected in one line."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from seq2seq.analysis.beam_tree import Node, Outcome
from seq2seq.analysis.replay import CellDirection, CellLocation, Side
from seq2seq.analysis.trace import LayerTrace, Trace
from seq2seq.errors import RunError


def small_trace(**changes):
    """Two source tokens, three target tokens, three units."""
    gates = {name: torch.rand(2, 3) for name in ("input", "forget", "candidate", "output")}
    encoder = LayerTrace(
        CellLocation(Side.encoder, 1, CellDirection.reversed), gates, torch.rand(2, 3), torch.rand(2, 3)
    )
    decoder = LayerTrace(CellLocation(Side.decoder, 1, CellDirection.forward), {}, torch.rand(3, 3), None)
    values = {
        "model": "runs/demo",
        "source": "a <b>",
        "text": "ü & c",
        "source_tokens": ("▁a", "</s>"),
        "target_tokens": ("▁ü", "▁c", "</s>"),
        "input_tokens": ("<s>", "▁ü", "▁c"),
        "layers": (encoder, decoder),
        "context": torch.rand(3),
        "initial_hidden": torch.rand(1, 3),
        "initial_cell": None,
        "attention": torch.tensor([[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]]),
        "log_probabilities": torch.tensor([-0.1, -0.2, -0.3]),
        "alternative_tokens": (("x",), ("y",), ("z",)),
        "alternative_ids": torch.tensor([[5], [6], [7]]),
        "alternative_log_probabilities": torch.tensor([[-2.0], [-3.0], [-4.0]]),
        "tree": (
            Node(0, -1, 1, 0.0, Outcome.kept, True),
            Node(1, 0, 4, -0.5, Outcome.kept, True),
            Node(1, 0, 5, -1.5, Outcome.pruned, False),
            Node(2, 1, 2, -0.75, Outcome.finished, True),
        ),
        "tree_tokens": ("<s>", "▁ü", "x", "</s>"),
    }
    return Trace(**{**values, **changes})


def assert_equal(one, other):
    for name in one.__dataclass_fields__:
        left, right = getattr(one, name), getattr(other, name)
        if isinstance(left, torch.Tensor):
            assert torch.equal(left, right), name
        elif name != "layers":
            assert left == right, name
    for left, right in zip(one.layers, other.layers, strict=True):
        assert left.location == right.location
        assert left.gates.keys() == right.gates.keys()
        assert all(torch.equal(left.gates[gate], right.gates[gate]) for gate in left.gates)
        assert torch.equal(left.hidden, right.hidden)
        assert (left.cell is None and right.cell is None) or torch.equal(left.cell, right.cell)


@pytest.mark.parametrize("changes", [{}, {"attention": None, "tree": (), "tree_tokens": ()}], ids=["all", "less"])
def test_a_saved_trace_is_loaded_unchanged(tmp_path, changes):
    trace = small_trace(**changes)
    trace.save(tmp_path / "new" / "trace.safetensors")
    assert_equal(Trace.load(tmp_path / "new" / "trace.safetensors"), trace)


def test_the_arrays_have_documented_names(tmp_path):
    trace = small_trace()
    trace.save(tmp_path / "trace.safetensors")
    arrays = load_file(tmp_path / "trace.safetensors")
    assert arrays.keys() == trace.arrays().keys()
    assert arrays["encoder.1.reversed.forget"].shape == (2, 3)
    assert arrays["decoder.1.forward.hidden"].shape == (3, 3)
    assert arrays["attention"].shape == (3, 2)
    assert arrays["tree.parent"].tolist() == [-1, 0, 0, 1]


def test_a_layer_is_found_by_its_location():
    trace = small_trace()
    assert trace.layer("encoder", 1, "reversed") is trace.layers[0]
    assert trace.layers[0].recurrent_state is trace.layers[0].cell
    assert trace.layer(Side.decoder).recurrent_state is trace.layers[1].hidden
    assert trace.tokens_of(trace.layers[0]) == trace.source_tokens
    assert trace.tokens_of(trace.layers[1]) == trace.input_tokens
    with pytest.raises(KeyError):
        trace.layer("decoder", 2)


def test_other_files_are_rejected_in_one_line(tmp_path):
    path = tmp_path / "trace.safetensors"
    for content in (None, b"not safetensors", "other tensors", "cut short"):
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content == "other tensors":
            save_file({"weight": torch.zeros(1)}, path)
        elif content:
            small_trace().save(path)
            path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(RunError, match="cannot be read as a trace") as caught:
            Trace.load(path)
        assert "\n" not in str(caught.value)
