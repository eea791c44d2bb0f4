"""The page of a study: every table, and figures of the results that there are."""

from dataclasses import replace

import pytest
import torch
from drawing import hidden

from seq2seq.analysis.ablation import Ablation, Unit
from seq2seq.analysis.gates import GateStatistics
from seq2seq.analysis.gradients import GradientNorms
from seq2seq.analysis.replay import CellDirection, CellLocation, Side
from seq2seq.analysis.study import Study
from seq2seq.analysis.study_page import (
    ablation_figure,
    gradient_figure,
    half_life_figure,
    saturation_figure,
    study_page,
    study_pictures,
    study_text,
)
from seq2seq.analysis.tracking import TrackingUnit

LOCATION = CellLocation(Side.decoder, 1, CellDirection.forward)
STUDY = Study(
    model="runs/<demo>",
    corpus="pairs",
    pairs=2,
    tokens=9,
    loss=1.25,
    gates=[GateStatistics(LOCATION, "forget", torch.rand(4), torch.rand(4), torch.full((4,), 0.5), 9)],
    gradients=[GradientNorms("target", [0, 1, 2], [1.0, 0.5, 0.25], [3, 2, 1])],
    tracking={"position": [TrackingUnit(LOCATION, 3, -0.75)], "enclosed": []},
    ablations=[Ablation(Unit(LOCATION, 3), 0.125, -1.5), Ablation(Unit(LOCATION, 0), -0.01)],
)


def test_the_text_contains_every_result():
    text = study_text(STUDY)
    for part in (
        "loss 1.250",
        "0.500",
        "decoder.1.forward.3 -0.75",
        "constant in this corpus",
        "+0.1250   -1.50",
    ):
        assert part in text
    assert "1.0" in text, "the half-life of a gate of one half"
    assert not any(line.endswith(" ") for line in text.splitlines())


def test_the_page_contains_every_picture():
    pictures = study_pictures(STUDY)
    assert pictures.keys() == {"saturation", "half_life", "gradients", "silence"}
    assert all(data.startswith(b"\x89PNG") for data in pictures.values())
    text = study_page(STUDY, pictures)
    assert text.count("<img ") == 4
    assert "runs/&lt;demo&gt;" in text


def test_legends_cover_no_curve():
    gates = [replace(STUDY.gates[0], location=LOCATION._replace(layer=layer)) for layer in range(1, 9)]
    gradients = [replace(STUDY.gradients[0], side=side) for side in ("source", "target")]
    for draw in (half_life_figure, gradient_figure):
        assert hidden(draw(replace(STUDY, gates=gates, gradients=gradients))) == []


def test_the_figures_show_the_results():
    (axes,) = saturation_figure(STUDY).axes
    (points,) = axes.collections
    gate = STUDY.gates[0]
    assert points.get_offsets().tolist() == torch.stack([gate.left_saturated, gate.right_saturated], 1).tolist()
    assert (axes.get_title(), points.get_label()) == ("decoder.1.forward", "forget")
    (line,) = half_life_figure(STUDY).axes[0].lines
    assert line.get_ydata().tolist() == pytest.approx([1.0] * 4)
    assert line.get_xdata().tolist() == [0.125, 0.375, 0.625, 0.875]
    (axes,) = gradient_figure(STUDY).axes
    (line,) = axes.lines
    assert line.get_xydata().tolist() == [[0, 1.0], [1, 0.5], [2, 0.25]]
    assert line.get_label() == "target tokens: × 0.50 per step"
    assert axes.get_yscale() == "log"
    (axes,) = ablation_figure(STUDY).axes
    assert [bar.get_width() for bar in axes.patches] == [0.125, -0.01]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["decoder.1.forward.3", "decoder.1.forward.0"]


def test_a_cell_without_gates_has_no_figures_of_gates():
    less = replace(STUDY, gates=[], gradients=[], ablations=[])
    assert study_pictures(less) == {}
    assert "Gates" not in study_page(less, {})
    assert "Gates" not in study_text(less)
