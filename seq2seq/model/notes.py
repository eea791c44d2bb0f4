"""What of a network leaves the fused path, and why: for the first lines of a training run."""

from seq2seq.model.choices import AttentionKind, AttentionOrder, CellKind
from seq2seq.model.config import ModelConfig


def slow_parts(config: ModelConfig) -> list[str]:
    """One line for every setting that makes a part work position by position; none where all of them are fused.

    A fused layer is one call over all positions (cuDNN, oneDNN). What is left out of it costs time, nothing else.
    """
    encoder, decoder = config.encoder, config.decoder
    attends = config.attention is not AttentionKind.none
    one_by_one = "the decoder runs one position at a time"
    reasons = {
        f"model.encoder.cell={encoder.cell}: no fused kernel, the encoder's layers run one position at a time": (
            encoder.layers > 0 and encoder.cell is CellKind.layer_norm_lstm
        ),
        f"model.decoder.cell={decoder.cell}: no fused kernel, the decoder's layers run one position at a time": (
            decoder.cell is CellKind.layer_norm_lstm
        ),
        f"model.attention_order=bahdanau: {one_by_one}": (
            attends and config.attention_order is AttentionOrder.bahdanau
        ),
        f"model.decoder.input_feeding=true: {one_by_one}": decoder.input_feeding,
        "model.coverage=true: attention runs one position at a time": config.coverage,
    }
    return [reason for reason, holds in reasons.items() if holds]
