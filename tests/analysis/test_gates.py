"""Saturation and half-life equal values computed by hand."""

import math

import pytest
import torch

from seq2seq.analysis.gates import GateCounter
from seq2seq.analysis.replay import CellDirection, CellLocation, LayerRecord, Side

LOCATION = CellLocation(Side.encoder, 1, CellDirection.forward)
REAL = torch.tensor([[True, True], [True, False]])


def record(**gates):
    tensors = {name: torch.tensor(values).unsqueeze(2) for name, values in gates.items()}
    return LayerRecord(LOCATION, tensors, torch.zeros(2, 2, 1), None)


def test_shares_exclude_padding():
    counts = GateCounter()
    counts.add(record(forget=[[0.05, 0.95], [0.5, 0.99]], candidate=[[-1.0, 1.0], [0.0, 0.0]]), REAL)
    counts.add(record(forget=[[0.95, 0.95], [0.5, 0.0]], candidate=[[0.0, 0.0], [0.0, 0.0]]), REAL)
    (statistics,) = counts.statistics()
    assert (statistics.gate, statistics.positions) == ("forget", 6)
    assert float(statistics.left_saturated) == pytest.approx(1 / 6)
    assert float(statistics.right_saturated) == pytest.approx(3 / 6)
    assert float(statistics.mean) == pytest.approx((0.05 + 3 * 0.95 + 2 * 0.5) / 6)


def test_the_half_life_is_the_time_to_lose_half():
    for gate, mean in (("forget", 0.5), ("update", 0.9), ("forget", 1.0), ("forget", 0.0)):
        counts = GateCounter()
        counts.add(record(**{gate: [[mean, mean], [mean, mean]]}), REAL)
        half_life = float(counts.statistics()[0].half_life)
        if 0 < mean < 1:
            assert mean**half_life == pytest.approx(0.5)
        assert math.isfinite(half_life)
        assert half_life > 0
    counts = GateCounter()
    counts.add(record(input=[[0.5, 0.5], [0.5, 0.5]]), REAL)
    assert counts.statistics()[0].half_life is None
