"""Correlations of units with properties of the text equal those of torch and those computed by hand."""

import math

import pytest
import torch

from seq2seq.analysis.replay import CellDirection, CellLocation, LayerRecord, Side
from seq2seq.analysis.tracking import PROPERTIES, Moments, Tracking, token_properties

LOCATION = CellLocation(Side.decoder, 1, CellDirection.forward)


def columns(tokens):
    return dict(zip(PROPERTIES, map(list, zip(*token_properties(tokens), strict=True)), strict=True))


def test_properties_of_example_sentences():
    values = columns(["▁a", "▁(", "b", ")", "▁„", "c", "“", ",", "▁d", "▁,", "e", ".", "</s>"])
    assert values["position"] == [*range(1, 14)]
    assert values["remaining"] == [*range(12, -1, -1)]
    assert values["enclosed"] == [0, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    assert values["between_commas"] == [0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0]
    assert columns(["(", "a", "))", "b"])["enclosed"] == [1, 1, 0, 0]
    assert columns([",", "a", ".", "b"])["between_commas"] == [1, 1, 0, 0]


def test_a_cell_that_reads_from_the_end_has_read_what_follows():
    tokens = [",", "a", "(", "b", ")", ".", "c", ","]
    rows = token_properties(tokens, CellDirection.reversed)
    values = dict(zip(PROPERTIES, map(list, zip(*rows, strict=True)), strict=True))
    assert values["position"] == [*range(8, 0, -1)]
    assert values["remaining"] == [*range(8)]
    assert values["enclosed"] == [0, 0, 0, 1, 1, 0, 0, 0]
    assert values["between_commas"] == [1, 0, 0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize("direction", CellDirection)
def test_a_unit_that_counts_what_its_cell_has_read_tracks_the_position(direction):
    lengths, tracking = [3, 5, 8, 12], Tracking()
    state_BTH, real_BT = torch.zeros(4, 12, 2), torch.arange(12) < torch.tensor(lengths).unsqueeze(1)
    for row, length in enumerate(lengths):
        read = torch.arange(1.0, length + 1)
        state_BTH[row, :length, 0] = read if direction is CellDirection.forward else read.flip(0)
    location = CellLocation(Side.encoder, 1, direction)
    tracking.add(LayerRecord(location, {}, state_BTH, None), real_BT, [["x"] * length for length in lengths])
    [best] = tracking.best(1)["position"]
    assert (best.unit, best.correlation) == (0, pytest.approx(1))
    [best] = tracking.best(1)["remaining"]
    assert best.correlation < 0.9


def test_correlations_are_pearsons_for_any_batches():
    states, targets = torch.randn(30, 3) + 5, torch.rand(30, 2)
    moments = Moments.of(states[:7], targets[:7]).plus(Moments.of(states[7:], targets[7:]))
    expected = torch.corrcoef(torch.cat([states, targets], 1).T.double())[:3, 3:]
    torch.testing.assert_close(moments.correlations(), expected, atol=1e-6, rtol=0)


def test_constants_have_no_correlation():
    values = torch.stack([torch.full((5,), 3.7), torch.arange(5.0)], 1)
    correlations = Moments.of(values, torch.stack([torch.arange(5.0), torch.zeros(5)], 1)).correlations()
    assert math.isnan(correlations[0, 0])
    assert float(correlations[1, 0]) == pytest.approx(1)
    assert torch.isnan(correlations[:, 1]).all()


def test_a_counting_unit_is_found():
    """Unit 1 counts down and unit 0 is noise; values on padding would change the correlation."""
    tokens = [["a", "b", "c"], ["d"]]
    hidden = torch.zeros(2, 3, 2)
    hidden[..., 0] = torch.tensor([[0.3, -0.2, 0.4], [0.1, 9.0, 9.0]])
    hidden[..., 1] = torch.tensor([[-2.0, -1.0, 0.0], [0.0, 99.0, 99.0]])
    tracking = Tracking()
    real = torch.tensor([[True, True, True], [True, False, False]])
    tracking.add(LayerRecord(LOCATION, {}, hidden, None), real, tokens)
    best = tracking.best(count=1)
    assert best["remaining"][0].unit == 1
    assert best["remaining"][0].correlation == pytest.approx(-1)
    assert best["enclosed"] == []
