"""The decoder as search runs it: one token per row and step, with weights packed for that.

`PreparedDecoder` computes what `Decoder.forward` computes for one position. A decoder of LSTM layers, or of those in
`seq2seq.model.cells`, without sequential attention runs on packed weights (`PackedDecoder`): all products of a layer
are one, there is no dropout, and a fixed context vector is multiplied once per sentence. Other decoders run their own
code (`PlainDecoder`).

B sentences, K beam rows of a sentence, N = B·K rows, S source positions, E embedding width, D width of the context,
H units, C width of a cell state, L layers, F width of the features, G gates (an LSTM: 4H), V vocabulary size, U tokens
of a shortlist.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.inference.config import InferencePrecision
from seq2seq.inference.products import (
    Product,
    allowed_precision,
    context_bounded,
    features_bounded,
    make_output_product,
    make_product,
    outputs_bounded,
    start_bounded,
    states_bounded,
)
from seq2seq.model.attention import AttentionMemory
from seq2seq.model.cell import LSTM, Cell, CellState
from seq2seq.model.cells.stacked import StackedCell
from seq2seq.model.config import ModelConfig
from seq2seq.model.decoder import Memory, State, concatenated, maxout
from seq2seq.model.logits import chunks
from seq2seq.model.network import Network
from seq2seq.model.pointer import CopyMemory
from seq2seq.model.slow_path import sequential_attention_settings, sequential_decoder_settings


class PreparedMemory(NamedTuple):
    """Source tensors that every step reads, one entry per sentence; None if unused."""

    attention: AttentionMemory | None
    context_BD: Tensor | None = None
    """The context vector, for `PlainDecoder`."""
    gates_BG: Tensor | None = None
    """For `PackedDecoder`: the product of the context vector and the first layer's weights,"""
    readout_BF: Tensor | None = None
    """and that with the readout's weights."""
    masked_BV: Tensor | None = None
    """True for tokens that a sentence must not use."""
    copies: CopyMemory | None = None
    """None without a copy mechanism."""

    def select(self, sentences_B: Tensor) -> "PreparedMemory":
        """The memory of these sentences, in this order."""

        def selected(part: Tensor | None) -> Tensor | None:
            return None if part is None else part.index_select(0, sentences_B)

        return PreparedMemory(
            self.attention and self.attention.select(sentences_B),
            selected(self.context_BD),
            selected(self.gates_BG),
            selected(self.readout_BF),
            selected(self.masked_BV),
            self.copies and self.copies.select(sentences_B),
        )


class PreparedState(NamedTuple):
    """A `State` in as few tensors as possible, because search reorders all of them in every step."""

    states_ZNH: Tensor
    """Hidden states of all layers, then their cell states, if these are as wide."""
    fed_NX: Tensor | None
    coverage_NS: Tensor | None
    wide_LNC: Tensor | None = None
    """Cell states of another width."""

    @classmethod
    def of(cls, state: State) -> "PreparedState":
        """Pack a state."""
        hidden, cell, fed, coverage = state
        if cell is not None and cell.size(2) != hidden.size(2):
            return cls(hidden, fed, coverage, cell)
        return cls(hidden if cell is None else torch.cat([hidden, cell]), fed, coverage)

    @classmethod
    def of_layers(cls, layers: Sequence[CellState]) -> "PreparedState":
        """Pack the states of all layers, if nothing else is passed on."""
        hidden = [state.hidden_NH for state in layers]
        cells = [state.cell_NH for state in layers if state.cell_NH is not None]
        if cells and cells[0].size(1) != hidden[0].size(1):
            return cls(torch.stack(hidden), None, None, torch.stack(cells))
        return cls(torch.stack([*hidden, *cells]), None, None)

    def unpacked(self, layers: int) -> State:
        """The inverse of `of`, for this many layers."""
        hidden, cell = self.states_ZNH.tensor_split([layers])
        return State(hidden, cell if len(cell) else self.wide_LNC, self.fed_NX, self.coverage_NS)

    def select(self, rows_N: Tensor) -> "PreparedState":
        """The state of these rows, in this order."""
        fed, coverage = (None if part is None else part.index_select(0, rows_N) for part in self[1:3])
        wide = None if self.wide_LNC is None else self.wide_LNC.index_select(1, rows_N)
        return PreparedState(self.states_ZNH.index_select(1, rows_N), fed, coverage, wide)

    def repeated(self, times: int, dtype: torch.dtype) -> "PreparedState":
        """Repeat every row, and convert to ``dtype``; coverage keeps its type."""
        states_ZNH = self.states_ZNH.to(dtype).repeat_interleave(times, dim=1)
        fed = None if self.fed_NX is None else self.fed_NX.to(dtype).repeat_interleave(times, dim=0)
        coverage = None if self.coverage_NS is None else self.coverage_NS.repeat_interleave(times, dim=0)
        wide = None if self.wide_LNC is None else self.wide_LNC.to(dtype).repeat_interleave(times, dim=1)
        return PreparedState(states_ZNH, fed, coverage, wide)


class Vocabulary(NamedTuple):
    """The target tokens of a search: their embeddings, and the output layer's product."""

    embedding_VE: Tensor
    output: Product

    def log_probabilities(self, features_NF: Tensor) -> Tensor:
        """Log-probabilities (N, V) of the next token. On a CPU, logits are computed for a few rows at a time."""
        if features_NF.device.type != "cpu":
            return self.output(features_NF).log_softmax(1)
        log_probability_NV = features_NF.new_empty(features_NF.size(0), self.embedding_VE.size(0))
        for features_CF, result_CV in zip(chunks(features_NF), chunks(log_probability_NV), strict=True):
            torch.log_softmax(self.output(features_CF), 1, out=result_CV)
        return log_probability_NV

    def select(self, tokens_U: Tensor) -> "Vocabulary":
        """A vocabulary of these tokens only, numbered 0 … U-1."""
        return Vocabulary(self.embedding_VE.index_select(0, tokens_U), self.output.select(tokens_U))


class PreparedDecoder:
    """A trained decoder prepared for search. It copies the weights: later changes of the network have no effect."""

    @torch.no_grad()
    def __init__(
        self, network: Network, precision: InferencePrecision, encoder_dtype: torch.dtype = torch.float32
    ) -> None:
        """Pack the decoder's weights.

        Args:
            network: whose decoder it is.
            precision: of the packed weights; unbounded vectors are never multiplied in integers. Decoders that cannot
                be packed keep the precision of their weights, except in the output layer.
            encoder_dtype: type to which the network's encoder is cast by autocast.
        """
        self.encoder_dtype = encoder_dtype
        packed = can_pack(network.config)
        embedding_VE = network.target_embedding.weight.detach()
        # Integer products take inputs in [-1, 1]: embeddings are divided by their largest value, and the weights that
        # they are multiplied by take it over. An embedding of zeros can be divided by anything except 0.
        scaled = packed and precision is InferencePrecision.int8
        scale = (float(embedding_VE.abs().amax()) if scaled else 1.0) or 1.0
        output_precision = allowed_precision(precision, features_bounded(network.config))
        output = make_output_product(network.output.weight, network.output.bias, output_precision)
        self.vocabulary = Vocabulary(embedding_VE / scale, output)
        self.steps = PackedDecoder(network, precision, scale) if packed else PlainDecoder(network)
        self.pointer = deepcopy(network.pointer)

    def memory(self, memory: Memory) -> PreparedMemory:
        """Convert the memory of an encoded batch."""
        dtype, attention = self.vocabulary.embedding_VE.dtype, memory.attention
        if attention is not None:
            keys, values, padding = attention
            if padding is not None and padding.device.type == "cpu" and not padding.any():
                padding = None  # on a GPU, masking costs less than reading a value
            attention = AttentionMemory(keys.to(dtype), values.to(dtype), padding)
        prepared = self.steps.memory(Memory(memory.context_BD.to(dtype), attention))
        return prepared._replace(copies=memory.copies)

    def start(self, state: State, beam_size: int) -> PreparedState:
        """The initial state, with ``beam_size`` rows per sentence."""
        return PreparedState.of(state).repeated(beam_size, self.vocabulary.embedding_VE.dtype)

    def step(
        self, tokens_N: Tensor, embedding_VE: Tensor, memory: PreparedMemory, state: PreparedState
    ) -> tuple[Tensor, PreparedState, Tensor | None]:
        """Read one token per row. Rows n·K … n·K + K-1 belong to sentence n.

        Args:
            tokens_N: rows of ``embedding_VE``.
            embedding_VE: from a `Vocabulary`.
            memory: of the rows' sentences.
            state: of the rows.

        Returns:
            Features (N, F), the input of the output layer; the next state; attention weights (N, S), None without
            attention.
        """
        return self.steps.step(embedding_VE.index_select(0, tokens_N), memory, state)

    def copied(
        self, log_probability_NV: Tensor, features_NF: Tensor, weights_NS: Tensor | None, memory: PreparedMemory
    ) -> Tensor:
        """Mix what is copied into log-probabilities of the vocabulary; without a copy mechanism, return them.

        Args:
            log_probability_NV: computed from the features; they are changed in place.
            features_NF: from `step`.
            weights_NS: from `step`.
            memory: of the rows' sentences.
        """
        if self.pointer is None or memory.copies is None or weights_NS is None:
            return log_probability_NV
        rows_N = torch.arange(features_NF.size(0), device=features_NF.device)
        copied = memory.copies.at(weights_NS.unsqueeze(1), rows_N)
        return self.pointer.mix(log_probability_NV, features_NF, copied)


class PlainDecoder:
    """Steps of any decoder, by the code that trains it; products have the precision of its weights."""

    def __init__(self, network: Network) -> None:
        self.decoder = deepcopy(network.decoder).eval()
        self.layers = network.config.decoder.layers

    def memory(self, memory: Memory) -> PreparedMemory:
        """Same as `PreparedDecoder.memory`."""
        return PreparedMemory(memory.attention, memory.context_BD)

    def step(
        self, inputs_NE: Tensor, memory: PreparedMemory, state: PreparedState
    ) -> tuple[Tensor, PreparedState, Tensor | None]:
        """Read one embedded token per row; returns as `PreparedDecoder.step`."""
        context_BD = inputs_NE[:0] if memory.context_BD is None else memory.context_BD
        decoder_memory = Memory(context_BD, memory.attention)
        decoded = self.decoder(inputs_NE.unsqueeze(1), decoder_memory, state.unpacked(self.layers))
        weights_NS = None if decoded.weights_NTS is None else decoded.weights_NTS.squeeze(1)
        return decoded.features_NTF.squeeze(1), PreparedState.of(decoded.state), weights_NS


def can_pack(config: ModelConfig) -> bool:
    """Whether `PackedDecoder` can run a decoder: one of its cells, and no input depends on the previous output."""
    sequential = sequential_decoder_settings(config) or sequential_attention_settings(config)
    return config.decoder.cell.traits.packed and not sequential


class PackedLayer:
    """One step of one LSTM layer with both weight matrices in one product.

    i, f, o = sigmoid, g = tanh of W [x; h] + b;  c' = f · c + i · g;  h' = o · tanh(c').
    """

    def __init__(self, cell: LSTM, input_weight_GI: Tensor, precision: InferencePrecision) -> None:
        _, hidden_weight_GH, input_bias_G, hidden_bias_G = cell.weights()
        weight_GX = torch.cat([input_weight_GI, hidden_weight_GH], dim=1)
        bias_G = input_bias_G + hidden_bias_G
        self.product = make_product(double_candidate(weight_GX), double_candidate(bias_G), precision)

    def __call__(
        self, inputs_NI: Tensor, hidden_NH: Tensor, cell_NH: Tensor | None, constant_NG: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The next hidden and cell state (N, H); ``constant_NG`` is added to the gates before their nonlinearities."""
        assert cell_NH is not None, "an LSTM needs a cell state"
        gates_NG = self.product(torch.cat([inputs_NI, hidden_NH], dim=1))
        if constant_NG is not None:
            gates_NG += constant_NG
        input_gate, forget_gate, candidate, output_gate = gates_NG.sigmoid_().chunk(4, dim=1)
        cell = torch.addcmul(forget_gate * cell_NH, input_gate, candidate.mul_(2).sub_(1))
        return output_gate * tanh(cell), cell


class PackedStackedLayer:
    """One step of one layer of a `StackedCell`: its product, packed, and its own `advance`."""

    def __init__(self, cell: StackedCell, input_weight_GI: Tensor, precision: InferencePrecision) -> None:
        self.cell = deepcopy(cell).eval()
        weight_GX = input_weight_GI
        if cell.has_recurrent_weights:
            weight_GX = torch.cat([input_weight_GI, cell.weights()[1]], dim=1)
        self.product = make_product(weight_GX, cell.bias, precision)

    def __call__(
        self, inputs_NI: Tensor, hidden_NH: Tensor, cell_NC: Tensor | None, constant_NG: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """As `PackedLayer`; the cell state is None for cells without one."""
        if self.cell.has_recurrent_weights:
            inputs_NI = torch.cat([inputs_NI, hidden_NH], dim=1)
        sums_NG = self.product(inputs_NI)
        if constant_NG is not None:
            sums_NG += constant_NG
        return self.cell.advance(sums_NG, CellState(hidden_NH, cell_NC))[0]


def packed_layer(
    cell: Cell, input_weight_GI: Tensor, precision: InferencePrecision
) -> PackedLayer | PackedStackedLayer:
    """Pack a layer of a cell for which `can_pack` is True, with these weights of its inputs."""
    if isinstance(cell, StackedCell):
        return PackedStackedLayer(cell, input_weight_GI, precision)
    assert isinstance(cell, LSTM)
    return PackedLayer(cell, input_weight_GI, precision)


def tanh(inputs: Tensor) -> Tensor:
    """tanh as 2 · sigmoid(2x) - 1 on a CPU, where PyTorch's sigmoid is several times faster than its tanh."""
    return inputs.mul(2).sigmoid_().mul_(2).sub_(1) if inputs.device.type == "cpu" else inputs.tanh()


def double_candidate(stacked_GX: Tensor) -> Tensor:
    """Double the candidate's weights among those of all gates, so that one sigmoid serves all four (see `tanh`)."""
    input_gate, forget_gate, candidate, output_gate = stacked_GX.chunk(4)
    return torch.cat([input_gate, forget_gate, 2 * candidate, output_gate])


class PackedDecoder:
    """Steps of a decoder for which `can_pack` is True, on packed weights."""

    def __init__(self, network: Network, precision: InferencePrecision, scale: float) -> None:
        """Pack the weights in ``precision``, for embeddings that are divided by ``scale``."""
        config, decoder = network.config, network.decoder
        context = context_bounded(config)
        recurrent = config.decoder.cell.traits.has_recurrent_weights
        first = not recurrent or (start_bounded(config) and states_bounded(config))
        upper = first and outputs_bounded(config) and (context or not decoder.upper_layers_receive_context)
        cells = decoder.cells
        inputs = [
            cell.input_weight(cell.weights()) if isinstance(cell, StackedCell) else cell.weights()[0] for cell in cells
        ]
        width = config.embedding_size
        context_GD = inputs[0][:, width:]
        inputs[0] = inputs[0][:, :width] * scale
        self.layers = [
            packed_layer(cell, weight, allowed_precision(precision, upper if depth else first))
            for depth, (cell, weight) in enumerate(zip(cells, inputs, strict=True))
        ]
        self.attention = deepcopy(decoder.attention)
        self.query_layer = decoder.query_layer
        self.upper_layers_receive_context = decoder.upper_layers_receive_context
        self.residual_from = decoder.residual_from
        self.readout_sees_input = decoder.readout_sees_input
        self.uses_maxout = decoder.uses_maxout
        self.readout: Product | None = None
        self.context_products: tuple[Product, Product] | None = None
        if decoder.readout is not None:
            size, end = config.decoder.size, decoder.readout.in_features - (width if self.readout_sees_input else 0)
            state_FH, context_FD, input_FE = decoder.readout.weight.tensor_split([size, end], dim=1)
            mixing = allowed_precision(precision, context and outputs_bounded(config))
            if decoder.feed_context:
                doubled_GD = double_candidate(context_GD) if isinstance(cells[0], LSTM) else context_GD
                to_gates = make_product(doubled_GD, None, allowed_precision(precision, context))
                self.context_products = to_gates, make_product(context_FD, None, mixing)
                context_FD = context_FD[:, :0]
            weight = torch.cat([state_FH, context_FD, input_FE * scale], dim=1)
            self.readout = make_product(weight, decoder.readout.bias, mixing)

    def memory(self, memory: Memory) -> PreparedMemory:
        """Same as `PreparedDecoder.memory`."""
        if self.context_products is None:
            return PreparedMemory(memory.attention)
        to_gates, to_readout = self.context_products
        return PreparedMemory(None, gates_BG=to_gates(memory.context_BD), readout_BF=to_readout(memory.context_BD))

    def step(
        self, inputs_NE: Tensor, memory: PreparedMemory, state: PreparedState
    ) -> tuple[Tensor, PreparedState, Tensor | None]:
        """Read one embedded token per row; returns as `PreparedDecoder.step`."""
        rows, before, layers = inputs_NE.size(0), state.unpacked(len(self.layers)), list[CellState]()
        constant_NG, context_ND, extra_ND, weights_NS = _repeated(memory.gates_BG, rows), None, None, None
        outputs_NX = inputs_NE
        for depth, layer in enumerate(self.layers):
            inputs_NX, hidden_NH = concatenated(outputs_NX, extra_ND), before.hidden_LNH[depth]
            cell_NC = None if before.cell_LNH is None else before.cell_LNH[depth]
            layers.append(CellState(*layer(inputs_NX, hidden_NH, cell_NC, None if depth else constant_NG)))
            hidden_NH = layers[-1].hidden_NH
            outputs_NX = outputs_NX + hidden_NH if depth >= self.residual_from else hidden_NH
            if depth == self.query_layer and self.attention is not None and memory.attention is not None:
                queries_BKH = outputs_NX.view(memory.attention.keys_BMSA.size(0), -1, outputs_NX.size(1))
                context_BKD, weights_BKS = self.attention(queries_BKH, *memory.attention)
                context_ND, weights_NS = context_BKD.reshape(rows, -1), weights_BKS.reshape(rows, -1)
                extra_ND = context_ND if self.upper_layers_receive_context else None
        mixed_NX = concatenated(outputs_NX, context_ND, inputs_NE if self.readout_sees_input else None)
        features_NF = self._features(mixed_NX, _repeated(memory.readout_BF, rows))
        return features_NF, PreparedState.of_layers(layers), weights_NS

    def _features(self, mixed_NX: Tensor, constant_NF: Tensor | None) -> Tensor:
        if self.readout is None:
            return mixed_NX
        features_NF = self.readout(mixed_NX)
        if constant_NF is not None:
            features_NF = features_NF + constant_NF
        return maxout(features_NF) if self.uses_maxout else tanh(features_NF)


def _repeated(part_BX: Tensor | None, rows: int) -> Tensor | None:
    """One row per beam row."""
    return None if part_BX is None else part_BX.repeat_interleave(rows // part_BX.size(0), dim=0)
