"""Weights on disk: safetensors, in float32 or with 8-bit matrices. Reading executes nothing.

I inputs, O outputs of a matrix.
"""

import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from seq2seq.errors import RunError
from seq2seq.system.atomic import atomic_write

Weights = dict[str, Tensor]

SCALES = ".scales"
"""Suffix of the name of an 8-bit matrix, for the tensor with the scales of its rows."""

CHECKSUM = "crc32"
"""Metadata key with the `checksum` of the tensors when they were written."""

METADATA = "__metadata__"
"""The entry of a header with the metadata."""

MAX_HEADER = 10_000_000
"""Most bytes of a file's header, which lists its tensors; a thousand tensors need 100,000."""

TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
"""Accepted tensor types, by their names in a file's header."""

LEVELS = 127
"""Largest code of an 8-bit integer weight."""


class Quantized(NamedTuple):
    """A weight matrix as integer codes: weight = code · scale, with one scale per row."""

    codes_OI: Tensor
    """int8, -127 … 127; the largest of each row is ±127."""
    scales_O: Tensor
    """float32."""

    def dequantize(self) -> Tensor:
        """The weights (O, I) that the codes stand for, float32."""
        return self.codes_OI * self.scales_O.unsqueeze(1)


def quantize(weight_OI: Tensor) -> Quantized:
    """Round to the nearest codes: symmetric, one scale per row. Quantizing dequantized weights changes nothing."""
    scales_O = (weight_OI.abs().amax(1) / LEVELS).clamp(min=torch.finfo(torch.float32).tiny)
    return Quantized((weight_OI / scales_O.unsqueeze(1)).round().to(torch.int8), scales_O)


def save_tensors(weights: Weights, path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors with their checksum. The file is replaced atomically.

    Args:
        weights: the tensors, on the CPU.
        path: the file.
        metadata: further entries of the header, which `read_metadata` returns.

    Raises:
        RunError: the disk is full, or the file cannot be written.
    """
    with atomic_write(path) as temporary:
        save_file(weights, temporary, {**(metadata or {}), CHECKSUM: checksum(weights)})
        _sort_metadata(temporary)


def _sort_metadata(path: Path) -> None:
    """Sort the metadata of a file in place: safetensors writes it in random order, and equal files have equal bytes."""
    with path.open("r+b") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        header[METADATA] = dict(sorted(header[METADATA].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
        assert len(text) <= size
        file.seek(8)
        file.write(text.ljust(size))


def checksum(weights: Weights) -> str:
    """CRC-32 of the names, types, shapes and bytes of tensors on the CPU, as eight hexadecimal digits."""
    crc = 0
    for name in sorted(weights):
        tensor = weights[name]
        crc = zlib.crc32(f"{name} {tensor.dtype} {list(tensor.shape)}".encode(), crc)
        crc = zlib.crc32(tensor.contiguous().flatten().view(torch.uint8).numpy().data, crc)
    return f"{crc:08x}"


def save_weights(network: nn.Module, path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write a network's parameters. A parameter with several names (tied embeddings) is stored once."""
    weights = {name: parameter.detach().cpu().contiguous() for name, parameter in network.named_parameters()}
    save_tensors(weights, path, metadata)


def save_quantized(network: nn.Module, path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write a network's parameters with 8-bit matrices; vectors stay float32."""
    weights: Weights = {}
    for name, parameter in network.named_parameters():
        if parameter.dim() == 2:
            weights[name], weights[name + SCALES] = quantize(parameter.detach().cpu())
        else:
            weights[name] = parameter.detach().cpu()
    save_tensors(weights, path, metadata)


def is_quantized(weights: Weights) -> bool:
    """Whether any matrix is stored in 8 bits."""
    return any(name.endswith(SCALES) for name in weights)


def dequantized(weights: Weights, origin: Path) -> Weights:
    """Convert all weights to float32.

    Raises:
        RunError: scales without a matching matrix, or integers without scales.
    """
    plain = {name: tensor for name, tensor in weights.items() if not name.endswith(SCALES)}
    for name in weights.keys() - plain.keys():
        codes, scales = plain.get(name.removesuffix(SCALES)), weights[name]
        if codes is None or codes.dim() != 2 or codes.dtype != torch.int8 or scales.shape != codes.shape[:1]:
            raise RunError(f"{origin} is damaged ({name} fits no matrix): copy it again or quantize it again")
        plain[name.removesuffix(SCALES)] = Quantized(codes, scales.float()).dequantize()
    for name, tensor in plain.items():
        if not tensor.is_floating_point():
            raise RunError(f"{origin} is damaged ({name} has no scales): copy it again or quantize it again")
    return plain


def mean_weights(several: Iterable[Weights]) -> Weights:
    """Average the weights of several checkpoints (Junczys-Dowmunt et al. 2016), summed in float64.

    There is at least one, and all have the same names and shapes.
    """
    total: Weights = {}
    count = 0
    for weights in several:
        count += 1
        for name, tensor in weights.items():
            total[name] = total[name] + tensor.double() if name in total else tensor.double()
    return {name: (tensor / count).float() for name, tensor in total.items()}


def load_weights(path: Path, check: Callable[[Weights], object] | None = None) -> Weights:
    """Read weights.

    Args:
        path: the file.
        check: receives the tensors on the meta device before memory is allocated for their values, because the header
            of a small file may claim gigabytes. Its exceptions are passed on.

    Raises:
        RunError: the file is missing, truncated, not safetensors, its checksum does not match, or a number is not
            finite.
    """
    with _readable(path):
        header = _header_tensors(_read_header(path))
        if check is not None:
            check(header)
        with safe_open(path, "pt") as file:
            written = (file.metadata() or {}).get(CHECKSUM)
            # Copies: tensors of safetensors keep the file mapped, and Windows cannot replace a mapped file.
            weights = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        if written not in (None, checksum(weights)):  # other programs write none
            raise ValueError("checksum mismatch")
        if not all(bool(tensor.isfinite().all()) for tensor in weights.values() if tensor.is_floating_point()):
            raise ValueError("numbers that are not finite")
    return weights


def read_metadata(path: Path) -> dict[str, str]:
    """Read the metadata of a safetensors file, without its tensors; empty if there is none.

    Raises:
        RunError: the file is missing, or its header is not valid.
    """
    with _readable(path):
        metadata = _read_header(path).get(METADATA, {})
        if not (isinstance(metadata, dict) and all(isinstance(value, str) for value in metadata.values())):
            raise ValueError("its metadata is not text")
    return metadata


def read_size(path: Path) -> tuple[int, bool]:
    """Read the number of parameters in a safetensors file, and whether matrices are stored in 8 bits, by its header.

    Raises:
        RunError: the file is missing, or its header is not valid.
    """
    with _readable(path):
        tensors = _header_tensors(_read_header(path))
    return sum(tensor.numel() for name, tensor in tensors.items() if not name.endswith(SCALES)), is_quantized(tensors)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Raise a `RunError` if a file of tensors is missing, or if reading it raises an error of a damaged file."""
    if not os.path.isfile(path):
        raise RunError(
            f"{path} is missing: there is no model before the first validation; resume training, or name another "
            f"run folder"
        )
    try:
        yield
    except (SafetensorError, OSError, ValueError) as error:
        raise RunError(f"{path} is damaged ({str(error).splitlines()[0]}): copy it again or retrain") from None


def _read_header(path: Path) -> dict[str, Any]:
    """The header of a safetensors file: its tensors and metadata.

    `safe_open` would map the whole file first, which some systems count as memory.

    Raises:
        ValueError: the header is not valid.
    """
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if size > MAX_HEADER:
            raise ValueError(f"its header has more than {MAX_HEADER:,} bytes")
        text = file.read(size)
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise ValueError("its header lists no tensors")
    return header


def _header_tensors(header: dict[str, Any]) -> Weights:
    """The tensors listed in a header, on the meta device.

    Raises:
        ValueError: an entry is not valid.
    """
    try:
        entries = {name: entry for name, entry in header.items() if name != METADATA}
        kinds = {entry["dtype"] for entry in entries.values()} - TYPES.keys()
        if not kinds:
            return {
                name: torch.empty(entry["shape"], dtype=TYPES[entry["dtype"]], device="meta")
                for name, entry in entries.items()
            }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, RuntimeError, OverflowError):
        raise ValueError("its header lists no tensors") from None
    raise ValueError(f"unsupported tensor type {min(map(str, kinds))}")


def load_weights_of(network: nn.Module, path: Path) -> Weights:
    """Read the weights of a network with the same architecture; 8-bit matrices stay so.

    Names, shapes and types are checked before memory is allocated for the values.

    Raises:
        RunError: as `load_weights`, `dequantized` and `check_shapes`.
    """
    return load_weights(path, lambda header: check_shapes(network, dequantized(header, path), path))


def set_weights(network: nn.Module, weights: Weights, origin: Path) -> None:
    """Copy ``weights`` into a network of the same architecture.

    Raises:
        RunError: as `check_shapes`.
    """
    check_shapes(network, weights, origin)
    network.load_state_dict(weights, strict=False)


def check_shapes(network: nn.Module, weights: Weights, origin: Path) -> None:
    """Check that ``weights`` fit the network.

    Args:
        network: the network.
        weights: of any type and device.
        origin: their file, for the message.

    Raises:
        RunError: a name or a shape differs.
    """
    parameters = dict(network.named_parameters())
    for name in sorted(parameters.keys() | weights.keys()):
        if name not in weights or name not in parameters:
            holder = "the file" if name in parameters else "the model of config.yaml"
            raise RunError(f"{origin} does not belong to config.yaml: {holder} has no {name}; restore the two together")
        actual, expected = list(weights[name].shape), list(parameters[name].shape)
        if actual != expected:
            raise RunError(
                f"{origin} does not belong to config.yaml: {name} is {actual} in the file, {expected} in the model; "
                f"restore the two together"
            )
