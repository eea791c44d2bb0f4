"""What updates add up to, kept on the device: adding waits for nobody, looking waits until the device is done."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.errors import RunError


class Sums(NamedTuple):
    """What a look at a tally finds."""

    cross_entropy: float
    """Of all target pieces of the window so far, in nats."""
    gradient_norm: float
    """Of the last update, before clipping."""


class Tally:
    """Cross entropy and gradient norms of the updates since the last look.

    Args:
        cross_entropy: what the window holds already; going on from it, in float64, keeps the order of additions, so
            that a window's sum is the same to the last bit wherever looks or restarts fall in it.
        device: where the updates are computed.
    """

    def __init__(self, cross_entropy: float, device: torch.device) -> None:
        self.cross_entropy = torch.full((), cross_entropy, dtype=torch.float64, device=device)
        self.norms = torch.zeros((), dtype=torch.float64, device=device)
        self.last_norm = self.norms

    def add(self, cross_entropy: Tensor, norm: Tensor) -> None:
        """One update more: its summed cross entropy and its gradient's norm, both scalars on the device."""
        self.cross_entropy += cross_entropy
        self.norms += norm  # its only use: it stays infinite or no number once a norm was
        self.last_norm = norm

    def look(self, updates: range, tokens: int) -> Sums:
        """The sums, after ``updates`` (their numbers) and with ``tokens`` target pieces in the window.

        Raises:
            RunError: the loss or a gradient's norm was not finite in one of the updates.
        """
        values = torch.stack([self.cross_entropy, self.norms, self.last_norm.double()])
        cross_entropy, norms, last_norm = values.tolist()  # the one place where the host waits for the device
        if not (math.isfinite(cross_entropy) and math.isfinite(norms)):
            named = f"updates {updates[0]} to {updates[-1]}" if len(updates) > 1 else f"update {updates[0]}"
            raise RunError(
                f"{named}: loss {cross_entropy / tokens:g}, gradient norm {norms / len(updates):g}: training has "
                f"diverged; try a lower optimizer.learning_rate, a smaller training.clip or training.precision=float32"
            )
        return Sums(cross_entropy, last_norm)
