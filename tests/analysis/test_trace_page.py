"""What a trace is shown as: the pictures that there is something for, probabilities, and text as text."""

import math

import torch
from test_trace import small_trace

from seq2seq.analysis.trace_page import rows, trace_lines, trace_page, trace_pictures


def test_every_step_tells_its_probability_and_the_runners_up():
    told = rows(small_trace())
    assert told[0] == ["1", "<s>", "▁ü", f"{math.exp(-0.1):.1%}", f"x {math.exp(-2):.1%}"]
    assert len(told) == 3


def test_the_page_holds_every_picture_and_escapes_what_it_says():
    trace = small_trace()
    pictures = trace_pictures(trace)
    assert pictures.keys() == {
        "tree", "attention", "encoder.1.reversed", "encoder.1.reversed.states", "decoder.1.forward",
        "decoder.1.forward.states",
    }  # fmt: skip
    assert all(png.startswith(b"\x89PNG") for png in pictures.values())
    text = trace_page(trace, pictures)
    assert text.count("<img ") == len(pictures)
    assert "a &lt;b&gt;" in text
    assert "<b>" not in text
    assert "ü &amp; c" in text


def test_what_there_is_not_is_not_shown():
    trace = small_trace(attention=None, tree=(), tree_pieces=(), source="", source_pieces=(), layers=())
    assert trace_pictures(trace) == {}
    assert "<img" not in trace_page(trace, {})
    assert trace_lines(trace).startswith("text ")
    none = small_trace(runner_up_pieces=((), (), ()), runner_up_log_probabilities=torch.zeros(3, 0))
    assert [row[4] for row in rows(none)] == ["", "", ""]
