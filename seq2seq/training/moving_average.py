"""An exponential moving average of the weights, which is validated and saved instead of the trained weights."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from seq2seq.system.torch_private import copy_each, lerp_each

WARMUP = 10
"""The decay after n updates is at most (1 + n) / (WARMUP + n), so that initial weights have little influence."""


class MovingAverage:
    """Exponential moving average of a network's trained weights (Polyak & Juditsky 1992).

    After update n: average ← d · average + (1 - d) · weights, d = min(decay, (1 + n) / (10 + n)).
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.parameters: list[Tensor] = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.decay = decay
        self.weights = [parameter.detach().clone() for parameter in self.parameters]

    def update(self, number: int) -> None:
        """Add the weights after update ``number``, counted from 1."""
        decay = min(self.decay, (1 + number) / (WARMUP + number))
        lerp_each(self.weights, self.parameters, 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Set the network's weights to the average within the context, and back afterwards."""
        trained = [parameter.detach().clone() for parameter in self.parameters]
        self._put(self.weights)
        try:
            yield
        finally:
            self._put(trained)

    def _put(self, weights: list[Tensor]) -> None:
        # Copied, because cuDNN needs an LSTM's weights in one block of memory.
        copy_each(self.parameters, weights)

    def load(self, weights: list[Tensor]) -> None:
        """Continue from the average of a training state.

        Raises:
            ValueError: the number of weights differs.
            RuntimeError: a shape differs.
        """
        if len(weights) != len(self.weights):
            raise ValueError(f"{len(weights)} averaged weights of {len(self.weights)}")
        for own, other in zip(self.weights, weights, strict=True):
            own.copy_(other)
