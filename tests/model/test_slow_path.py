"""What leaves the fused path says so."""

from seq2seq.model import (
    AttentionKind,
    AttentionOrder,
    CellKind,
    DecoderConfig,
    EncoderConfig,
    ModelConfig,
    slow_path_warnings,
)


def test_what_is_fused_says_nothing():
    assert slow_path_warnings(ModelConfig()) == []
    assert slow_path_warnings(ModelConfig(attention=AttentionKind.general, attention_order=AttentionOrder.luong)) == []
    assert slow_path_warnings(ModelConfig(attention_order=AttentionOrder.bahdanau)) == [], (
        "nobody asks without attention"
    )
    assert slow_path_warnings(ModelConfig(decoder=DecoderConfig(cell=CellKind.gru, residual_from=2, layers=2))) == []


def test_every_reason_has_its_line():
    config = ModelConfig(
        encoder=EncoderConfig(cell=CellKind.layer_norm_lstm),
        decoder=DecoderConfig(cell=CellKind.layer_norm_lstm, input_feeding=True),
        attention=AttentionKind.additive,
        attention_order=AttentionOrder.bahdanau,
        coverage=True,
    )
    found = slow_path_warnings(config)
    assert [line.split(":")[0] for line in found] == [
        "model.encoder.cell=layer_norm_lstm",
        "model.decoder.cell=layer_norm_lstm",
        "model.attention_order=bahdanau",
        "model.decoder.input_feeding=true",
        "model.coverage=true",
    ]
    assert all(line.endswith("one position at a time") for line in found)
