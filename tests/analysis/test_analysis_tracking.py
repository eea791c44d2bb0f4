"""Correlations of units with what there is to follow, against torch's own and by hand."""

import math

import pytest
import torch

from seq2seq.analysis.recording import LayerRecord, Place, Reading, Side
from seq2seq.analysis.tracking import PROPERTIES, Moments, Tracking, properties

PLACE = Place(Side.decoder, 1, Reading.forward)


def columns(pieces):
    return dict(zip(PROPERTIES, map(list, zip(*properties(pieces), strict=True)), strict=True))


def test_properties_by_hand():
    told = columns(["▁a", "▁(", "b", ")", "▁„", "c", "“", ",", "▁d", "▁,", "e", ".", "</s>"])
    assert told["position"] == [*range(1, 14)]
    assert told["remaining"] == [*range(12, -1, -1)]
    assert told["enclosed"] == [0, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    assert told["between_commas"] == [0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0]
    assert columns(["(", "a", "))", "b"])["enclosed"] == [1, 1, 0, 0]
    assert columns([",", "a", ".", "b"])["between_commas"] == [1, 1, 0, 0]


def test_correlations_are_pearsons_however_the_positions_are_cut():
    values, wanted = torch.randn(30, 3) + 5, torch.rand(30, 2)
    moments = Moments.of(values[:7], wanted[:7]).plus(Moments.of(values[7:], wanted[7:]))
    together = torch.corrcoef(torch.cat([values, wanted], 1).T.double())[:3, 3:]
    torch.testing.assert_close(moments.correlations(), together, atol=1e-6, rtol=0)


def test_what_never_changes_follows_nothing():
    values = torch.stack([torch.full((5,), 3.7), torch.arange(5.0)], 1)
    found = Moments.of(values, torch.stack([torch.arange(5.0), torch.zeros(5)], 1)).correlations()
    assert math.isnan(found[0, 0])
    assert float(found[1, 0]) == pytest.approx(1)
    assert torch.isnan(found[:, 1]).all()


def test_the_unit_that_counts_is_found():
    """Unit 1 counts down, unit 0 is noise; padding would spoil the count."""
    pieces = [["a", "b", "c"], ["d"]]
    hidden = torch.zeros(2, 3, 2)
    hidden[..., 0] = torch.tensor([[0.3, -0.2, 0.4], [0.1, 9.0, 9.0]])
    hidden[..., 1] = torch.tensor([[-2.0, -1.0, 0.0], [0.0, 99.0, 99.0]])
    tracking = Tracking()
    real = torch.tensor([[True, True, True], [True, False, False]])
    tracking.add(LayerRecord(PLACE, {}, hidden, None), real, pieces)
    best = tracking.best(count=1)
    assert best["remaining"][0].unit == 1
    assert best["remaining"][0].correlation == pytest.approx(-1)
    assert best["enclosed"] == []
