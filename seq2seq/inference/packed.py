"""A decoder of LSTM layers on weights laid out for search: the fast way to step.

What does not change from step to step is done before: both products of an LSTM layer are one, the dropout is gone, and
a fixed context vector is multiplied once a sentence.

B sentences, K beam rows of a sentence, N = B·K rows, E embedding width, H units, D encoder width, L layers, F width of
the features, G = 4H gates.
"""

from copy import deepcopy

import torch
from torch import Tensor

from seq2seq.inference.bounds import context_bounded, outputs_bounded, start_bounded
from seq2seq.inference.product import InferencePrecision, Product, make_product
from seq2seq.inference.stepping import PreparedMemory, PreparedState
from seq2seq.model.choices import CellKind
from seq2seq.model.config import ModelConfig
from seq2seq.model.network import Network
from seq2seq.model.readout import maxout
from seq2seq.model.recurrence import Cell
from seq2seq.model.sequential import attention_waits, decoder_waits
from seq2seq.model.state import Memory


class PackedLayer:
    """One step of one LSTM layer (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000).

    i, f, o = sigmoid, g = tanh of W [x; h] + b;  c' = f · c + i · g;  h' = o · tanh(c').
    """

    def __init__(self, cell: Cell, input_weight_GI: Tensor, precision: InferencePrecision) -> None:
        _, hidden_weight_GH, input_bias_G, hidden_bias_G = cell.weights()
        weight_GX = torch.cat([input_weight_GI, hidden_weight_GH], dim=1)
        bias_G = input_bias_G + hidden_bias_G
        self.product = make_product(laid_out(weight_GX), laid_out(bias_G), precision)

    def __call__(
        self, inputs_NI: Tensor, hidden_NH: Tensor, cell_NH: Tensor, more_NG: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The next hidden and cell state (N, H); ``more_NG`` is added to the gates before they close."""
        gates_NG = self.product(torch.cat([inputs_NI, hidden_NH], dim=1))
        if more_NG is not None:
            gates_NG += more_NG
        input_gate, forget_gate, candidate, output_gate = gates_NG.sigmoid_().chunk(4, dim=1)
        cell = torch.addcmul(forget_gate * cell_NH, input_gate, candidate.mul_(2).sub_(1))
        return output_gate * tanh(cell), cell


def tanh(inputs: Tensor) -> Tensor:
    """2 · sigmoid(2x) - 1, which is tanh: on a CPU, PyTorch's sigmoid is several times faster than its tanh."""
    return inputs.mul(2).sigmoid_().mul_(2).sub_(1) if inputs.device.type == "cpu" else inputs.tanh()


def laid_out(stacked_GX: Tensor) -> Tensor:
    """Weights of the stacked gates with the candidate's doubled, so that one sigmoid serves all four (see `tanh`)."""
    input_gate, forget_gate, candidate, output_gate = stacked_GX.chunk(4)
    return torch.cat([input_gate, forget_gate, 2 * candidate, output_gate])


def can_pack(config: ModelConfig) -> bool:
    """Whether a decoder is one of LSTM layers in which no position waits for attention."""
    waits = decoder_waits(config) or attention_waits(config)
    return config.decoder.cell is CellKind.lstm and not waits


class PackedDecoder:
    """`Steps` of a decoder that `can_pack` allows."""

    def __init__(self, network: Network, precision: InferencePrecision, bound: float) -> None:
        """Lay the weights out in ``precision``; the embeddings will come divided by ``bound``.

        Integer products take inputs in [-1, 1], so where inputs know no bound they meet no integers.
        """
        config, decoder = network.config, network.decoder
        told = context_bounded(config)
        first = start_bounded(config)
        upper = first and outputs_bounded(config) and (told or not decoder.feeds_context_on)
        cells = [layer for layer in decoder.layers if isinstance(layer, Cell)]
        inputs = [cell.weights()[0] for cell in cells]
        width = config.embedding_size
        fed_GD = inputs[0][:, width:]
        inputs[0] = inputs[0][:, :width] * bound
        self.layers = [
            PackedLayer(cell, weight, reduced(precision, upper if depth else first))
            for depth, (cell, weight) in enumerate(zip(cells, inputs, strict=True))
        ]
        self.attention = deepcopy(decoder.attention)
        self.asking_layer = decoder.asking_layer
        self.feeds_context_on = decoder.feeds_context_on
        self.residual_from = decoder.residual_from
        self.sees_input = decoder.readout_sees_input
        self.takes_maximum = decoder.takes_maximum
        self.readout: Product | None = None
        self.fed: tuple[Product, Product] | None = None
        if decoder.readout is not None:
            size, end = config.decoder.size, decoder.readout.in_features - (width if self.sees_input else 0)
            state_FH, context_FD, piece_FE = decoder.readout.weight.tensor_split([size, end], dim=1)
            mixing = reduced(precision, told and outputs_bounded(config))
            if decoder.feed_context:
                to_gates = make_product(laid_out(fed_GD), None, reduced(precision, told))
                self.fed = to_gates, make_product(context_FD, None, mixing)
                context_FD = context_FD[:, :0]
            weight = torch.cat([state_FH, context_FD, piece_FE * bound], dim=1)
            self.readout = make_product(weight, decoder.readout.bias, mixing)

    def memory(self, memory: Memory) -> PreparedMemory:
        """What the steps need of an encoded batch."""
        if self.fed is None:
            return PreparedMemory(memory.attended)
        to_gates, to_readout = self.fed
        return PreparedMemory(None, None, to_gates(memory.context_BD), to_readout(memory.context_BD))

    def step(self, inputs_NE: Tensor, memory: PreparedMemory, state: PreparedState) -> tuple[Tensor, PreparedState]:
        """Read one piece a row: features (N, F) and the next state."""
        rows, states_ZNH = inputs_NE.size(0), state.states_ZNH
        more, context, hears, states = _by_row(memory.gates_BG, rows), None, None, []
        outputs = inputs_NE
        for depth, layer in enumerate(self.layers):
            inputs = outputs if hears is None else torch.cat([outputs, hears], dim=1)
            states.append(layer(inputs, states_ZNH[depth], states_ZNH[len(self.layers) + depth], more))
            outputs = outputs + states[-1][0] if depth >= self.residual_from else states[-1][0]
            more = None
            if depth == self.asking_layer and self.attention is not None and memory.attended is not None:
                queries_BKH = outputs.view(memory.attended.keys_BMSA.size(0), -1, outputs.size(1))
                context = self.attention(queries_BKH, *memory.attended)[0].reshape(rows, -1)
                hears = context if self.feeds_context_on else None
        hidden, cell = zip(*states, strict=True)
        mixed = [outputs, *([] if context is None else [context]), *([inputs_NE] if self.sees_input else [])]
        features_NF = self._features(mixed, _by_row(memory.readout_BF, rows))
        return features_NF, PreparedState(torch.stack([*hidden, *cell]), None, None)

    def _features(self, mixed: list[Tensor], more_NF: Tensor | None) -> Tensor:
        mixed_NX = mixed[0] if len(mixed) == 1 else torch.cat(mixed, dim=1)
        if self.readout is None:
            return mixed_NX
        features_NF = self.readout(mixed_NX)
        if more_NF is not None:
            features_NF = features_NF + more_NF
        return maxout(features_NF) if self.takes_maximum else tanh(features_NF)


def reduced(precision: InferencePrecision, bounded: bool) -> InferencePrecision:
    """The precision, but for integers where inputs know no bound."""
    return precision if bounded or precision is not InferencePrecision.int8 else InferencePrecision.float32


def _by_row(part_BX: Tensor | None, rows: int) -> Tensor | None:
    return None if part_BX is None else part_BX.repeat_interleave(rows // part_BX.size(0), dim=0)
