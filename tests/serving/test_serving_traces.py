"""Sentences looked into."""

import pytest
from server_tools import translators

from seq2seq.errors import DataError
from seq2seq.serving import microscope as microscope_module
from seq2seq.serving.config import LimitsConfig
from seq2seq.serving.limits import TooLargeError
from seq2seq.serving.microscope import Microscope, traced_numbers

OWN = translators()


def test_steps_tell_what_was_likely():
    microscope = Microscope(OWN, LimitsConfig())
    found = microscope.answer(microscope.traced("attends", "Wir.", None, 2), "attends")
    trace = OWN["attends"].trace("Wir.", beam_size=2)
    assert [step.read for step in found.steps] == list(trace.read_pieces)
    for step, wanted in zip(found.steps, trace.log_probabilities.exp().tolist(), strict=True):
        assert step.probability == pytest.approx(wanted, rel=1e-4)
        others = [one.probability for one in step.runners_up]
        assert others == sorted(others, reverse=True)
        assert step.probability + sum(others) <= 1 + 1e-5
    assert "tree" in found.pictures
    assert "tree" not in microscope.answer(microscope.traced("attends", "Wir.", "Das", None), "attends").pictures


def test_a_picture_is_drawn_once():
    microscope, name = Microscope(OWN, LimitsConfig()), "decoder.1.forward.states"
    seen = microscope.traced("attends", "Wir.", "Das", None)
    first = microscope.picture(seen, name)
    assert first.startswith(b"\x89PNG")
    again = microscope.traced("attends", "Wir.", "Das", None)
    assert again is seen
    assert microscope.picture(again, name) is first
    with pytest.raises(DataError, match=r"ask for one of .*encoder\.1\.forward"):
        microscope.picture(seen, "nothing")


def test_no_picture_is_drawn_of_a_sentence_of_many_tokens():
    microscope = Microscope(OWN, LimitsConfig(drawn=30))
    seen = microscope.traced("attends", "\N{GRINNING FACE}" * 10, "Das", None)
    assert len(seen.trace.source_pieces) > 30, "ten characters, and many tokens"
    assert microscope.answer(seen, "attends").pictures == []
    with pytest.raises(TooLargeError, match=r"at most 30 tokens .* has 4\d and 0"):
        microscope.picture(seen, "encoder.1.forward")


def test_of_traces_so_many_are_kept_as_memory_is_set_aside_for(monkeypatch):
    monkeypatch.setattr("seq2seq.serving.microscope.KEPT", 1)
    microscope = Microscope(OWN, LimitsConfig())
    first, second = (microscope.traced("attends", text, "Das", None) for text in ("Wir.", "Das."))
    assert microscope.traced("attends", "Das.", "Das", None) is second
    assert microscope.traced("attends", "Wir.", "Das", None) is not first


def test_a_sentence_of_more_numbers_than_are_kept_is_refused_before_it_is_looked_into(monkeypatch):
    microscope = Microscope(OWN, LimitsConfig())
    trace = microscope.traced("attends", "Wir.", "Das", None).trace
    kept = [array for layer in trace.layers for array in (*layer.gates.values(), layer.hidden, layer.cell)]
    numbers = sum(array.numel() for array in kept)
    assert traced_numbers(OWN["attends"], "Wir.", "Das") == numbers
    assert traced_numbers(OWN["attends"], "Wir.", None) >= numbers
    monkeypatch.setattr(microscope_module, "NUMBERS", numbers - 1)
    monkeypatch.setattr(type(OWN["attends"]), "trace", None)
    with pytest.raises(TooLargeError, match=f"may be {numbers:,} numbers, and at most {numbers - 1:,} are kept"):
        Microscope(OWN, LimitsConfig()).traced("attends", "Wir.", "Das", None)
