"""The decoder as search runs it: one piece at a time, on weights laid out for that.

It computes what `Decoder.forward` computes for one position. What does not change from step to step is done before:
both products of an LSTM layer are one, the dropout is gone, and a fixed context vector is multiplied once a sentence.

B sentences, K beam rows of a sentence, N = B·K rows, V vocabulary, E embedding width, H units, D encoder width,
L layers, F width of the features, G = 4H gates.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from seq2seq.model.decoder import Attended, Memory, State, attend
from seq2seq.model.network import Network
from seq2seq.model.product import InferencePrecision, Product, make_product


class Vocabulary(NamedTuple):
    """The target pieces a search may use."""

    embedding_VE: Tensor
    output: Product

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
        _, hidden_weight_GH, *biases = lstm.all_weights[0]
        weight_GX = torch.cat([input_weight_GI, hidden_weight_GH], dim=1)
        self.product = make_product(sigmoids_first(weight_GX), sigmoids_first(sum(biases)), precision)

    def __call__(self, inputs_NI: Tensor, hidden_NH: Tensor, cell_NH: Tensor, more_NG: Tensor | None) -> State:
        """The next hidden and cell state (N, H); ``more_NG`` is added to the gates before they close."""
        gates_NG = self.product(torch.cat([inputs_NI, hidden_NH], dim=1))
        if more_NG is not None:
            gates_NG += more_NG
        size = cell_NH.size(1)
        input_gate, forget_gate, output_gate = gates_NG[:, : 3 * size].sigmoid_().split(size, dim=1)
        candidate = tanh(gates_NG[:, 3 * size :])
        cell = torch.addcmul(forget_gate * cell_NH, input_gate, candidate)
        return State(output_gate * tanh(cell), cell)


def tanh(inputs: Tensor) -> Tensor:
    """2 · sigmoid(2x) - 1, which is tanh: on a CPU, PyTorch's sigmoid is several times faster than its tanh."""
    return inputs.tanh() if inputs.is_cuda else inputs.mul(2).sigmoid_().mul_(2).sub_(1)


def sigmoids_first(stacked_GX: Tensor) -> Tensor:
    """Gates in the order input, forget, output, candidate; PyTorch stacks the candidate before the output gate."""
    return torch.cat([stacked_GX.chunk(4)[place] for place in (0, 1, 3, 2)])


class PreparedDecoder:
    """A trained decoder, ready to step. A copy: later changes of the network do not reach it."""

    @torch.no_grad()
    def __init__(self, network: Network, precision: InferencePrecision) -> None:
        decoder = network.decoder
        embedding_VE = network.target_embedding.weight.detach()
        # Integer products take inputs in [-1, 1]: the embeddings' range moves into the weights they are met by.
        bound = embedding_VE.abs().amax() if precision is InferencePrecision.int8 else 1.0
        self.vocabulary = Vocabulary(
            embedding_VE / bound, make_product(network.output.weight, network.output.bias, precision)
        )
        inputs = [layer.all_weights[0][0] for layer in decoder.layers]
        width = embedding_VE.size(1)
        fed_GD = inputs[0][:, width:]
        inputs[0] = inputs[0][:, :width] * bound
        self.layers = [PreparedLayer(*pair, precision) for pair in zip(decoder.layers, inputs, strict=True)]
        self.attention = decoder.attention
        self.readout: Product | None = None
        self.fed: tuple[Product, Product] | None = None
        if decoder.readout is not None:
            weight, bias = decoder.readout.weight, decoder.readout.bias
            size = decoder.layers[-1].hidden_size
            if decoder.feed_context:
                to_readout = make_product(weight[:, size:], None, precision)
                self.fed = make_product(sigmoids_first(fed_GD), None, precision), to_readout
                weight = weight[:, :size]
            self.readout = make_product(weight, bias, precision)

    def memory(self, memory: Memory) -> PreparedMemory:
        """What the steps need of an encoded batch."""
        if self.fed is None:
            return PreparedMemory(memory.attended, None, None)
        return PreparedMemory(None, *(product(memory.context_BD) for product in self.fed))

    def step(
        self, tokens_N: Tensor, vocabulary: Vocabulary, memory: PreparedMemory, states_ZNH: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Read one piece a row; rows n·K … n·K + K-1 belong to sentence n.

        Args:
            tokens_N: numbers of pieces in ``vocabulary``.
            vocabulary: all pieces or a part of them.
            memory: of the rows' sentences.
            states_ZNH: hidden states of the L layers, then their cell states.

        Returns:
            Logits (N, V) of the next piece, and the next states.
        """
        inputs = vocabulary.embedding_VE.index_select(0, tokens_N)
        more, context, states = _by_row(memory.gates_BG, len(tokens_N)), None, []
        for depth, layer in enumerate(self.layers):
            states.append(layer(inputs, states_ZNH[depth], states_ZNH[len(self.layers) + depth], more))
            inputs = outputs = states[-1].hidden_LNH
            more = None
            if self.attention is not None and memory.attended is not None:
                if context is None:
                    context = attend(self.attention, outputs.unsqueeze(1), memory.attended)[0].squeeze(1)
                inputs = torch.cat([outputs, context], dim=1)
        logits_NV = vocabulary.output(self._features(inputs, _by_row(memory.readout_BF, len(tokens_N))))
        hidden, cell = zip(*states, strict=True)
        return logits_NV, torch.stack([*hidden, *cell])

    def _features(self, mixed_NX: Tensor, more_NF: Tensor | None) -> Tensor:
        if self.readout is None:
            return mixed_NX
        features_NF = self.readout(mixed_NX)
        return tanh(features_NF if more_NF is None else features_NF + more_NF)


def _by_row(part_BX: Tensor | None, rows: int) -> Tensor | None:
    return None if part_BX is None else part_BX.repeat_interleave(rows // len(part_BX), dim=0)
