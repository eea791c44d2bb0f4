"""Checkpoints: training states to resume from, and weights of validated updates. Every file is written atomically.

The last two states are kept, with the weights that they refer to. If the last is damaged, training resumes from the
one before it and ends with the same result.
"""

import logging
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import nn

from seq2seq.errors import RunError
from seq2seq.model.weights import (
    Weights,
    load_weights,
    load_weights_of,
    mean_weights,
    read_metadata,
    save_tensors,
    save_weights,
)
from seq2seq.system.atomic import atomic_write, remove_leftovers

log = logging.getLogger("seq2seq")

State = dict[str, Any]
"""Tensors, numbers and strings in dictionaries and lists, so that loading it executes nothing."""


class UnusableError(Exception):
    """The reason why a training state cannot be used."""


def damaged(path: Path, reason: object) -> RunError:
    """The error for a training state that cannot be used."""
    return RunError(f"{path} is damaged ({reason}): delete {path.parent} to train from the beginning")


class Checkpoints:
    """The folder ``checkpoints`` of a run.

    Args:
        folder: the folder.
        network: the network that is trained. If given, files that do not fit are rejected before memory is allocated.
        metadata: written into each file of weights.
    """

    def __init__(
        self, folder: Path, network: nn.Module | None = None, metadata: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.network = network
        self.metadata = metadata
        self.last = folder / "last.pt"
        self.previous = folder / "previous.pt"
        self._last_is_whole = False  # then it may replace the one before
        self._needed: set[int] = set()  # updates whose weights the last state refers to

    def save_state(self, state: State, updates: Iterable[int]) -> None:
        """Write a training state, and delete weights that neither it nor the one before refers to.

        Args:
            state: the state.
            updates: those whose weights, written by `save`, the state refers to.

        Raises:
            RunError: the file cannot be written.
        """
        needed = set(updates)
        with atomic_write(self.last, before=self.previous if self._last_is_whole else None) as temporary:
            _write({"kept": sorted(needed), "kept_before": sorted(self._needed), **state}, temporary)
        # Last: until the new state is on the disk, the old states are still needed.
        self._keep_only(needed | self._needed)
        self._last_is_whole, self._needed = True, needed

    def load_state(self) -> State | None:
        """Load the last training state, or the one before it if the last is damaged; None if there is none.

        Loading executes nothing. A warning is logged if the last state is not used.

        Raises:
            RunError: neither state can be used.
        """
        if not self.last.exists() and not self.previous.exists():
            return None
        try:
            state, self._last_is_whole = self._read(self.last), True
            if "kept" in state:  # a process may have been killed before it deleted unneeded files
                self._keep_only([*state["kept"], *state.get("kept_before", [])])
        except UnusableError as fault:
            try:
                state = self._read(self.previous)
            except UnusableError:
                raise damaged(self.last, fault) from None
            log.warning(
                "%s cannot be used (%s): resuming from the state before it, %s", self.last, fault, self.previous
            )
        self._needed = set(state.get("kept", []))  # older versions have no such entry
        return state

    def _read(self, path: Path) -> State:
        """Read a state and check its checksums and the weights that it refers to.

        Raises:
            UnusableError: it cannot be used.
        """
        if not path.exists():
            raise UnusableError("it is missing")
        try:
            with zipfile.ZipFile(path) as archive:
                size = sum(entry.file_size for entry in archive.infolist())
                if self.network is not None and size > _most_bytes(self.network):
                    raise UnusableError(f"it has {size:,} bytes, too many for this network")
                corrupt = archive.testzip()  # torch writes checksums but does not check them
            if corrupt is not None:
                raise UnusableError(f"checksum mismatch in {corrupt}")
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
        """Path of the weights after ``update`` updates."""
        return self.folder / f"update-{update:07d}.safetensors"

    def save(self, network: nn.Module, update: int) -> None:
        """Save the weights after ``update`` updates, until no saved state refers to them."""
        save_weights(network, self.weights_path(update), self.metadata)

    def load(self, update: int) -> Weights:
        """Load the weights after ``update`` updates.

        Raises:
            RunError: they are missing or damaged, or do not fit the network.
        """
        path = self.weights_path(update)
        return load_weights(path) if self.network is None else load_weights_of(self.network, path)

    def _keep_only(self, updates: Iterable[int]) -> None:
        """Delete the weights of all other updates, and temporary files of killed processes."""
        kept = {self.weights_path(update) for update in updates}
        for path in self.kept():
            if path not in kept:
                path.unlink(missing_ok=True)
        remove_leftovers(self.folder)

    def kept(self) -> list[Path]:
        """Paths of all saved weights, oldest first."""
        return sorted(self.folder.glob(f"update-{'[0-9]' * 7}*.safetensors"))

    def progress(self) -> dict[str, Any] | None:
        """The entry ``progress`` of the last state; None if it cannot be read."""
        try:
            progress = torch.load(self.last, map_location="cpu", weights_only=True, mmap=True)["progress"]
        except Exception:  # missing, or damaged: random bytes make the unpickler raise nearly anything
            return None
        return progress if isinstance(progress, dict) else None

    def saved_progress(self) -> dict[str, Any] | None:
        """The entry ``progress`` of the state that `load_state` would load; None if there is no such state."""
        for path in (self.last, self.previous):
            with suppress(UnusableError):
                progress = self._read(path).get("progress")
                return progress if isinstance(progress, dict) else None
        return None

    def average(self, updates: Iterable[int]) -> Weights:
        """Average the weights after these updates; a single one keeps its bits."""
        return mean_weights(map(self.load, updates))

    def put(self, updates: list[int], path: Path) -> None:
        """Write the average of the weights after these updates, unless the file has it already, with its metadata.

        Raises:
            RunError: they are missing or damaged, or the file cannot be written.
        """
        average = self.average(updates)
        try:
            current = load_weights(path) if read_metadata(path).items() >= dict(self.metadata or {}).items() else {}
        except RunError:
            current = {}
        if current.keys() != average.keys() or not all(torch.equal(current[name], average[name]) for name in current):
            save_tensors(average, path, self.metadata)


def _most_bytes(network: nn.Module) -> int:
    """Upper limit of the bytes of a training state: a dozen float64 tensors per parameter, and the log."""
    return 100 * sum(parameter.numel() for parameter in network.parameters()) + 2**28


def _write(state: State, path: Path) -> None:
    """Call torch.save, and raise the OSError behind its error.

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
