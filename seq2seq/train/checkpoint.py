"""Checkpoints: the training state to go on from, and weights worth keeping. Each is written whole or not at all."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from seq2seq.atomic import atomic_write
from seq2seq.errors import RunError
from seq2seq.weights import Weights, load_weights, mean_weights, save_weights


def damaged(path: Path, error: Exception) -> RunError:
    """The one line for a training state that cannot be used."""
    return RunError(f"{path} is damaged ({type(error).__name__}): delete the run folder to train anew")


class Checkpoints:
    """The folder ``checkpoints`` of a run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.last = folder / "last.pt"

    def save_last(self, state: dict[str, Any]) -> None:
        """Write the training state: weights, optimiser, progress."""
        with atomic_write(self.last) as temporary:
            torch.save(state, temporary)

    def load_last(self) -> dict[str, Any] | None:
        """The training state, or None where nothing has been saved. Nothing in it is executed.

        Raises:
            RunError: the file is damaged.
        """
        if not self.last.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(self.last, map_location="cpu", weights_only=True)
        except Exception as error:  # random bytes make the unpickler raise nearly anything
            raise damaged(self.last, error) from None
        return state

    def weights_path(self, update: int) -> Path:
        """Where the weights after ``update`` updates are kept."""
        return self.folder / f"update-{update:07d}.safetensors"

    def save(self, network: nn.Module, update: int) -> None:
        """Keep the weights after ``update`` updates."""
        save_weights(network, self.weights_path(update))

    def keep_only(self, updates: Iterable[int]) -> None:
        """Delete the weights of all other updates."""
        kept = {self.weights_path(update) for update in updates}
        for path in self.folder.glob("update-*.safetensors"):
            if path not in kept:
                path.unlink()

    def average(self, updates: list[int]) -> Weights:
        """Mean of the weights kept after these updates."""
        return mean_weights(load_weights(self.weights_path(update)) for update in updates)
