"""Dropout over sequences.

B sentences (or rows of a search), T positions, E units.
"""

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
        return masked(inputs_BTE, self.mask(inputs_BTE, inputs_BTE.size(2)))

    def mask(self, sequences_BTX: Tensor, units: int) -> Tensor | None:
        """What to multiply by where these sequences' vectors have E = ``units``; None where nothing is dropped.

        (B, T, E) or, shared over time, (B, 1, E).
        """
        if not self.training or self.rate == 0:
            return None
        sentences, steps, _ = sequences_BTX.shape
        return keep_mask((sentences, 1 if self.shared_over_time else steps, units), self.rate, sequences_BTX.device)


class WordDropout(nn.Module):
    """Silence whole words: the embedding of every one of them falls with the same chance (Sennrich & Zhang 2019)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, embedded_BTE: Tensor) -> Tensor:
        """Drop a share ``rate`` of the words of (B, T, E) in training and scale the rest to keep the mean."""
        if not self.training or self.rate == 0:
            return embedded_BTE
        return masked(embedded_BTE, keep_mask((*embedded_BTE.shape[:2], 1), self.rate, embedded_BTE.device))


def keep_mask(shape: tuple[int, int, int], rate: float, device: torch.device) -> Tensor:
    """Zeros at the rate given, else 1 / (1 - rate); float32."""
    return torch.empty(shape, device=device).bernoulli_(1 - rate).div_(1 - rate)


def masked(inputs_BTE: Tensor, mask_BTE: Tensor | None) -> Tensor:
    """The inputs times the mask, if there is one."""
    return inputs_BTE if mask_BTE is None else inputs_BTE * mask_BTE.to(inputs_BTE.dtype)
