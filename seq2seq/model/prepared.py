"""The decoder as search runs it: one piece at a time, on weights laid out for that.

It computes what `Decoder.forward` computes for one position. What does not change from step to step is done before:
both products of an LSTM layer are one, the dropout is gone, and a fixed context vector is multiplied once a sentence.

B sentences, K beam rows of a sentence, N = B·K rows, V vocabulary, E embedding width, H units, D encoder width,
L layers, F width of the features, G = 4H gates.
"""

from copy import deepcopy
from typing import NamedTuple

import torch
from torch import Tensor, nn

from seq2seq.model.config import BridgeKind
from seq2seq.model.decoder import Attended, Memory, State
from seq2seq.model.network import Network
from seq2seq.model.product import InferencePrecision, Product, make_product

CHUNK = 128
"""Rows whose logits are worked on together: few enough that they stay in the processor's cache."""


class Vocabulary(NamedTuple):
    """The target pieces a search may use."""

    embedding_VE: Tensor
    output: Product

    def log_probabilities(self, features_NF: Tensor) -> Tensor:
        """Of the next piece, (N, V). The logits exist for a few rows at a time only."""
        if features_NF.is_cuda:
            return self.output(features_NF).log_softmax(1)
        rows, pieces = features_NF.size(0), self.embedding_VE.size(0)
        log_probability_NV = features_NF.new_empty(rows, pieces)
        for first in range(0, rows, CHUNK):
            logits_CV = self.output(features_NF[first : first + CHUNK])
            torch.log_softmax(logits_CV, 1, out=log_probability_NV[first : first + CHUNK])
        return log_probability_NV

    def only(self, pieces_U: Tensor) -> "Vocabulary":
        """These pieces alone, numbered 0 … U-1."""
        return Vocabulary(self.embedding_VE.index_select(0, pieces_U), self.output.only(pieces_U))


class PreparedMemory(NamedTuple):
    """What every step may look at, one entry a sentence."""

    attended: Attended | None
    gates_BG: Tensor | None
    """What a context vector fed to every step adds to the first layer's gates."""
    readout_BF: Tensor | None
    """And to the readout."""

    def select(self, sentences_B: Tensor) -> "PreparedMemory":
        """The memory of these sentences, in this order."""
        gates, readout = (None if part is None else part.index_select(0, sentences_B) for part in self[1:])
        return PreparedMemory(self.attended and self.attended.select(sentences_B), gates, readout)


class PreparedLayer:
    """One step of one LSTM layer (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000).

    i, f, o = sigmoid, g = tanh of W [x; h] + b;  c' = f · c + i · g;  h' = o · tanh(c').
    """

    def __init__(self, lstm: nn.LSTM, input_weight_GI: Tensor, precision: InferencePrecision) -> None:
        _, hidden_weight_GH, input_bias_G, hidden_bias_G = lstm.all_weights[0]
        weight_GX = torch.cat([input_weight_GI, hidden_weight_GH], dim=1)
        bias_G = input_bias_G + hidden_bias_G
        self.product = make_product(laid_out(weight_GX), laid_out(bias_G), precision)

    def __call__(self, inputs_NI: Tensor, hidden_NH: Tensor, cell_NH: Tensor, more_NG: Tensor | None) -> State:
        """The next hidden and cell state (N, H); ``more_NG`` is added to the gates before they close."""
        gates_NG = self.product(torch.cat([inputs_NI, hidden_NH], dim=1))
        if more_NG is not None:
            gates_NG += more_NG
        input_gate, forget_gate, candidate, output_gate = gates_NG.sigmoid_().chunk(4, dim=1)
        cell = torch.addcmul(forget_gate * cell_NH, input_gate, candidate.mul_(2).sub_(1))
        return State(output_gate * tanh(cell), cell)


def tanh(inputs: Tensor) -> Tensor:
    """2 · sigmoid(2x) - 1, which is tanh: on a CPU, PyTorch's sigmoid is several times faster than its tanh."""
    return inputs.tanh() if inputs.is_cuda else inputs.mul(2).sigmoid_().mul_(2).sub_(1)


def laid_out(stacked_GX: Tensor) -> Tensor:
    """Weights of the stacked gates with the candidate's doubled, so that one sigmoid serves all four (see `tanh`)."""
    input_gate, forget_gate, candidate, output_gate = stacked_GX.chunk(4)
    return torch.cat([input_gate, forget_gate, 2 * candidate, output_gate])


class PreparedDecoder:
    """A trained decoder, ready to step. A copy: later changes of the network do not reach it."""

    @torch.no_grad()
    def __init__(
        self, network: Network, precision: InferencePrecision, encoder_dtype: torch.dtype = torch.float32
    ) -> None:
        """Lay the decoder's weights out in ``precision``; the network encodes under autocast to ``encoder_dtype``."""
        decoder = network.decoder
        self.encoder_dtype = encoder_dtype
        embedding_VE = network.target_embedding.weight.detach()
        # Integer products take inputs in [-1, 1]: the embeddings' range moves into the weights they are met by.
        bound = embedding_VE.abs().amax() if precision is InferencePrecision.int8 else 1.0
        self.vocabulary = Vocabulary(
            embedding_VE / bound, make_product(network.output.weight, network.output.bias, precision)
        )
        lstms = [layer for layer in decoder.layers if isinstance(layer, nn.LSTM)]
        inputs: list[Tensor] = [lstm.all_weights[0][0] for lstm in lstms]
        width = embedding_VE.size(1)
        fed_GD = inputs[0][:, width:]
        inputs[0] = inputs[0][:, :width] * bound
        # What a linear bridge begins with knows no bound, so it meets no integers.
        within = precision is not InferencePrecision.int8 or network.bridge.kind is not BridgeKind.linear
        recurrent = precision if within else InferencePrecision.float32
        self.layers = [PreparedLayer(*pair, recurrent) for pair in zip(lstms, inputs, strict=True)]
        self.attention = deepcopy(decoder.attention)
        self.readout: Product | None = None
        self.fed: tuple[Product, Product] | None = None
        if decoder.readout is not None:
            weight, bias = decoder.readout.weight, decoder.readout.bias
            size = lstms[-1].hidden_size
            if decoder.feed_context:
                to_readout = make_product(weight[:, size:], None, precision)
                self.fed = make_product(laid_out(fed_GD), None, precision), to_readout
                weight = weight[:, :size]
            self.readout = make_product(weight, bias, precision)

    def memory(self, memory: Memory) -> PreparedMemory:
        """What the steps need of an encoded batch."""
        dtype = self.vocabulary.embedding_VE.dtype
        if self.fed is not None:
            return PreparedMemory(None, *(product(memory.context_BD.to(dtype)) for product in self.fed))
        if memory.attended is None:
            return PreparedMemory(None, None, None)
        keys, states, padding = memory.attended
        is_padded = padding is not None and bool(padding.any())
        return PreparedMemory(Attended(keys.to(dtype), states.to(dtype), padding if is_padded else None), None, None)

    def step(
        self, tokens_N: Tensor, embedding_VE: Tensor, memory: PreparedMemory, states_ZNH: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Read one piece a row; rows n·K … n·K + K-1 belong to sentence n.

        Args:
            tokens_N: pieces, by their rows in ``embedding_VE``.
            embedding_VE: of all pieces or a part of them.
            memory: of the rows' sentences.
            states_ZNH: hidden states of the L layers, then their cell states.

        Returns:
            Features (N, F), the input of the output layer, and the next states.
        """
        inputs = embedding_VE.index_select(0, tokens_N)
        rows = tokens_N.size(0)
        more, context, states = _by_row(memory.gates_BG, rows), None, []
        for depth, layer in enumerate(self.layers):
            states.append(layer(inputs, states_ZNH[depth], states_ZNH[len(self.layers) + depth], more))
            inputs = outputs = states[-1].hidden_LNH
            more = None
            if self.attention is not None and memory.attended is not None:
                if context is None:
                    queries_BKH = outputs.view(memory.attended.keys_BSA.size(0), -1, outputs.size(1))
                    context = self.attention(queries_BKH, *memory.attended)[0].view(rows, -1)
                inputs = torch.cat([outputs, context], dim=1)
        features_NF = self._features(inputs, _by_row(memory.readout_BF, rows))
        hidden, cell = zip(*states, strict=True)
        return features_NF, torch.stack([*hidden, *cell])

    def _features(self, mixed_NX: Tensor, more_NF: Tensor | None) -> Tensor:
        if self.readout is None:
            return mixed_NX
        features_NF = self.readout(mixed_NX)
        return tanh(features_NF if more_NF is None else features_NF + more_NF)


def _by_row(part_BX: Tensor | None, rows: int) -> Tensor | None:
    return None if part_BX is None else part_BX.repeat_interleave(rows // part_BX.size(0), dim=0)
