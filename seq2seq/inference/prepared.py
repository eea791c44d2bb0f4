"""The decoder as search runs it: one piece at a time, on weights laid out for that.

It computes what `Decoder.forward` computes for one position: packed where the arrangement allows (`PackedDecoder`),
else by the decoder's own code (`PlainDecoder`).

N rows, V vocabulary, F width of the features.
"""

import torch
from torch import Tensor

from seq2seq.inference.bounds import features_bounded
from seq2seq.inference.packed import PackedDecoder, can_pack, reduced
from seq2seq.inference.plain import PlainDecoder
from seq2seq.inference.product import InferencePrecision, make_scores
from seq2seq.inference.stepping import PreparedMemory, PreparedState, Steps
from seq2seq.inference.vocabulary import Vocabulary
from seq2seq.model.network import Network
from seq2seq.model.state import Attended, Memory, State


class PreparedDecoder:
    """A trained decoder, ready to step. A copy: later changes of the network do not reach it."""

    @torch.no_grad()
    def __init__(
        self, network: Network, precision: InferencePrecision, encoder_dtype: torch.dtype = torch.float32
    ) -> None:
        """Lay the decoder's weights out in ``precision``; the network encodes under autocast to ``encoder_dtype``.

        A decoder that cannot be packed keeps the precision of its weights, but for the output layer; and what knows
        no bound meets no integers (`seq2seq.inference.bounds`).
        """
        self.encoder_dtype = encoder_dtype
        packs = can_pack(network.config)
        embedding_VE = network.target_embedding.weight.detach()
        # Integer products take inputs in [-1, 1]: the embeddings' range moves into the weights they are met by.
        # (Any range will do for an embedding of zeros, but 0, by which nothing can be divided.)
        moves = packs and precision is InferencePrecision.int8
        bound = (float(embedding_VE.abs().amax()) if moves else 1.0) or 1.0
        scoring = reduced(precision, features_bounded(network.config))
        self.vocabulary = Vocabulary(
            embedding_VE / bound, make_scores(network.output.weight, network.output.bias, scoring)
        )
        self.steps: Steps = PackedDecoder(network, precision, bound) if packs else PlainDecoder(network)

    def memory(self, memory: Memory) -> PreparedMemory:
        """What the steps need of an encoded batch."""
        dtype, attended = self.vocabulary.embedding_VE.dtype, memory.attended
        if attended is not None:
            keys, values, padding = attended
            if padding is not None and padding.device.type == "cpu" and not padding.any():
                padding = None  # a GPU masks faster than it is asked
            attended = Attended(keys.to(dtype), values.to(dtype), padding)
        return self.steps.memory(Memory(memory.context_BD.to(dtype), attended))

    def start(self, state: State, beam_size: int) -> PreparedState:
        """The initial state of sentences, each in ``beam_size`` rows."""
        return PreparedState.of(state).repeated(beam_size, self.vocabulary.embedding_VE.dtype)

    def step(
        self, tokens_N: Tensor, embedding_VE: Tensor, memory: PreparedMemory, state: PreparedState
    ) -> tuple[Tensor, PreparedState]:
        """Read one piece a row; rows n·K … n·K + K-1 belong to sentence n.

        Args:
            tokens_N: pieces, by their rows in ``embedding_VE``.
            embedding_VE: of all pieces or a part of them.
            memory: of the rows' sentences.
            state: of the rows.

        Returns:
            Features (N, F), the input of the output layer, and the next state.
        """
        return self.steps.step(embedding_VE.index_select(0, tokens_N), memory, state)
