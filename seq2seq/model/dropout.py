"""Dropout over sequences."""

import torch
from torch import Tensor, nn


class SequenceDropout(nn.Module):
    """Silence units of a sequence of vectors, with one mask per sentence or a fresh one at every step.

    A mask shared over time is variational dropout (Gal & Ghahramani 2016); it also costs T times less to draw.
    """

    def __init__(self, rate: float, shared_over_time: bool) -> None:
        super().__init__()
        self.rate = rate
        self.shared_over_time = shared_over_time

    def forward(self, inputs_BTE: Tensor) -> Tensor:
        """Drop a share ``rate`` of the units of (B, T, E) in training and scale the rest to keep the mean."""
        if not self.training or self.rate == 0:
            return inputs_BTE
        steps = 1 if self.shared_over_time else inputs_BTE.size(1)
        mask = torch.empty(inputs_BTE.size(0), steps, inputs_BTE.size(2), device=inputs_BTE.device)
        mask = mask.bernoulli_(1 - self.rate).div_(1 - self.rate)
        return inputs_BTE * mask.to(inputs_BTE.dtype)
