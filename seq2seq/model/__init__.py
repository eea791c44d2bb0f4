"""Tensors: encoder, context, attention, decoder and the network made of them. Imports no other room."""

from seq2seq.model.choices import (
    AttentionKind,
    AttentionOrder,
    BridgeKind,
    CellKind,
    Direction,
    Initialization,
    Readout,
    Summary,
    Tying,
)
from seq2seq.model.config import DecoderConfig, EncoderConfig, ModelConfig
from seq2seq.model.network import Network
from seq2seq.model.notes import slow_parts
from seq2seq.model.prepared import PreparedDecoder
from seq2seq.model.product import InferencePrecision
from seq2seq.model.stepper import NetworkStepper

__all__ = [
    "AttentionKind",
    "AttentionOrder",
    "BridgeKind",
    "CellKind",
    "DecoderConfig",
    "Direction",
    "EncoderConfig",
    "InferencePrecision",
    "Initialization",
    "ModelConfig",
    "Network",
    "NetworkStepper",
    "PreparedDecoder",
    "Readout",
    "Summary",
    "Tying",
    "slow_parts",
]
