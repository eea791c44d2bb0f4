"""Which settings make target positions wait for one another; without them training takes all of them at once."""

from seq2seq.model.choices import AttentionKind, AttentionOrder
from seq2seq.model.config import ModelConfig


def decoder_waits(config: ModelConfig) -> list[str]:
    """Settings by which a layer hears what the position before led to: the decoder then takes one at a time."""
    attends = config.attention is not AttentionKind.none
    settings = {
        "model.attention_order=bahdanau": attends and config.attention_order is AttentionOrder.bahdanau,
        "model.decoder.input_feeding=true": config.decoder.input_feeding,
    }
    return [name for name, holds in settings.items() if holds]


def attention_waits(config: ModelConfig) -> list[str]:
    """Settings by which a score depends on the attention of positions before: attention then takes one at a time."""
    return ["model.coverage=true"] if config.coverage else []
