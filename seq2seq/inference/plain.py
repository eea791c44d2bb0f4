"""Any decoder, stepped by the same code that trains it.

N rows, E embedding width, F width of the features.
"""

from copy import deepcopy

from torch import Tensor

from seq2seq.inference.stepping import PreparedMemory, PreparedState
from seq2seq.model.network import Network
from seq2seq.model.state import Memory


class PlainDecoder:
    """`Steps` of any arrangement; its products stay in the precision of its weights."""

    def __init__(self, network: Network) -> None:
        self.decoder = deepcopy(network.decoder).eval()
        self.layers = network.config.decoder.layers

    def memory(self, memory: Memory) -> PreparedMemory:
        """What the steps need of an encoded batch."""
        return PreparedMemory(memory.attended, memory.context_BD)

    def step(self, inputs_NE: Tensor, memory: PreparedMemory, state: PreparedState) -> tuple[Tensor, PreparedState]:
        """Read one piece a row: features (N, F) and the next state."""
        context_BD = inputs_NE[:0] if memory.context_BD is None else memory.context_BD
        seen = Memory(context_BD, memory.attended)
        features_N1F, after, _ = self.decoder(inputs_NE.unsqueeze(1), seen, state.unpacked(self.layers))
        return features_N1F.squeeze(1), PreparedState.of(after)
