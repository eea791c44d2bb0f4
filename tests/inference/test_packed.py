"""Packed LSTM layers; `test_stepper` holds that a packed decoder is the network's, `test_prepared` its precision."""

from dataclasses import replace

import pytest
import torch
from networks import SAMPLES

from seq2seq.inference import InferencePrecision
from seq2seq.inference.prepared_decoder import PackedLayer, can_pack, tanh
from seq2seq.inference.products import allowed_precision
from seq2seq.model import AttentionKind, AttentionOrder, CellKind, DecoderConfig, ModelConfig
from seq2seq.model.cell import CellState, make_cell

ATTENDING = ModelConfig(attention=AttentionKind.additive)


@pytest.mark.parametrize(
    ("config", "packs"),
    [
        (ModelConfig(), True),
        (ATTENDING, True),
        (replace(ATTENDING, attention_order=AttentionOrder.luong, attention_heads=4, attention_window=2), True),
        (replace(ATTENDING, attention_order=AttentionOrder.bahdanau), False),
        (ModelConfig(attention_order=AttentionOrder.bahdanau), True),
        (replace(ATTENDING, coverage=True), False),
        (replace(ATTENDING, decoder=DecoderConfig(input_feeding=True)), False),
        *[(ModelConfig(decoder=DecoderConfig(cell=cell)), cell is CellKind.lstm) for cell in CellKind],
    ],
)
def test_only_what_waits_for_nothing_is_packed(config, packs):
    config.check()
    assert can_pack(config) == packs


@torch.no_grad()
def test_a_packed_layer_is_one_step_of_the_cell():
    torch.manual_seed(1)
    cell = make_cell(CellKind.lstm, 3, 4).double()
    packed = PackedLayer(cell, cell.weights()[0], InferencePrecision.float32)
    inputs, hidden, before = (torch.randn(5, width).double() for width in (3, 4, 4))
    after, _ = cell.step(inputs, CellState(hidden, before))
    found, found_cell = packed(inputs, hidden, before, None)
    torch.testing.assert_close(found, after.hidden_NH)
    torch.testing.assert_close(found_cell, after.cell_NH)


@pytest.mark.parametrize("precision", InferencePrecision)
def test_only_integers_need_bounds(precision):
    assert allowed_precision(precision, True) is precision
    wanted = InferencePrecision.float32 if precision is InferencePrecision.int8 else precision
    assert allowed_precision(precision, False) is wanted


def test_samples_are_packed_and_not():
    assert {can_pack(config) for config in SAMPLES} == {True, False}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tanh_by_way_of_the_sigmoid(dtype):
    inputs = torch.cat([torch.linspace(-12, 12, 4001), torch.tensor([-1e4, -1e-6, 0.0, 1e-6, 1e4, 3e38])]).to(dtype)
    before = inputs.clone()
    torch.testing.assert_close(tanh(inputs), inputs.tanh(), rtol=0, atol=1e-6)
    assert (tanh(inputs).abs() <= 1).all(), "integer products rely on it"
    assert torch.equal(inputs, before)
