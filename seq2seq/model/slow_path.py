"""Settings with which parts of a network run position by position instead of in fused calls over all positions."""

from seq2seq.model.choices import AttentionKind, AttentionOrder, CellKind
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


def slow_path_warnings(config: ModelConfig, cpu_in_16_bits: bool = False) -> list[str]:
    """One line for every setting with which a part runs position by position; empty if all parts are fused.

    A fused layer is one call over all positions (cuDNN, oneDNN). The slow path changes speed, and with mLSTM memory.

    Args:
        config: settings of the network.
        cpu_in_16_bits: whether it is trained on a CPU in bfloat16 or float16.
    """
    cells = {"encoder": config.encoder.cell} if config.encoder.layers else {}
    cells |= {"decoder": config.decoder.cell}
    matrices = config.decoder.cell is CellKind.mlstm
    stored = " and stores an mLSTM's matrices at each: lower batch.tokens if memory is short" if matrices else ""
    return [
        *(
            f"model.{side}.cell={cell}: no fused kernel{why}, the {side}'s layers run one position at a time"
            for side, cell in cells.items()
            if (why := _lacks_kernel(cell, cpu_in_16_bits)) is not None
        ),
        *(f"{name}: the decoder runs one position at a time{stored}" for name in sequential_decoder_settings(config)),
        *(f"{name}: attention runs one position at a time" for name in sequential_attention_settings(config)),
    ]


def _lacks_kernel(cell: CellKind, cpu_in_16_bits: bool) -> str | None:
    """Where a cell lacks a fused kernel: empty for everywhere; None if it has one here."""
    if cell.traits.by_position:
        return ""
    return " in 16 bits on a CPU" if cpu_in_16_bits and not cell.traits.fused_in_16_bits else None
