"""An exported folder: config.json, model.safetensors, tokenizer*.model, encoder.onnx, step.onnx, check.json and, if
the run has one, shortlist.safetensors.

Reading executes nothing. O outputs and I inputs of a matrix.
"""

import json
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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

MAX_TOKENIZER = 100_000_000
"""Most bytes of a tokenizer's file; 32,000 tokens take 800,000."""


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
        return json.loads(read_bytes(path, MAX_JSON).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise PortableError(f"{path} cannot be read ({error}): copy or export it again") from None


def read_bytes(path: Path, most: int) -> bytes:
    """The content of a file.

    Raises:
        PortableError: it is missing, no regular file (reading a pipe may never end), or has more than ``most`` bytes.
    """
    try:
        if path.exists() and not path.is_file():
            raise OSError("it is not a regular file")
        if path.stat().st_size > most:
            raise OSError(f"it has more than {most:,} bytes")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise PortableError(f"{path} cannot be read ({error}): copy or export it again") from None


def read_tensors(path: Path) -> Weights:
    """The tensors of a safetensors file as stored; 8-bit matrices stay so.

    The format is the length of a JSON header (8 bytes), the header, and the bytes of the tensors, little-endian.

    Raises:
        PortableError: the file is missing, truncated or damaged, or has numbers that are not finite.
    """
    try:
        if not path.is_file():
            raise ValueError("it is missing, or is not a regular file")
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if not 0 < size <= MAX_JSON:
                raise ValueError("it has no header")
            header = json.loads(file.read(size))
            metadata = header.pop("__metadata__", {})
            if tensor_bytes(header) != path.stat().st_size - 8 - size:  # before memory is allocated
                raise ValueError("it is truncated, or its header is wrong")
            content = file.read()
        tensors = {name: _tensor(entry, content) for name, entry in header.items()}
        for name, tensor in tensors.items():
            if tensor.dtype == np.float32 and not np.isfinite(tensor).all():
                raise ValueError(f"{name} has numbers that are not finite")
        if metadata.get("crc32") not in (None, _checksum(tensors, header)):
            raise ValueError("checksum mismatch")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, MemoryError) as error:
        raise PortableError(f"{path} is damaged ({error or 'too large'}): copy or export it again") from None
    return tensors


def tensor_bytes(header: dict[str, Any]) -> int:
    """The bytes of all tensors in a header of a safetensors file, which lie one after the other without gaps.

    Raises:
        ValueError: tensors overlap, or sizes contradict each other.
    """
    end = 0
    for entry in sorted(header.values(), key=lambda entry: entry["data_offsets"]):
        count = math.prod(entry["shape"])
        first, last = entry["data_offsets"]
        if first != end or last - first != count * np.dtype(TYPES[entry["dtype"]][0]).itemsize or count < 0:
            raise ValueError("its header is wrong")
        end = last
    return end


def _tensor(entry: dict[str, Any], content: bytes) -> NDArray[Any]:
    shape, kind = entry["shape"], TYPES[entry["dtype"]][0]
    return np.frombuffer(content, kind, math.prod(shape), entry["data_offsets"][0]).reshape(shape)


def read_weights(path: Path) -> Weights:
    """The weights of a model in float32; a matrix of 8-bit codes is multiplied by the scales of its rows.

    Raises:
        PortableError: as `read_tensors`.
    """
    tensors = read_tensors(path)
    weights = {name: tensor for name, tensor in tensors.items() if not name.endswith(SCALES)}
    for name, tensor in weights.items():
        scales = tensors.get(name + SCALES)
        if (tensor.dtype == np.int8) != (scales is not None) or (
            scales is not None and scales.shape != tensor.shape[:1]
        ):
            raise PortableError(f"{path} is damaged ({name} has other scales): copy or export it again")
        if scales is not None:
            weights[name] = tensor * scales[:, None]
    return weights


def _checksum(tensors: Weights, header: dict[str, Any]) -> str:
    """CRC-32 of the names, types, shapes and bytes of tensors, as seq2seq.model.weights writes it."""
    crc = 0
    for name in sorted(tensors):
        kind = TYPES[header[name]["dtype"]][1]
        crc = zlib.crc32(f"{name} {kind} {list(tensors[name].shape)}".encode(), crc)
        crc = zlib.crc32(tensors[name].tobytes(), crc)
    return f"{crc:08x}"
