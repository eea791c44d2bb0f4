"""What losses that are added to another objective share: a weight that falls, and the decoder's calls."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from torch import Tensor

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
    handle = decoder.register_forward_hook(lambda module, inputs, output: calls.append(DecoderCall(*inputs, output)))
    try:
        yield calls
    finally:
        handle.remove()


def falling_weight(weight: float, update: int, updates: int) -> float:
    """The weight in an update (from 1): it falls in a line from ``weight`` at the first to 0 after ``updates``."""
    return max(0.0, weight * (1 - (update - 1) / max(1, updates)))
