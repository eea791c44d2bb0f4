"""A network as the `Stepper` that search takes (`seq2seq.search.stepper`).

B sentences, S source positions, K beam rows of a sentence, N = B·K rows, V vocabulary size, U tokens of a shortlist.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from seq2seq.inference.prepared_decoder import PreparedDecoder, PreparedMemory, PreparedState
from seq2seq.model.network import Network
from seq2seq.model.pointer import CopyMemory
from seq2seq.system.device import cast_to


class StepperState(NamedTuple):
    """Inputs of a step."""

    memory: PreparedMemory
    """One entry per sentence."""
    rows: PreparedState
    """One entry per row."""


class NetworkStepper:
    """Next-token log-probabilities of a network for one batch of sources (B, S)."""

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

        Args:
            network: the network, which encodes.
            decoder: prepared from it.
            source_BS: source tokens, right-padded.
            lengths_B: source lengths in tokens.
            bos: id of BOS.
            eos: id of EOS.
            shortlist: token ids in increasing order (U), with EOS and without BOS, and which of them each sentence must
                not use (B, U). Search then numbers tokens by their place in BOS and this list: ``V = U + 1``.
        """
        self.network = network
        self.decoder = decoder
        self.sentences = source_BS.size(0)
        self.source_BS = source_BS
        self.source_lengths = lengths_B
        if shortlist is None:
            self.shortlist: list[int] | None = None
            self.vocabulary, self.masked_BV, self.bos, self.eos = decoder.vocabulary, None, bos, eos
            return
        tokens_U, masked_BU = shortlist
        self.tokens_V = nn.functional.pad(tokens_U, (1, 0), value=bos)
        self.shortlist = self.tokens_V.tolist()
        self.vocabulary = decoder.vocabulary.select(self.tokens_V)
        self.masked_BV = nn.functional.pad(masked_BU, (1, 0), value=True)
        self.bos, self.eos = 0, self.shortlist.index(eos)

    def ids(self, tokens: list[int]) -> list[int]:
        """Ids in the target vocabulary of tokens as search numbers them."""
        return tokens if self.shortlist is None else [self.shortlist[token] for token in tokens]

    def start(self, beam_size: int) -> StepperState:
        """Encode the sources; every sentence gets ``beam_size`` rows."""
        with cast_to(self.decoder.encoder_dtype, self.source_BS.device):
            memory, state = self.network.encode(self.source_BS, self.source_lengths)
        prepared = self.decoder.memory(memory)._replace(masked_BV=self.masked_BV)
        if self.masked_BV is not None and memory.copies is not None:
            prepared = prepared._replace(copies=self._listed_copies(memory.copies, self.masked_BV))
        return StepperState(prepared, self.decoder.start(state, beam_size))

    def _listed_copies(self, copies: CopyMemory, masked_BV: Tensor) -> CopyMemory:
        """The copies as search numbers tokens; those outside a sentence's list go to the vocabulary."""
        places_X = torch.zeros(len(self.decoder.vocabulary.embedding_VE), dtype=torch.int64, device=masked_BV.device)
        places_X.index_copy_(0, self.tokens_V, torch.arange(len(self.tokens_V), device=masked_BV.device))
        places_BS = places_X[copies.tokens_BS]  # 0 is BOS, which is masked in every list
        unlisted_BS = masked_BV.gather(1, places_BS) | ~copies.copied_BS
        return CopyMemory.of(places_BS.masked_fill(unlisted_BS, -1))

    def step(self, tokens_N: Tensor, state: StepperState) -> tuple[Tensor, StepperState]:
        """Log-probabilities (N, V) of the token after ``tokens_N``, and the state after them."""
        embedding_VE = self.vocabulary.embedding_VE
        features_NF, rows, weights_NS = self.decoder.step(tokens_N, embedding_VE, state.memory, state.rows)
        log_probability_NV = self._vocabulary_log_probabilities(features_NF, state.memory.masked_BV)
        log_probability_NV = self.decoder.copied(log_probability_NV, features_NF, weights_NS, state.memory)
        return log_probability_NV, state._replace(rows=rows)

    def _vocabulary_log_probabilities(self, features_NF: Tensor, masked_BV: Tensor | None) -> Tensor:
        if masked_BV is None:
            return self.vocabulary.log_probabilities(features_NF)
        logits_BKV = self.vocabulary.output(features_NF).view(masked_BV.size(0), -1, masked_BV.size(1))
        return logits_BKV.masked_fill(masked_BV.unsqueeze(1), -torch.inf).flatten(0, 1).log_softmax(1)

    def select(self, state: StepperState, rows_N: Tensor, sentences_B: Tensor | None) -> StepperState:
        """Keep these rows in this order, and the memory of ``sentences_B`` (None: of all sentences)."""
        memory = state.memory if sentences_B is None else state.memory.select(sentences_B)
        return StepperState(memory, state.rows.select(rows_N))
