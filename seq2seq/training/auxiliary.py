"""What losses that are added to another objective share: a weight that falls, and the decoder's calls."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from torch import Tensor, nn

from seq2seq.data.batch import Batch
from seq2seq.model import Network
from seq2seq.model.decoder import Decoder, DecoderOutput, Memory, State
from seq2seq.training.loss import Loss, Objective


class DecoderCall(NamedTuple):
    """Arguments and result of a call of `Decoder.forward`."""

    embedded_NTE: Tensor
    memory: Memory
    state: State
    output: DecoderOutput


@contextmanager
def calls_of(decoder: Decoder) -> Iterator[list[DecoderCall]]:
    """The calls of a decoder within the context, in order."""
    calls: list[DecoderCall] = []

    def keep(module: nn.Module, inputs: tuple[Tensor, Memory, State], output: DecoderOutput) -> None:
        calls.append(DecoderCall(*inputs, output))

    handle = decoder.register_forward_hook(keep)
    try:
        yield calls
    finally:
        handle.remove()


class AuxiliaryLoss(ABC):
    """Another objective plus a loss that is computed from the decoder's call in its first pass.

    The weight w(u) of that loss decreases linearly from ``weight`` at the first update to 0 after ``updates`` updates.
    """

    def __init__(self, objective: Objective, weight: float, updates: int) -> None:
        self.objective = objective
        self.weight = weight
        self.updates = updates

    def __call__(self, network: Network, batch: Batch, update: int) -> Loss:
        """Sums over the batch's target tokens."""
        weight = max(0.0, self.weight * (1 - (update - 1) / max(1, self.updates)))
        if weight == 0:
            return self.objective(network, batch, update)
        with calls_of(network.decoder) as calls:
            loss = self.objective(network, batch, update)
        return loss._replace(objective=loss.objective + weight * self.cross_entropy(network, batch, calls[0]))

    @abstractmethod
    def cross_entropy(self, network: Network, batch: Batch, call: DecoderCall) -> Tensor:
        """The sum that is added; the batch's sentences are the first ones that were decoded."""
