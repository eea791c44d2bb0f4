"""What losses that are added to another objective share: a weight that falls, and the decoder's calls."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from torch import Tensor, nn

from seq2seq.model.decoder import Decoder, DecoderOutput, Memory, State


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


def falling_weight(weight: float, update: int, updates: int) -> float:
    """The weight in an update (from 1): it falls in a line from ``weight`` at the first to 0 after ``updates``."""
    return max(0.0, weight * (1 - (update - 1) / max(1, updates)))
