"""A study as page, pictures and text: every table, and the pictures that there is something for."""

from dataclasses import replace

import torch

from seq2seq.analysis.ablation import Silenced, Unit
from seq2seq.analysis.gates import GateShares
from seq2seq.analysis.gradients import Reach
from seq2seq.analysis.recording import Place, Reading, Side
from seq2seq.analysis.study import Study
from seq2seq.analysis.study_page import study_page, study_pictures, study_text
from seq2seq.analysis.tracking import Tracker

PLACE = Place(Side.decoder, 1, Reading.forward)
STUDY = Study(
    model="runs/<demo>",
    corpus="pairs",
    pairs=2,
    pieces=9,
    loss=1.25,
    gates=[GateShares(PLACE, "forget", torch.rand(4), torch.rand(4), torch.full((4,), 0.5), 9)],
    reaches=[Reach("target", [0, 1, 2], [1.0, 0.5, 0.25], [3, 2, 1])],
    tracking={"position": [Tracker(PLACE, 3, -0.75)], "enclosed": []},
    silenced=[Silenced(Unit(PLACE, 3), 0.125, -1.5), Silenced(Unit(PLACE, 0), -0.01)],
)


def test_what_is_found_is_told():
    text = study_text(STUDY)
    for told in (
        "loss 1.250",
        "0.500",
        "decoder.1.forward.3 -0.75",
        "never changes here",
        "+0.1250   -1.50",
    ):
        assert told in text
    assert "1.0" in text, "the half-life of a gate of one half"
    assert not any(line.endswith(" ") for line in text.splitlines())


def test_the_page_has_all_of_it():
    pictures = study_pictures(STUDY)
    assert pictures.keys() == {"saturation", "half_life", "gradients", "silence"}
    text = study_page(STUDY, pictures)
    assert text.count("<img ") == 4
    assert "runs/&lt;demo&gt;" in text


def test_a_cell_without_gates_has_no_pictures_of_them():
    less = replace(STUDY, gates=[], reaches=[], silenced=[])
    assert study_pictures(less) == {}
    assert "Gates" not in study_page(less, {})
    assert "Gates" not in study_text(less)
