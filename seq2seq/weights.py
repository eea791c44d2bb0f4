"""Weights on disk: safetensors, written whole or not at all, read without running anything."""

import os
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from seq2seq.errors import RunError

Weights = dict[str, Tensor]


def replace_file(temporary: Path, path: Path) -> None:
    """Put a finished temporary file in ``path``'s place, on the disk and not only in its cache."""
    with temporary.open("rb") as handle:
        os.fsync(handle.fileno())
    temporary.replace(path)


def save_weights(network: nn.Module, path: Path) -> None:
    """Write a network's parameters. A parameter with several names (tied embeddings) is stored once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    weights = {name: parameter.detach().cpu().contiguous() for name, parameter in network.named_parameters()}
    save_file(weights, temporary)
    replace_file(temporary, path)


def load_weights(path: Path) -> Weights:
    """Read weights.

    Raises:
        RunError: the file is missing, cut short or not safetensors.
    """
    if not path.is_file():
        raise RunError(f"{path} is missing: is this a run folder whose training has validated at least once?")
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise RunError(f"{path} is damaged ({str(error).splitlines()[0]}): copy it again or train anew") from None


def set_weights(network: nn.Module, weights: Weights, origin: Path) -> None:
    """Put ``weights`` into a network of the same shape.

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
    network.load_state_dict(weights, strict=False)
