"""One search step of a network, in the form that search asks for (seq2seq/search/stepper.py).

B sentences, K beam rows of a sentence, N = B·K rows, V vocabulary.
"""

from typing import NamedTuple

from torch import Tensor

from seq2seq.model.decoder import Memory, State
from seq2seq.model.network import Network


class StepperState(NamedTuple):
    """What a step needs: the memory of every sentence and the recurrent state of every row."""

    memory: Memory
    state: State


class NetworkStepper:
    """A network reading one batch of sources (B, S), asked for the next pieces row by row."""

    def __init__(self, network: Network, source_BS: Tensor, lengths_B: Tensor, bos: int, eos: int) -> None:
        self.network = network
        self.bos = bos
        self.eos = eos
        self.sentences = source_BS.size(0)
        self.source_BS = source_BS
        self.source_lengths = lengths_B

    def start(self, beam_size: int) -> StepperState:
        """Encode the sources; every sentence's state stands in ``beam_size`` rows."""
        memory, state = self.network.encode(self.source_BS, self.source_lengths)
        rows = [part.repeat_interleave(beam_size, dim=1) for part in state]
        return StepperState(memory, State(*rows))

    def step(self, tokens_N: Tensor, state: StepperState) -> tuple[Tensor, StepperState]:
        """Log-probabilities (N, V) of the piece after ``tokens_N``, and the state after them."""
        embedded = self.network.target_embedding(tokens_N.unsqueeze(1))
        decoded = self.network.decoder(embedded, state.memory, state.state)
        log_probabilities = self.network.output(decoded.features_NTF.squeeze(1)).float().log_softmax(1)
        return log_probabilities, StepperState(state.memory, decoded.state)

    def select(self, state: StepperState, rows_N: Tensor, sentences_B: Tensor | None) -> StepperState:
        """Keep these rows in this order, and the memory of ``sentences_B`` alone (None: of all)."""
        kept = State(*(part.index_select(1, rows_N) for part in state.state))
        if sentences_B is None:
            return StepperState(state.memory, kept)
        return StepperState(state.memory.select(sentences_B), kept)
