"""Pictures of a trace: they show the liveliest units, and draw whatever letters there are without a warning."""

import struct

import pytest
import torch
from test_trace import small_trace

from seq2seq.analysis.pictures import (
    PIXELS,
    attention_picture,
    layer_picture,
    liveliest,
    new_figure,
    png,
    readable,
    states_picture,
)
from seq2seq.analysis.trace import LayerTrace


def size(png):
    """Width and height of a PNG."""
    assert png.startswith(b"\x89PNG")
    return struct.unpack(">II", png[16:24])


def test_the_units_that_vary_most_are_shown():
    values = torch.tensor([[0.0, 5.0, 1.0, 0.0], [9.0, 5.0, 2.0, 3.0]])
    assert liveliest(values, 2) == [0, 3]
    assert liveliest(torch.tensor([[0.0, 0.0, 0.0], [1.0, 9.0, 3.0]]), 2, ordered=True) == [1, 2]
    assert liveliest(values, 9) == [0, 1, 2, 3]


def test_a_large_picture_has_fewer_pixels_to_the_inch():
    width, height = size(png(new_figure(500, 30)))
    assert PIXELS * 0.99 < width * height < PIXELS * 1.01
    assert width == pytest.approx(4 * height, rel=0.01)
    assert size(png(new_figure(10, 5))) == (1100, 550)


def test_strange_letters_are_boxes_and_dollars_no_mathematics():
    assert readable("▁Straße") == "▁Straße"
    assert readable("日$x$") == r"□\$x\$"


def test_a_longer_sentence_is_a_wider_picture():
    trace = small_trace()
    layer = trace.layers[0]
    pieces = ("日", "$", "▁a", "</s>") * 10
    gates = {name: torch.rand(40, 60) for name in layer.gates}
    longer = LayerTrace(layer.place, gates, torch.rand(40, 60), torch.rand(40, 60) * 4)
    wide = small_trace(source_pieces=pieces, layers=(longer,), attention=torch.rand(3, 40))
    assert size(layer_picture(wide, longer))[0] > size(layer_picture(trace, layer))[0]
    assert size(states_picture(wide, longer))[0] > size(states_picture(trace, layer))[0]
    assert size(attention_picture(wide))[0] > size(attention_picture(trace))[0]
    with pytest.raises(ValueError, match="no attention"):
        attention_picture(small_trace(attention=None))
