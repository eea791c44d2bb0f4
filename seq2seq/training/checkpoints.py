"""Checkpoints: training states to go on from, and weights worth keeping. Each is written whole or not at all.

Two states are kept, the last and the one before it, with the weights that either of them asks for: should the disk
spoil the last, training goes on from the other, and ends alike.
"""

import logging
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from seq2seq.errors import RunError
from seq2seq.model.weights import Weights, load_weights, load_weights_of, mean_weights, save_tensors, save_weights
from seq2seq.system.atomic import atomic_write, remove_leftovers

log = logging.getLogger("seq2seq")

State = dict[str, Any]
"""Tensors, numbers and texts in dictionaries and lists, so that it can be loaded without running code."""


class UnusableError(Exception):
    """Why a training state cannot be gone on from."""


def damaged(path: Path, reason: object) -> RunError:
    """The one line for a training state that cannot be used."""
    return RunError(f"{path} is damaged ({reason}): delete {path.parent} to train from the beginning")


class Checkpoints:
    """The folder ``checkpoints`` of a run.

    Args:
        folder: the folder.
        network: what is trained. Where it is stated, no memory is taken for what a file has of another shape.
    """

    def __init__(self, folder: Path, network: nn.Module | None = None) -> None:
        self.folder = folder
        self.network = network
        self.last = folder / "last.pt"
        self.previous = folder / "previous.pt"
        self._last_is_whole = False  # then it may take the place of the one before
        self._asked_for: set[int] = set()  # the updates whose weights the last state needs

    def save_state(self, state: State, updates: Iterable[int]) -> None:
        """Write a training state, and delete the weights that neither it nor the one before asks for.

        Args:
            state: the state.
            updates: those whose weights, kept with `save`, it needs to go on.

        Raises:
            RunError: it cannot be written.
        """
        asked_for = set(updates)
        with atomic_write(self.last, before=self.previous if self._last_is_whole else None) as temporary:
            _write({"kept": sorted(asked_for), "kept_before": sorted(self._asked_for), **state}, temporary)
        # Last: until the new state is on the disk, the old ones may still be asked for what they kept.
        self._keep_only(asked_for | self._asked_for)
        self._last_is_whole, self._asked_for = True, asked_for

    def load_state(self) -> State | None:
        """The last training state, or the one before where that is damaged; None where nothing has been saved.

        Nothing in it is executed. A line in the log says so where it is not the last.

        Raises:
            RunError: neither can be used.
        """
        if not self.last.exists() and not self.previous.exists():
            return None
        try:
            state, self._last_is_whole = self._read(self.last), True
            if "kept" in state:  # a process may have been killed before it deleted what nobody asks for
                self._keep_only([*state["kept"], *state.get("kept_before", [])])
        except UnusableError as fault:
            try:
                state = self._read(self.previous)
            except UnusableError:
                raise damaged(self.last, fault) from None
            log.warning(
                "%s cannot be used (%s): going on from the state before it, %s", self.last, fault, self.previous
            )
        self._asked_for = set(state.get("kept", []))  # of an older version: it did not say
        return state

    def _read(self, path: Path) -> State:
        """A state whose every byte is as it was written, and for which all weights are there.

        Raises:
            UnusableError: with the reason.
        """
        if not path.exists():
            raise UnusableError("it is missing")
        try:
            with zipfile.ZipFile(path) as archive:
                size = sum(entry.file_size for entry in archive.infolist())
                if self.network is not None and size > _most_bytes(self.network):
                    raise UnusableError(f"it has {size:,} bytes, too many for this network")
                spoilt = archive.testzip()  # torch writes checksums and does not look at them
            if spoilt is not None:
                raise UnusableError(f"the checksum of {spoilt} is another")
            state: State = torch.load(path, map_location="cpu", weights_only=True)
            for update in state.get("kept", []):
                self.load(update)
            if not all(type(update) is int for update in state.get("kept_before", [])):
                raise ValueError
        except (UnusableError, MemoryError):
            raise
        except RunError as error:
            raise UnusableError(str(error).rpartition(": ")[0]) from None
        except Exception as error:  # random bytes make the unpickler raise nearly anything
            raise UnusableError(type(error).__name__) from None
        return state

    def weights_path(self, update: int) -> Path:
        """Where the weights after ``update`` updates are kept."""
        return self.folder / f"update-{update:07d}.safetensors"

    def save(self, network: nn.Module, update: int) -> None:
        """Keep the weights after ``update`` updates, until a state is saved that does not ask for them."""
        save_weights(network, self.weights_path(update))

    def load(self, update: int) -> Weights:
        """The weights after ``update`` updates.

        Raises:
            RunError: they are missing or damaged, or those of another network.
        """
        path = self.weights_path(update)
        return load_weights(path) if self.network is None else load_weights_of(self.network, path)

    def _keep_only(self, updates: Iterable[int]) -> None:
        """Delete the weights of all other updates, and what a killed process left half-written."""
        kept = {self.weights_path(update) for update in updates}
        for path in self.kept():
            if path not in kept:
                path.unlink(missing_ok=True)
        remove_leftovers(self.folder)

    def kept(self) -> list[Path]:
        """All weights that are there, oldest first."""
        return sorted(self.folder.glob(f"update-{'[0-9]' * 7}*.safetensors"))

    def progress(self) -> dict[str, Any] | None:
        """The entry ``progress`` of the last state; None where it cannot be read."""
        try:
            progress = torch.load(self.last, map_location="cpu", weights_only=True, mmap=True)["progress"]
        except Exception:  # missing, or damaged: random bytes make the unpickler raise nearly anything
            return None
        return progress if isinstance(progress, dict) else None

    def average(self, updates: Iterable[int]) -> Weights:
        """Mean of the weights kept after these updates; of one, the same to the last bit."""
        return mean_weights(map(self.load, updates))

    def put(self, updates: list[int], path: Path) -> None:
        """Write the mean of the weights kept after these updates, unless it is what is there.

        Raises:
            RunError: they are missing or damaged, or the file cannot be written.
        """
        wanted = self.average(updates)
        try:
            found = load_weights(path)
        except RunError:
            found = {}
        if found.keys() != wanted.keys() or not all(torch.equal(found[name], wanted[name]) for name in found):
            save_tensors(wanted, path)


def _most_bytes(network: nn.Module) -> int:
    """Bytes that a training state has at most: a dozen tensors of eight bytes for each parameter, and the log."""
    return 100 * sum(parameter.numel() for parameter in network.parameters()) + 2**28


def _write(state: State, path: Path) -> None:
    """torch.save, whose errors say nothing of a full disk.

    Raises:
        OSError: the file cannot be written.
    """
    try:
        with path.open("wb") as file:
            torch.save(state, file)
    except RuntimeError as error:
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise
