"""Settings with which parts of a network run position by position instead of in fused calls over all positions."""

from seq2seq.model.choices import AttentionKind, AttentionOrder
from seq2seq.model.config import ModelConfig


def sequential_decoder_settings(config: ModelConfig) -> list[str]:
    """Settings that make a layer's input depend on the output at the previous position."""
    attends = config.attention is not AttentionKind.none
    settings = {
        "model.attention_order=bahdanau": attends and config.attention_order is AttentionOrder.bahdanau,
        "model.decoder.input_feeding=true": config.decoder.input_feeding,
    }
    return [name for name, holds in settings.items() if holds]


def sequential_attention_settings(config: ModelConfig) -> list[str]:
    """Settings that make attention scores depend on the attention weights of previous positions."""
    return ["model.coverage=true"] if config.coverage else []


def slow_path_warnings(config: ModelConfig) -> list[str]:
    """One line for every setting with which a part runs position by position; empty if all parts are fused.

    A fused layer is one call over all positions (cuDNN, oneDNN). The slow path changes speed, nothing else.
    """
    encoder, decoder = config.encoder, config.decoder
    reasons = {
        f"model.encoder.cell={encoder.cell}: no fused kernel, the encoder's layers run one position at a time": (
            encoder.layers > 0 and encoder.cell.traits.by_position
        ),
        f"model.decoder.cell={decoder.cell}: no fused kernel, the decoder's layers run one position at a time": (
            decoder.cell.traits.by_position
        ),
    }
    return [
        *(reason for reason, holds in reasons.items() if holds),
        *(f"{name}: the decoder runs one position at a time" for name in sequential_decoder_settings(config)),
        *(f"{name}: attention runs one position at a time" for name in sequential_attention_settings(config)),
    ]
