"""Tensors: encoder, context, attention, decoder and the network made of them. Imports no other room."""

from seq2seq.model.config import (
    AttentionKind,
    BridgeKind,
    DecoderConfig,
    Direction,
    EncoderConfig,
    Initialization,
    ModelConfig,
    Summary,
    Tying,
)
from seq2seq.model.network import Network
from seq2seq.model.stepper import NetworkStepper

__all__ = [
    "AttentionKind",
    "BridgeKind",
    "DecoderConfig",
    "Direction",
    "EncoderConfig",
    "Initialization",
    "ModelConfig",
    "Network",
    "NetworkStepper",
    "Summary",
    "Tying",
]
