"""What a SentencePiece model knows of its pieces, read from the model itself: the package's own calls do not tell all.

A model is a message in the wire format of protocol buffers (``sentencepiece_model.proto``): fields one after the other,
each a number, a kind and a value.
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


# Number and kind of the fields that are read. A field of the same number and another kind is one that is not known.
PIECE, TRAINING, MODEL_TYPE = 1 << 3 | 2, 2 << 3 | 2, 3 << 3
TEXT, SCORE, TYPE = 1 << 3 | 2, 2 << 3 | 5, 3 << 3


class Piece(NamedTuple):
    """An entry of a vocabulary; its id is its place."""

    text: str
    score: float
    """Unigram: log-probability; byte-pair merges: minus the place among the merges."""
    type: PieceType


def read_pieces(model: bytes) -> tuple[ModelType, list[Piece]]:
    """The kind of a serialized SentencePiece model, and its pieces in the order of their ids.

    Raises:
        ValueError: the bytes are something else.
    """
    kind, pieces = ModelType.unigram, []
    for key, value in _fields(model):
        if key == PIECE:
            pieces.append(_piece(value))
        elif key == TRAINING:
            kind = ModelType(dict(_fields(value)).get(MODEL_TYPE, kind))
    return kind, pieces


def _piece(message: bytes) -> Piece:
    values = dict(_fields(message))
    [score] = struct.unpack("<f", values.get(SCORE, bytes(4)))
    return Piece(values.get(TEXT, b"").decode(), score, PieceType(values.get(TYPE, PieceType.normal)))


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Number and kind of each field, as they are written, and its value: an integer, or bytes for all that is none."""
    at = 0
    while at < len(message):
        key, at = _integer(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _integer(message, at)
            yield key, value
            continue
        if kind not in (1, 2, 5):
            raise ValueError(f"wire type {kind} at byte {at}")
        length, at = _integer(message, at) if kind == 2 else (8 if kind == 1 else 4, at)
        if at + length > len(message):
            raise ValueError("it ends in the middle of a value")
        yield key, message[at : at + length]
        at += length


def _integer(message: bytes, at: int) -> tuple[int, int]:
    """A base-128 integer, lowest digits first, and the place behind it."""
    value = shift = 0
    while at < len(message):
        digit = message[at]
        value, shift, at = value | (digit & 127) << shift, shift + 7, at + 1
        if digit < 128:
            return value, at
    raise ValueError("it ends in the middle of a number")
