"""The names and shapes of a network without its numbers: it takes no memory, however large the settings say it is."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from seq2seq.model.config import ModelConfig
from seq2seq.model.network import Network


class Undrawn(TorchFunctionMode):
    """Leaves tensors as they are where they would be filled in place: there is nothing in them.

    PyTorch could go through the motions, but loads a compiler for it, which takes a second.
    """

    def __torch_function__(
        self, function: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        """Whatever it is, but for what ends in an underscore."""
        name = getattr(function, "__name__", "")
        if name.endswith("_") and not name.endswith("__"):
            return args[0] if args else kwargs["tensor"]
        return function(*args, **(kwargs or {}))


def outline(config: ModelConfig, source_vocabulary: int, target_vocabulary: int, joint: bool) -> Network:
    """A network on no device, to be asked for the shapes of its parameters.

    Raises:
        ConfigError: as `Network` does.
        RuntimeError: a size is beyond all numbers.
    """
    with torch.device("meta"), Undrawn():
        return Network(config, source_vocabulary, target_vocabulary, joint)
