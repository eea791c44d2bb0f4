"""Which settings run position by position: decoder, search and warnings agree."""

from dataclasses import replace

import pytest
import torch
from abilities import CPU, LOW_TRAINING
from hypothesis import given
from networks import model_configs

from seq2seq.inference.prepared_decoder import can_pack
from seq2seq.model import (
    AttentionKind,
    AttentionOrder,
    CellKind,
    DecoderConfig,
    EncoderConfig,
    ModelConfig,
    slow_path_warnings,
)
from seq2seq.model.cells import make_cell
from seq2seq.model.decoder import Decoder
from seq2seq.model.slow_path import sequential_attention_settings, sequential_decoder_settings
from seq2seq.system.device import cast_to


def test_fused_settings_give_no_warning():
    assert slow_path_warnings(ModelConfig()) == []
    assert slow_path_warnings(ModelConfig(attention=AttentionKind.general, attention_order=AttentionOrder.luong)) == []
    assert slow_path_warnings(ModelConfig(attention_order=AttentionOrder.bahdanau)) == [], (
        "there is no query without attention"
    )
    assert slow_path_warnings(ModelConfig(decoder=DecoderConfig(cell=CellKind.gru, residual_from=2, layers=2))) == []


@pytest.mark.parametrize("kind", [kind for kind in CellKind if not kind.traits.by_position])
@pytest.mark.parametrize("dtype", [torch.float32, *LOW_TRAINING])
def test_a_cell_that_takes_steps_on_this_processor_has_a_warning(kind, dtype):
    cell, steps = make_cell(kind, 3, 4), []
    step = cell.step
    cell.step = lambda *arguments: (steps.append(1), step(*arguments))[1]
    with cast_to(dtype, CPU):
        cell.run(torch.randn(2, 5, 3))
    config = ModelConfig(encoder=EncoderConfig(cell=kind), decoder=DecoderConfig(cell=kind))
    warnings = slow_path_warnings(config, cpu_in_16_bits=dtype != torch.float32)
    assert [line.split(":")[0] for line in warnings] == (
        [f"model.encoder.cell={kind}", f"model.decoder.cell={kind}"] if steps else []
    )


def test_every_reason_has_a_warning():
    config = ModelConfig(
        encoder=EncoderConfig(cell=CellKind.layer_norm_lstm),
        decoder=DecoderConfig(cell=CellKind.layer_norm_lstm, input_feeding=True),
        attention=AttentionKind.additive,
        attention_order=AttentionOrder.bahdanau,
        coverage=True,
    )
    warnings = slow_path_warnings(config)
    assert [line.split(":")[0] for line in warnings] == [
        "model.encoder.cell=layer_norm_lstm",
        "model.decoder.cell=layer_norm_lstm",
        "model.attention_order=bahdanau",
        "model.decoder.input_feeding=true",
        "model.coverage=true",
    ]
    assert all(line.endswith("one position at a time") for line in warnings)


def test_an_mlstm_whose_decoder_waits_says_that_it_needs_memory():
    """Each position stores its matrices: with 64 units a state has 1,024 numbers and more, with 256 16,384."""
    config = ModelConfig(
        decoder=DecoderConfig(cell=CellKind.mlstm, input_feeding=True), attention=AttentionKind.additive
    )
    [warning] = slow_path_warnings(config)
    assert warning.startswith("model.decoder.input_feeding=true: the decoder runs one position at a time and stores")
    assert "batch.tokens" in warning


ATTENDING = ModelConfig(attention=AttentionKind.additive)
FEEDING = DecoderConfig(input_feeding=True)


@pytest.mark.parametrize(
    ("config", "decoder", "attention"),
    [
        (ModelConfig(), [], []),
        (ModelConfig(attention_order=AttentionOrder.bahdanau), [], []),
        (replace(ATTENDING, attention_order=AttentionOrder.luong), [], []),
        (replace(ATTENDING, attention_order=AttentionOrder.bahdanau), ["model.attention_order=bahdanau"], []),
        (replace(ATTENDING, decoder=FEEDING), ["model.decoder.input_feeding=true"], []),
        (replace(ATTENDING, coverage=True), [], ["model.coverage=true"]),
        (
            replace(ATTENDING, attention_order=AttentionOrder.bahdanau, decoder=FEEDING, coverage=True),
            ["model.attention_order=bahdanau", "model.decoder.input_feeding=true"],
            ["model.coverage=true"],
        ),
    ],
)
def test_every_setting_with_sequential_dependency_is_named(config, decoder, attention):
    config.check()
    assert sequential_decoder_settings(config) == decoder
    assert sequential_attention_settings(config) == attention


@given(model_configs())
def test_decoder_search_and_warnings_agree(config):
    decoder = replace(config.decoder, cell=CellKind.lstm)
    config = replace(config, encoder=EncoderConfig(layers=config.encoder.layers), decoder=decoder)
    waits = sequential_decoder_settings(config), sequential_attention_settings(config)
    assert Decoder(config).sequential == bool(waits[0])
    assert can_pack(config) == (not any(waits))
    assert [line.split(":")[0] for line in slow_path_warnings(config)] == [*waits[0], *waits[1]]
