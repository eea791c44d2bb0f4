"""Reads the vocabulary of a SentencePiece model file, including piece types, which the package does not expose.

A model is a message in the wire format of protocol buffers (``sentencepiece_model.proto``): a sequence of fields, each
with a number, a wire type and a value.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Any, NamedTuple


class ModelType(IntEnum):
    """``TrainerSpec.ModelType``."""

    unigram = 1
    bpe = 2
    word = 3
    char = 4


class PieceType(IntEnum):
    """``ModelProto.SentencePiece.Type``."""

    normal = 1
    unknown = 2
    control = 3
    user_defined = 4
    unused = 5
    byte = 6


# Number and wire type of the fields that are read. A field with the same number and another type is ignored.
PIECE, TRAINING, MODEL_TYPE = 1 << 3 | 2, 2 << 3 | 2, 3 << 3
NORMALIZER, RULE, CHARACTER_MAP = 3 << 3 | 2, 1 << 3 | 2, 2 << 3 | 2
TEXT, SCORE, TYPE = 1 << 3 | 2, 2 << 3 | 5, 3 << 3


class Piece(NamedTuple):
    """An entry of a vocabulary; its id is its index."""

    text: str
    score: float
    """Unigram: log-probability; byte-pair merges: the negative rank of the merge."""
    type: PieceType


def read_pieces(model: bytes) -> tuple[ModelType, list[Piece]]:
    """The type of a serialized SentencePiece model, and its pieces in the order of their ids.

    Raises:
        ValueError: the bytes are not such a model.
    """
    model_type, pieces = ModelType.unigram, []
    for key, value in _fields(model):
        if key == PIECE:
            pieces.append(_piece(value))
        elif key == TRAINING:
            model_type = ModelType(dict(_fields(value)).get(MODEL_TYPE, model_type))
    return model_type, pieces


def read_normalizer(model: bytes) -> str:
    """The rule by which a serialized model changes characters, such as nmt_nfkc; empty if it changes none.

    Raises:
        ValueError: the bytes are not such a model.
    """
    for key, value in _fields(model):
        if key == NORMALIZER and (specification := dict(_fields(value))).get(CHARACTER_MAP):
            return bytes(specification.get(RULE, b"")).decode(errors="replace") or "unnamed"
    return ""


def _piece(message: bytes) -> Piece:
    values = dict(_fields(message))
    [score] = struct.unpack("<f", values.get(SCORE, bytes(4)))
    return Piece(values.get(TEXT, b"").decode(), score, PieceType(values.get(TYPE, PieceType.normal)))


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """The key (number and wire type) of each field, and its value: an integer, or bytes for all other types."""
    position = 0
    while position < len(message):
        key, position = _integer(message, position)
        wire_type = key & 7
        if wire_type == 0:
            value, position = _integer(message, position)
            yield key, value
            continue
        if wire_type not in (1, 2, 5):
            raise ValueError(f"wire type {wire_type} at byte {position}")
        length, position = _integer(message, position) if wire_type == 2 else (8 if wire_type == 1 else 4, position)
        if position + length > len(message):
            raise ValueError("it ends in the middle of a value")
        yield key, message[position : position + length]
        position += length


def _integer(message: bytes, position: int) -> tuple[int, int]:
    """A base-128 integer, lowest digits first, and the position after it."""
    value = shift = 0
    while position < len(message):
        digit = message[position]
        value, shift, position = value | (digit & 127) << shift, shift + 7, position + 1
        if digit < 128:
            return value, position
    raise ValueError("it ends in the middle of a number")
