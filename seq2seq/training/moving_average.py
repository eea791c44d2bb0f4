"""A moving average of the weights, which validates and is saved in place of the weights that are trained."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

WARMUP = 10
"""The decay after n updates is at most (1 + n) / (WARMUP + n), so that the initial weights are soon forgotten."""


class MovingAverage:
    """Exponential moving average of a network's trained weights (Polyak & Juditsky 1992).

    After update n: average ← d · average + (1 - d) · weights, d = min(decay, (1 + n) / (10 + n)).
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.parameters: list[Tensor] = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.decay = decay
        self.weights = [parameter.detach().clone() for parameter in self.parameters]

    @torch.no_grad()
    def update(self, number: int) -> None:
        """Take in the weights after update ``number``, the first being 1."""
        decay = min(self.decay, (1 + number) / (WARMUP + number))
        torch._foreach_lerp_(self.weights, self.parameters, 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The network has the average's weights while this is open, and its own again afterwards."""
        trained = [parameter.detach().clone() for parameter in self.parameters]
        self._put(self.weights)
        try:
            yield
        finally:
            self._put(trained)

    @torch.no_grad()
    def _put(self, weights: list[Tensor]) -> None:
        # Copied, not exchanged: cuDNN wants an LSTM's weights where they are, side by side.
        torch._foreach_copy_(self.parameters, weights)

    def load(self, weights: list[Tensor]) -> None:
        """Go on from the average that a training state has kept.

        Raises:
            ValueError: there are not as many weights.
            RuntimeError: their shapes are others.
        """
        if len(weights) != len(self.weights):
            raise ValueError(f"{len(weights)} averaged weights of {len(self.weights)}")
        for own, other in zip(self.weights, weights, strict=True):
            own.copy_(other)
