"""What of a network leaves the fused path, and why: for the first lines of a training run."""

from seq2seq.model.choices import CellKind
from seq2seq.model.config import ModelConfig
from seq2seq.model.sequential import attention_waits, decoder_waits


def slow_parts(config: ModelConfig) -> list[str]:
    """One line for every setting that makes a part work position by position; none where all of them are fused.

    A fused layer is one call over all positions (cuDNN, oneDNN). What is left out of it costs time, nothing else.
    """
    encoder, decoder = config.encoder, config.decoder
    reasons = {
        f"model.encoder.cell={encoder.cell}: no fused kernel, the encoder's layers run one position at a time": (
            encoder.layers > 0 and encoder.cell is CellKind.layer_norm_lstm
        ),
        f"model.decoder.cell={decoder.cell}: no fused kernel, the decoder's layers run one position at a time": (
            decoder.cell is CellKind.layer_norm_lstm
        ),
    }
    return [
        *(reason for reason, holds in reasons.items() if holds),
        *(f"{name}: the decoder runs one position at a time" for name in decoder_waits(config)),
        *(f"{name}: attention runs one position at a time" for name in attention_waits(config)),
    ]
