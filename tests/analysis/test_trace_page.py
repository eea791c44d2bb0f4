"""The page of a trace: its pictures, probabilities, and escaped text."""

import math

import torch
from test_trace import small_trace

from seq2seq.analysis.trace_page import step_rows, trace_page, trace_pictures, trace_text


def test_every_step_has_its_probability_and_alternatives():
    steps = step_rows(small_trace())
    assert steps[0] == ["1", "<s>", "▁ü", f"{math.exp(-0.1):.1%}", f"x {math.exp(-2):.1%}"]
    assert len(steps) == 3


def test_the_page_contains_every_picture_and_escapes_text():
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


def test_missing_parts_are_not_shown():
    trace = small_trace(attention=None, tree=(), tree_tokens=(), source="", source_tokens=(), layers=())
    assert trace_pictures(trace) == {}
    assert "<img" not in trace_page(trace, {})
    assert trace_text(trace).startswith("text ")
    none = small_trace(alternative_tokens=((), (), ()), alternative_log_probabilities=torch.zeros(3, 0))
    assert [row[4] for row in step_rows(none)] == ["", "", ""]


def test_the_copied_share_is_the_last_column_of_models_that_copy():
    trace = small_trace(copied_share=torch.tensor([0.0, 0.25, 1.0]), tree=(), attention=None, layers=())
    assert [row[-1] for row in step_rows(trace)] == ["0.0%", "25.0%", "100.0%"]
    assert "copied" in trace_text(trace)
    assert ">copied<" in trace_page(trace, {})
    assert "copied" not in trace_text(small_trace())
