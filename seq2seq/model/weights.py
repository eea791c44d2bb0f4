"""Weights on disk: safetensors, written whole or not at all, read without running anything."""

import json
import os
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from seq2seq.errors import RunError
from seq2seq.model.quantization import Quantized, quantize
from seq2seq.system.atomic import atomic_write

Weights = dict[str, Tensor]

SCALES = ".scales"
"""What a matrix kept in 8 bits adds to its name for the scales of its rows."""

CHECKSUM = "crc32"
"""Where a file's metadata say what `checksum` its tensors had when it was written."""

LARGEST_HEAD = 10_000_000
"""Bytes of the head of a file, which names its tensors; that of a model with a thousand of them has 100,000."""

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
"""The types of tensors that are read, by their names in a file's head."""


def save_tensors(weights: Weights, path: Path) -> None:
    """Write tensors with their checksum, whole or not at all.

    Raises:
        RunError: the disk is full, or the file cannot be written.
    """
    with atomic_write(path) as temporary:
        save_file(weights, temporary, {CHECKSUM: checksum(weights)})


def checksum(weights: Weights) -> str:
    """CRC-32 of the names, types, shapes and bytes of tensors on the CPU, in eight hexadecimal digits."""
    crc = 0
    for name in sorted(weights):
        tensor = weights[name]
        crc = zlib.crc32(f"{name} {tensor.dtype} {list(tensor.shape)}".encode(), crc)
        crc = zlib.crc32(tensor.contiguous().flatten().view(torch.uint8).numpy().data, crc)
    return f"{crc:08x}"


def save_weights(network: nn.Module, path: Path) -> None:
    """Write a network's parameters. A parameter with several names (tied embeddings) is stored once."""
    save_tensors({name: parameter.detach().cpu().contiguous() for name, parameter in network.named_parameters()}, path)


def save_quantized(network: nn.Module, path: Path) -> None:
    """Write a network with its matrices in 8 bits, one scale a row; vectors stay float32."""
    weights: Weights = {}
    for name, parameter in network.named_parameters():
        if parameter.dim() == 2:
            weights[name], weights[name + SCALES] = quantize(parameter.detach().cpu())
        else:
            weights[name] = parameter.detach().cpu()
    save_tensors(weights, path)


def is_quantized(weights: Weights) -> bool:
    """True where some matrix is kept in 8 bits."""
    return any(name.endswith(SCALES) for name in weights)


def dequantized(weights: Weights, origin: Path) -> Weights:
    """The same weights, every one float32.

    Raises:
        RunError: scales that fit no matrix.
    """
    plain = {name: tensor for name, tensor in weights.items() if not name.endswith(SCALES)}
    for name in weights.keys() - plain.keys():
        codes, scales = plain.get(name.removesuffix(SCALES)), weights[name]
        if codes is None or codes.dim() != 2 or codes.dtype != torch.int8 or scales.shape != codes.shape[:1]:
            raise RunError(f"{origin} is damaged ({name} fits no matrix): copy it again or quantise anew")
        plain[name.removesuffix(SCALES)] = Quantized(codes, scales.float()).dequantize()
    for name, tensor in plain.items():
        if not tensor.is_floating_point():
            raise RunError(f"{origin} is damaged ({name} has no scales): copy it again or quantise anew")
    return plain


def mean_weights(several: Iterable[Weights]) -> Weights:
    """Mean of the weights of one network at several times (Junczys-Dowmunt et al. 2016), summed in float64.

    At least one, all of the same names and shapes.
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
        check: receives the weights without their numbers, on the device ``meta``, before any memory is taken for the
            numbers: a file of a few kilobytes on the disk may say that it has gigabytes. What it raises goes on.

    Raises:
        RunError: the file is missing, cut short, not safetensors, or not as it was written.
    """
    if not os.path.isfile(path):
        raise RunError(f"{path} is missing: is this a run folder whose training has validated at least once?")
    try:
        header = _read_header(path)
        if check is not None:
            check(header)
        with safe_open(path, "pt") as file:
            told = (file.metadata() or {}).get(CHECKSUM)
            # Copies: a tensor of safetensors holds the file mapped, and Windows replaces no file that is.
            weights = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        if told not in (None, checksum(weights)):  # other programs write none
            raise ValueError("the checksum is another")
    except (SafetensorError, OSError, ValueError) as error:
        raise RunError(f"{path} is damaged ({str(error).splitlines()[0]}): copy it again or train anew") from None
    return weights


def _read_header(path: Path) -> Weights:
    """The tensors that the head of a safetensors file names, on the device ``meta``.

    Not by `safe_open`, which maps the whole file first: some systems count that as memory.

    Raises:
        ValueError: there is no such head.
    """
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if size > LARGEST_HEAD:
            raise ValueError(f"its head has more than {LARGEST_HEAD:,} bytes")
        text = file.read(size)
    try:
        entries = {name: entry for name, entry in json.loads(text).items() if name != "__metadata__"}
        kinds = {entry["dtype"] for entry in entries.values()} - TYPES.keys()
        if not kinds:
            return {
                name: torch.empty(entry["shape"], dtype=TYPES[entry["dtype"]], device="meta")
                for name, entry in entries.items()
            }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, RuntimeError, OverflowError):
        raise ValueError("its head names no tensors") from None
    raise ValueError(f"it has tensors of type {min(map(str, kinds))}")


def load_weights_of(network: nn.Module, path: Path) -> Weights:
    """Read the weights of a network like this one, their 8-bit matrices as they are.

    Names, shapes and types are checked before any memory is taken for the numbers.

    Raises:
        RunError: as `load_weights`, `dequantized` and `hold_shapes` do.
    """
    return load_weights(path, lambda header: hold_shapes(network, dequantized(header, path), path))


def set_weights(network: nn.Module, weights: Weights, origin: Path) -> None:
    """Put ``weights`` into a network of the same shape.

    Raises:
        RunError: as `hold_shapes` does.
    """
    hold_shapes(network, weights, origin)
    network.load_state_dict(weights, strict=False)


def hold_shapes(network: nn.Module, weights: Weights, origin: Path) -> None:
    """Demand that ``weights`` are a network's like this one.

    Raises:
        RunError: a name or a shape differs; names the first and where the weights came from.
    """
    parameters = dict(network.named_parameters())
    for name in sorted(parameters.keys() | weights.keys()):
        if name not in weights or name not in parameters:
            holder = "the file" if name in parameters else "the model of config.yaml"
            raise RunError(f"{origin} does not belong to config.yaml: {holder} has no {name}; restore the two together")
        found, wanted = list(weights[name].shape), list(parameters[name].shape)
        if found != wanted:
            raise RunError(
                f"{origin} does not belong to config.yaml: {name} is {found} in the file, {wanted} in the model; "
                f"restore the two together"
            )
