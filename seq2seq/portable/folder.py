"""An exported folder: config.json, model.safetensors, tokenizer*.model, encoder.onnx, step.onnx, check.json and, if
the run has one, shortlist.safetensors.

Reading executes nothing. O outputs and I inputs of a matrix.
"""

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.portable.engine import Weights
from seq2seq.portable.errors import PortableError

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
CHECK = "check.json"
SHORTLIST = "shortlist.safetensors"
ENCODER_GRAPH = "encoder.onnx"
STEP_GRAPH = "step.onnx"

COPY = "seq2seq_portable"
"""The folder with a copy of this package, which translate.py imports."""

FORMAT = 1
"""The version of config.json that this program reads."""

SCALES = ".scales"
"""Suffix of the name of an 8-bit matrix, for the tensor with the scales of its rows."""

TYPES = {"F32": ("<f4", "torch.float32"), "I8": ("i1", "torch.int8"), "I32": ("<i4", "torch.int32")}
"""Tensor types of model.safetensors: numpy's name, and the name in the checksum."""

MAX_JSON = 10_000_000
"""Most bytes of a JSON file or of the header of model.safetensors."""


def read_config(folder: Path) -> dict[str, Any]:
    """The content of config.json.

    Raises:
        PortableError: the folder has none, or it is damaged or of another format.
    """
    if not (folder / CONFIG).is_file():
        raise PortableError(f"{folder} is not an exported model ({CONFIG} is missing): export one with seq2seq-export")
    config = read_json(folder / CONFIG)
    if not isinstance(config, dict) or "format" not in config:
        raise PortableError(f"{folder / CONFIG} is damaged (no format in it): copy or export it again")
    if config["format"] != FORMAT:
        raise PortableError(
            f"{folder / CONFIG} has format {config['format']}, and this program reads format {FORMAT}: "
            f"use the translate.py in that folder"
        )
    return config


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        PortableError: it is missing, too large or not JSON.
    """
    try:
        if path.stat().st_size > MAX_JSON:
            raise ValueError(f"it has more than {MAX_JSON:,} bytes")
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise PortableError(f"{path} cannot be read ({error}): copy or export it again") from None


def read_tensors(path: Path) -> Weights:
    """The tensors of a safetensors file as stored; 8-bit matrices stay so.

    The format is the length of a JSON header (8 bytes), the header, and the bytes of the tensors, little-endian.

    Raises:
        PortableError: the file is missing, truncated or damaged.
    """
    try:
        content = path.read_bytes()
        start = 8 + int.from_bytes(content[:8], "little")
        if not 8 < start <= min(len(content), MAX_JSON):
            raise ValueError("it has no header")
        header = json.loads(content[8:start])
        metadata = header.pop("__metadata__", {})
        tensors: Weights = {}
        for name, entry in header.items():
            first, last = (start + offset for offset in entry["data_offsets"])
            values = np.frombuffer(content[first:last], TYPES[entry["dtype"]][0])
            tensors[name] = values.reshape(entry["shape"])
        if metadata.get("crc32") not in (None, _checksum(tensors, header)):
            raise ValueError("checksum mismatch")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PortableError(f"{path} is damaged ({error}): copy or export it again") from None
    return tensors


def read_weights(path: Path) -> Weights:
    """The weights of a model in float32; a matrix of 8-bit codes is multiplied by the scales of its rows.

    Raises:
        PortableError: as `read_tensors`.
    """
    tensors = read_tensors(path)
    return {
        name: tensor * tensors[name + SCALES][:, None] if name + SCALES in tensors else tensor
        for name, tensor in tensors.items()
        if not name.endswith(SCALES)
    }


def _checksum(tensors: Weights, header: dict[str, Any]) -> str:
    """CRC-32 of the names, types, shapes and bytes of tensors, as seq2seq.model.weights writes it."""
    crc = 0
    for name in sorted(tensors):
        kind = TYPES[header[name]["dtype"]][1]
        crc = zlib.crc32(f"{name} {kind} {list(tensors[name].shape)}".encode(), crc)
        crc = zlib.crc32(tensors[name].tobytes(), crc)
    return f"{crc:08x}"
