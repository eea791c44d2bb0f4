"""Sentences looked into."""

import pytest
from serving import translators

from seq2seq.errors import DataError
from seq2seq.serving.microscope import Microscope

OWN = translators()


def test_steps_tell_what_was_likely():
    microscope = Microscope(OWN)
    found = microscope.trace("attends", "Wir.", None, 2)
    trace = OWN["attends"].trace("Wir.", beam_size=2)
    assert [step.read for step in found.steps] == list(trace.read_pieces)
    for step, wanted in zip(found.steps, trace.log_probabilities.exp().tolist(), strict=True):
        assert step.probability == pytest.approx(wanted, rel=1e-4)
        others = [one.probability for one in step.runners_up]
        assert others == sorted(others, reverse=True)
        assert step.probability + sum(others) <= 1 + 1e-5
    assert "tree" in found.pictures
    assert "tree" not in microscope.trace("attends", "Wir.", "Das", None).pictures


def test_a_picture_is_drawn_once(monkeypatch):
    microscope = Microscope(OWN)
    drawn = []
    usual = microscope._trace
    monkeypatch.setattr(microscope, "_trace", lambda *asked: drawn.append(asked) or usual(*asked))
    name = "decoder.1.forward.states"
    first = microscope.picture("attends", "Wir.", "Das", None, name)
    assert first.startswith(b"\x89PNG")
    assert microscope.picture("attends", "Wir.", "Das", None, name) is first
    with pytest.raises(DataError, match=r"ask for one of .*encoder\.1\.forward"):
        microscope.picture("attends", "Wir.", "Das", None, "nothing")
