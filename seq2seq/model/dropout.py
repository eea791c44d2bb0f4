"""Dropout over sequences.

B sentences (or rows of a search), S source positions, T positions, E units.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class SequenceDropout(nn.Module):
    """Drop units of a sequence of vectors, with one mask per sentence or a new one at every position.

    A mask shared over time is variational dropout (Gal & Ghahramani 2016); it also costs T times fewer random numbers.
    """

    def __init__(self, rate: float, shared_over_time: bool) -> None:
        super().__init__()
        self.rate = rate
        self.shared_over_time = shared_over_time

    def forward(self, inputs_BTE: Tensor) -> Tensor:
        """In training, drop a share ``rate`` of the units of (B, T, E) and scale the rest to keep the mean."""
        return apply_mask(inputs_BTE, self.mask(inputs_BTE, inputs_BTE.size(2)))

    def mask(self, sequences_BTX: Tensor, units: int) -> Tensor | None:
        """A mask for vectors of E = ``units`` at the positions of these sequences; None if nothing is dropped.

        (B, T, E), or (B, 1, E) if it is shared over time.
        """
        if not self.training or self.rate == 0:
            return None
        sentences, steps, _ = sequences_BTX.shape
        return keep_mask((sentences, 1 if self.shared_over_time else steps, units), self.rate, sequences_BTX.device)


class WordDropout(nn.Module):
    """Drop whole words: all embeddings have the same chance to be set to zero (Sennrich & Zhang 2019)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, embedded_BTE: Tensor) -> Tensor:
        """In training, drop a share ``rate`` of the words of (B, T, E) and scale the rest to keep the mean."""
        if not self.training or self.rate == 0:
            return embedded_BTE
        return apply_mask(embedded_BTE, keep_mask((*embedded_BTE.shape[:2], 1), self.rate, embedded_BTE.device))


class Cutoff(NamedTuple):
    """Factors of whole embeddings (Shen et al. 2020): 0 removes a token from the input, 1 leaves it as it is."""

    source_BS1: Tensor
    target_BT1: Tensor


def keep_mask(shape: tuple[int, int, int], rate: float, device: torch.device) -> Tensor:
    """Zeros with probability ``rate``, else 1 / (1 - rate); float32."""
    return torch.empty(shape, device=device).bernoulli_(1 - rate).div_(1 - rate)


def apply_mask(inputs_BTE: Tensor, mask_BTE: Tensor | None) -> Tensor:
    """Multiply the inputs by the mask, if there is one."""
    return inputs_BTE if mask_BTE is None else inputs_BTE * mask_BTE.to(inputs_BTE.dtype)
