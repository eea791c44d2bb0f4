"""The figures of a trace show the right data, units and text."""

import struct
from io import BytesIO

import pytest
import torch
from drawing import hidden
from matplotlib.image import imread
from test_trace import small_trace

from seq2seq.analysis.beam_tree import Node, Outcome
from seq2seq.analysis.pictures import (
    DOTS_PER_INCH,
    MAX_CURVES,
    MAX_PIXELS,
    MAX_UNITS,
    attention_figure,
    attention_picture,
    layer_figure,
    most_variable,
    new_figure,
    png,
    states_figure,
    tree_figure,
    tree_layout,
)
from seq2seq.analysis.trace import LayerTrace


def size(data):
    """Return width and height of a PNG."""
    assert data.startswith(b"\x89PNG")
    return struct.unpack(">II", data[16:24])


def labels(ticks):
    return [tick.get_text() for tick in ticks]


def test_the_units_that_vary_most_are_selected():
    values = torch.tensor([[0.0, 5.0, 1.0, 0.0], [9.0, 5.0, 2.0, 3.0]])
    assert most_variable(values, 2) == [0, 3]
    assert most_variable(torch.tensor([[0.0, 0.0, 0.0], [1.0, 9.0, 3.0]]), 2, ordered=True) == [1, 2]
    assert most_variable(values, 9) == [0, 1, 2, 3]


def test_a_large_figure_gets_a_lower_resolution():
    width, height = size(png(new_figure(500, 30)))
    assert MAX_PIXELS * 0.99 < width * height < MAX_PIXELS * 1.01
    assert width == pytest.approx(4 * height, rel=0.01)
    assert size(png(new_figure(10, 5))) == (1100, 550)


def test_heat_maps_show_gates_and_states():
    trace = small_trace()
    layer = trace.layers[0]
    figure = layer_figure(trace, layer)
    panels = {axes.get_title(): axes for axes in figure.axes if axes.images and axes.get_title()}
    assert list(panels) == ["input gate", "forget gate", "candidate", "output gate", "hidden state", "cell state"]
    for title, axes in panels.items():
        values = {**layer.gates, "hidden": layer.hidden, "cell": layer.cell}[title.split()[0]]
        (image,) = axes.images
        assert torch.equal(torch.as_tensor(image.get_array().data), values.T)
        assert image.get_clim() == ((0, 1) if "gate" in title else (-1, 1))
        assert labels(axes.get_xticklabels()) == list(trace.source_tokens)
        assert labels(axes.get_yticklabels()) == ["0", "1", "2"]


def test_states_over_time_show_the_units_that_vary_most():
    trace = small_trace()
    layer = trace.layers[0]
    (axes,) = states_figure(trace, layer).axes
    lines = axes.get_legend_handles_labels()
    units = most_variable(layer.cell, MAX_CURVES, ordered=True)
    assert lines[1] == [f"unit {unit}" for unit in units]
    assert [line.get_ydata().tolist() for line in lines[0]] == [layer.cell[:, unit].tolist() for unit in units]
    assert axes.get_title() == "encoder, layer 1, reversed: cell state of the 3 units that vary most"


def test_a_longer_sentence_makes_a_wider_figure_with_a_selection_of_units():
    trace = small_trace()
    layer = trace.layers[0]
    tokens = ("日", "$", "▁a", "</s>") * 10
    gates = {name: torch.rand(40, 60) for name in layer.gates}
    long_layer = LayerTrace(layer.location, gates, torch.rand(40, 60), torch.rand(40, 60) * 4)
    long = small_trace(source_tokens=tokens, layers=(long_layer,), attention=torch.rand(3, 40))
    figure = layer_figure(long, long_layer)
    assert figure.get_suptitle().endswith(f"the {MAX_UNITS} of 60 units that vary most")
    units = most_variable(long_layer.cell, MAX_UNITS)
    assert torch.equal(torch.as_tensor(figure.axes[0].images[0].get_array().data), gates["input"][:, units].T)
    assert labels(figure.axes[0].get_xticklabels())[:2] == ["□", r"\$"]
    for short_figure, long_figure in (
        (layer_figure(trace, layer), figure),
        (states_figure(trace, layer), states_figure(long, long_layer)),
        (attention_figure(trace), attention_figure(long)),
    ):
        assert long_figure.get_size_inches()[0] > short_figure.get_size_inches()[0]
        assert size(png(long_figure))[0] > size(png(short_figure))[0], "and it can be rendered"


def test_attention_shows_the_weights():
    trace = small_trace()
    axes = attention_figure(trace).axes[0]
    assert torch.equal(torch.as_tensor(axes.images[0].get_array().data), trace.attention)
    assert labels(axes.get_xticklabels()) == list(trace.source_tokens)
    assert labels(axes.get_yticklabels()) == list(trace.target_tokens)
    with pytest.raises(ValueError, match="no attention"):
        attention_figure(small_trace(attention=None))


def test_a_node_is_placed_by_step_and_rank():
    tree = (
        Node(0, -1, 1, 0.0, Outcome.kept, True),
        Node(1, 0, 4, -3.0, Outcome.pruned, False),
        Node(1, 0, 5, -1.0, Outcome.kept, True),
        Node(2, 2, 2, -2.0, Outcome.cut, True),
    )
    assert tree_layout(tree) == {0: (0, 0), 2: (1, 0), 1: (1, 1), 3: (2, 0)}


@pytest.mark.parametrize(("row", "column"), [(0, 2), (1, 0), (1, 3)])
def test_the_small_picture_of_attention_has_a_dark_cell_for_a_large_weight(row, column):
    weights = torch.zeros(2, 4)
    weights[row, column] = 1
    data = attention_picture(weights, ["a", "b$", "\N{CJK UNIFIED IDEOGRAPH-4E00}"], ["x" * 9])
    dark = torch.tensor(imread(BytesIO(data))[:, :, :3].mean(2)) < 0.05
    cells = dark.unfold(0, 10, 1).unfold(1, 10, 1).all(3).all(2)  # larger than any letter's dark part
    rows, columns = (places.float().mean() + 5 for places in cells.nonzero(as_tuple=True))
    height, width = dark.shape
    cell = 0.24 * DOTS_PER_INCH
    assert rows == pytest.approx(height - 0.1 * DOTS_PER_INCH - (1.5 - row) * cell, abs=3)
    assert columns == pytest.approx(width - 0.1 * DOTS_PER_INCH - (3.5 - column) * cell, abs=3)


def test_a_tree_shows_every_hypothesis_and_its_parent():
    trace = small_trace()
    figure = tree_figure(trace)
    (axes,) = figure.axes
    assert [(text.get_position(), text.get_text()) for text in axes.texts] == [
        ((0, 0), "<s>\n0.00"),
        ((1, 0), "▁ü\n-0.50"),
        ((1, 1), "x\n-1.50"),
        ((2, 0), "</s>\n-0.75"),
    ]
    edges = [line.get_xydata().tolist() for line in axes.lines if len(line.get_xdata())]
    assert edges == [[[0, 0], [1, 0]], [[0, 0], [1, 1]], [[1, 0], [2, 0]]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["chosen", "pruned", "kept", "finished"]


def test_a_long_search_is_cut_after_a_number_of_steps(monkeypatch):
    monkeypatch.setattr("seq2seq.analysis.pictures.MAX_STEPS", 5)
    nodes = [Node(0, -1, 1, 0.0, Outcome.kept, False)]
    nodes += [Node(step, step - 1, 4, -float(step), Outcome.kept, False) for step in range(1, 9)]
    assert max(step for step, _ in tree_layout(tuple(nodes)).values()) == 5
    figure = tree_figure(small_trace(tree=tuple(nodes), tree_tokens=("a",) * len(nodes)))
    assert figure.axes[0].get_title().endswith("first 5 steps")
    assert len(figure.axes[0].texts) == 6
    assert size(png(figure))[0] > size(png(tree_figure(small_trace())))[0]
    with pytest.raises(ValueError, match="no beam tree"):
        tree_figure(small_trace(tree=(), tree_tokens=()))


def test_no_title_or_legend_of_a_short_sentence_is_cut_off():
    tree = (
        Node(0, -1, 1, 0.0, Outcome.kept, True),
        Node(1, 0, 4, -0.5, Outcome.finished, True),
        Node(1, 0, 5, -1.5, Outcome.pruned, False),
        Node(1, 0, 6, -1.7, Outcome.cut, False),
        Node(1, 0, 7, -1.8, Outcome.kept, False),
    )
    trace = small_trace(tree=tree, tree_tokens=("<s>", "a", "b", "c", "d"))
    for figure in (tree_figure(trace), attention_figure(trace), states_figure(trace, trace.layers[0])):
        assert hidden(figure) == []
