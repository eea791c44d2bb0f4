"""One search step of a network, in the form that search asks for (seq2seq/search/stepper.py).

B sentences, K beam rows of a sentence, N = B·K rows, V vocabulary, U pieces of a short-list.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from seq2seq.inference.prepared import PreparedDecoder
from seq2seq.inference.stepping import PreparedMemory, PreparedState
from seq2seq.model.network import Network
from seq2seq.system.device import cast_to


class StepperState(NamedTuple):
    """What a step needs: the memory of every sentence and the state of every row."""

    memory: PreparedMemory
    rows: PreparedState
    barred_BV: Tensor | None
    """True where a sentence must not use a piece; None: all may use all."""


class NetworkStepper:
    """A network reading one batch of sources (B, S), asked for the next pieces row by row."""

    def __init__(
        self,
        network: Network,
        decoder: PreparedDecoder,
        source_BS: Tensor,
        lengths_B: Tensor,
        bos: int,
        eos: int,
        shortlist: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        """Bind a network and its prepared decoder to a batch.

        ``shortlist`` is a rising list of pieces (U), the end mark among them and the beginning not, and for every
        sentence which of these it must not use (B, U): then the pieces are numbered anew, ``V = U + 1``.
        """
        self.network = network
        self.decoder = decoder
        self.sentences = source_BS.size(0)
        self.source_BS = source_BS
        self.source_lengths = lengths_B
        if shortlist is None:
            self.pieces: list[int] | None = None
            self.vocabulary, self.barred_BV, self.bos, self.eos = decoder.vocabulary, None, bos, eos
            return
        listed_U, barred_BU = shortlist
        pieces_V = nn.functional.pad(listed_U, (1, 0), value=bos)
        self.pieces = pieces_V.tolist()
        self.vocabulary = decoder.vocabulary.only(pieces_V)
        self.barred_BV = nn.functional.pad(barred_BU, (1, 0), value=True)
        self.bos, self.eos = 0, self.pieces.index(eos)

    def ids(self, tokens: list[int]) -> list[int]:
        """Ids of pieces that search knows by their number in the short-list."""
        return tokens if self.pieces is None else [self.pieces[token] for token in tokens]

    def start(self, beam_size: int) -> StepperState:
        """Encode the sources; every sentence's state stands in ``beam_size`` rows."""
        with cast_to(self.decoder.encoder_dtype, self.source_BS.device):
            memory, state = self.network.encode(self.source_BS, self.source_lengths)
        return StepperState(self.decoder.memory(memory), self.decoder.start(state, beam_size), self.barred_BV)

    def step(self, tokens_N: Tensor, state: StepperState) -> tuple[Tensor, StepperState]:
        """Log-probabilities (N, V) of the piece after ``tokens_N``, and the state after them."""
        embedding_VE = self.vocabulary.embedding_VE
        features_NF, rows = self.decoder.step(tokens_N, embedding_VE, state.memory, state.rows)
        after = state._replace(rows=rows)
        if state.barred_BV is None:
            return self.vocabulary.log_probabilities(features_NF), after
        logits_BKV = self.vocabulary.output(features_NF).view(state.barred_BV.size(0), -1, state.barred_BV.size(1))
        return logits_BKV.masked_fill(state.barred_BV.unsqueeze(1), -torch.inf).flatten(0, 1).log_softmax(1), after

    def select(self, state: StepperState, rows_N: Tensor, sentences_B: Tensor | None) -> StepperState:
        """Keep these rows in this order, and the memory of ``sentences_B`` alone (None: of all)."""
        rows = state.rows.select(rows_N)
        if sentences_B is None:
            return state._replace(rows=rows)
        barred = None if state.barred_BV is None else state.barred_BV.index_select(0, sentences_B)
        return StepperState(state.memory.select(sentences_B), rows, barred)
