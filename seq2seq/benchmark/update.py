"""One training update, as the trainer performs it, with scopes for the profile.

P target positions of a batch, V vocabulary.
"""

import math
from collections.abc import Iterator

import torch
from torch.profiler import record_function

from seq2seq.data.batch import Batch
from seq2seq.model import Network
from seq2seq.system.device import autocast
from seq2seq.system.precision import Precision
from seq2seq.training import OptimizerConfig
from seq2seq.training.loss import loss_sums
from seq2seq.training.loss_scale import LossScale
from seq2seq.training.optimizer_state import optimizer_of

SCOPE = "part: "
"""Prefix of the names of profiled parts."""


class Updater:
    """Updates a network from an endless iterator of batches, without waiting for the device."""

    def __init__(
        self,
        network: Network,
        batches: Iterator[Batch],
        optimizer: OptimizerConfig,
        *,
        clip: float | None,
        smoothing: float,
        precision: Precision,
        device: torch.device,
    ) -> None:
        self.network = network.to(device).train()
        self.batches = batches
        self.optimizer = optimizer_of(network, optimizer)
        self.loss_scale = LossScale(precision is Precision.float16, device)
        self.clip = math.inf if clip is None else clip
        self.smoothing = smoothing
        self.precision = precision
        self.device = device

    def __call__(self) -> Batch:
        """Update the weights on the next batch, and return that batch."""
        with record_function(f"{SCOPE}data"):
            batch = next(self.batches)
        self.optimizer.zero_grad(set_to_none=True)
        source_BS, lengths_B, target_BT, positions_P, labels_P = batch
        with autocast(self.precision, self.device):
            logits_PV = self.network(source_BS, lengths_B, target_BT, positions_P)
        with record_function(f"{SCOPE}loss"):
            loss = loss_sums(logits_PV, labels_P, self.smoothing).objective / labels_P.numel()
        (loss * self.loss_scale.scale).backward()  # type: ignore[no-untyped-call]
        with record_function(f"{SCOPE}optimizer"):
            self.loss_scale.unscale(self.network.parameters())
            norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
            self.loss_scale.step(self.optimizer, norm)
        return batch

    def several(self, count: int) -> list[Batch]:
        """Perform ``count`` updates and return their batches."""
        return [self() for _ in range(count)]
