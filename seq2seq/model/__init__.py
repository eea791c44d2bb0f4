"""Encoder, bridge, attention, decoder, and the network of all of them. Sizes are numbers and batches are tensors."""

from typing import TYPE_CHECKING

from seq2seq.system.lazy import lazy

if TYPE_CHECKING:
    from seq2seq.model.choices import (
        AttentionKind,
        AttentionOrder,
        BridgeKind,
        CellKind,
        CopyKind,
        Direction,
        Initialization,
        Readout,
        Summary,
        Tying,
    )
    from seq2seq.model.config import DecoderConfig, EncoderConfig, ModelConfig
    from seq2seq.model.network import Network
    from seq2seq.model.slow_path import slow_path_warnings
else:
    __getattr__ = lazy(
        __name__,
        {
            "choices": "AttentionKind AttentionOrder BridgeKind CellKind CopyKind Direction Initialization Readout "
            "Summary Tying",
            "config": "DecoderConfig EncoderConfig ModelConfig",
            "network": "Network",
            "slow_path": "slow_path_warnings",
        },
    )

__all__ = [
    "AttentionKind",
    "AttentionOrder",
    "BridgeKind",
    "CellKind",
    "CopyKind",
    "DecoderConfig",
    "Direction",
    "EncoderConfig",
    "Initialization",
    "ModelConfig",
    "Network",
    "Readout",
    "Summary",
    "Tying",
    "slow_path_warnings",
]
