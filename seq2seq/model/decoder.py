"""The decoder: a recurrent language model of the target that starts from the context vector.

Training calls `Decoder.forward` with the whole target. Each layer runs over all positions in one fused call, and
attention is one batched product. If the output of a position is an input of the next (`Decoder.sequential`), the same
code runs position by position. Search makes its steps through `seq2seq.inference.prepared_decoder`: the same equations
on packed weights, or `Decoder.forward` with one token where weights cannot be packed.

B sentences, K beam rows of a sentence, N = B·K rows, T target positions, S source positions, E embedding width,
H units, D width of the context, L layers, F width of the features.
"""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import repeat
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from seq2seq.model.attention import Attention, AttentionMemory
from seq2seq.model.blocks import linear_of_rows
from seq2seq.model.cell import Cell, CellState, cell_of, weight_dropped
from seq2seq.model.cells import make_cell
from seq2seq.model.choices import AttentionKind, AttentionOrder, Readout
from seq2seq.model.config import ModelConfig
from seq2seq.model.dropout import SequenceDropout, apply_mask
from seq2seq.model.pointer import CopyMemory
from seq2seq.model.repeated_products import repeated_products, reused
from seq2seq.model.slow_path import sequential_decoder_settings


class Memory(NamedTuple):
    """Source tensors that the decoder reads at all positions, one entry per sentence; empty in a language model."""

    context_BD: Tensor
    """The context vector: the summary of the encoder's top layer; (B, 0) without an encoder."""
    attention: AttentionMemory | None
    """None without attention."""
    copies: CopyMemory | None = None
    """None without a copy mechanism."""

    def reused(self, times: int) -> Iterator["Memory"]:
        """The memory, once for each of several positions that are computed in order; see `reused`."""
        attention = repeat(None, times) if self.attention is None else self.attention.reused(times)
        for context_BD, own in zip(reused(self.context_BD, times), attention, strict=True):
            yield self._replace(context_BD=context_BD, attention=own)


class State(NamedTuple):
    """State that the decoder passes from one position to the next, one entry per row."""

    hidden_LNH: Tensor
    cell_LNH: Tensor | None
    """(L, N, C), where C is `Cell.state_size`; None for cells without a cell state."""
    fed_NX: Tensor | None
    """The part of the next input that comes from this position (input feeding); None without input feeding."""
    coverage_NS: Tensor | None
    """Sum of the attention weights so far; None without coverage."""


class DecoderOutput(NamedTuple):
    """Result of `Decoder.forward`."""

    features_NTF: Tensor
    """Input of the output layer."""
    state: State
    """After the last of the T positions."""
    weights_NTS: Tensor | None
    """Attention weights, averaged over heads; None without attention."""


class DropoutMasks(NamedTuple):
    """All random numbers of one call, drawn before its first position; None where nothing is dropped."""

    outputs: tuple[Tensor | None, ...]
    """For every layer's outputs, (N, T, H), or (N, 1, H) for all positions."""
    features: Tensor | None
    """For the features, likewise."""
    weights: tuple[list[Tensor], ...]
    """Every cell's weights after recurrent dropout, for step-by-step calls; a fused call draws its own."""

    def at(self, position: int) -> "DropoutMasks":
        """The masks of one position."""

        def select(mask_NTX: Tensor | None) -> Tensor | None:
            if mask_NTX is None or mask_NTX.size(1) == 1:
                return mask_NTX
            return mask_NTX[:, position : position + 1]

        return DropoutMasks(tuple(select(mask) for mask in self.outputs), select(self.features), self.weights)


class Decoder(nn.Module):
    """Recurrent layers, attention, and a readout that mixes the input of the output layer.

    `AttentionOrder` sets which state is the query of attention and which layers receive its context:

    - gnmt: the first layer's state is the query; the layers above and the readout receive the context.
    - luong: the last layer's state is the query; the readout receives the context.
    - bahdanau: the last layer's state at the previous position is the query; the first layer and the readout receive
      the context.

    With input feeding the first layer also receives the context (gnmt) or the features (luong, there called the
    attentional vector; bahdanau) of the previous position.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        decoder, size, width = config.decoder, config.decoder.size, config.encoder.width
        attends = config.attention is not AttentionKind.none
        order = config.attention_order if attends else None
        self.feature_size = config.feature_size
        self.feed_context = decoder.feed_context
        self.readout_sees_input = decoder.readout_sees_input
        self.uses_maxout = decoder.readout is Readout.maxout
        self.has_coverage = config.coverage
        self.sequential = bool(sequential_decoder_settings(config))
        self.residual_from = (decoder.residual_from or decoder.layers + 1) - 1
        self.attends_before_first_layer = order is AttentionOrder.bahdanau
        query_layers = {AttentionOrder.gnmt: 0, AttentionOrder.luong: decoder.layers - 1}
        self.query_layer = None if order is None else query_layers.get(order)
        self.upper_layers_receive_context = order is AttentionOrder.gnmt
        self.fed_size = 0
        if decoder.input_feeding:
            self.fed_size = width if self.upper_layers_receive_context else self.feature_size
        first = config.embedding_size + self.fed_size
        first += config.context_width if self.feed_context else width if self.attends_before_first_layer else 0
        upper = size + (width if self.upper_layers_receive_context else 0)
        sizes = [first] + [upper] * (decoder.layers - 1)
        self.layers = nn.ModuleList(make_cell(decoder.cell, inputs, size, config.recurrent_dropout) for inputs in sizes)
        self.attention = Attention(config) if attends else None
        self.readout = None if config.readout_sizes is None else ReadoutLayer(*config.readout_sizes)
        self.dropout = SequenceDropout(config.dropout, config.dropout_shared_over_time)

    def start(self, hidden_LBH: Tensor, cell_LBH: Tensor | None, memory: AttentionMemory | None) -> State:
        """The state before the first position, from the bridge's: zeros are fed, and coverage is zero."""
        layers = [
            cell.start(hidden_LBH[depth], None if cell_LBH is None else cell_LBH[depth])
            for depth, cell in enumerate(self.cells)
        ]
        sentences = hidden_LBH.size(1)
        fed = hidden_LBH.new_zeros(sentences, self.fed_size) if self.fed_size else None
        coverage = None
        if self.has_coverage and memory is not None:
            coverage = torch.zeros(sentences, memory.keys_BMSA.size(2), device=hidden_LBH.device)
        return State(*stacked(layers), fed, coverage)

    def forward(self, embedded_NTE: Tensor, memory: Memory, state: State) -> DecoderOutput:
        """Read T embedded tokens per row, starting from ``state``. Rows n·K … n·K + K-1 belong to sentence n."""
        inputs_NTE = self.dropout(embedded_NTE)
        masks = DropoutMasks(
            tuple(self.dropout.mask(embedded_NTE, cell.hidden_size) for cell in self.cells),
            None if self.readout is None else self.dropout.mask(embedded_NTE, self.feature_size),
            tuple(map(weight_dropped, self.cells)) if self.sequential else (),
        )
        in_order = self.sequential or self.has_coverage
        with repeated_products(inputs_NTE.device) if in_order else nullcontext():
            if not self.sequential:
                return self._read(inputs_NTE, memory, state, masks)
            features, weights = [], []
            steps = zip(inputs_NTE.split(1, dim=1), memory.reused(inputs_NTE.size(1)), strict=True)
            for position, (inputs_N1E, own) in enumerate(steps):
                output = self._read(inputs_N1E, own, state, masks.at(position))
                state = output.state
                features.append(output.features_NTF)
                if output.weights_NTS is not None:
                    weights.append(output.weights_NTS)
        return DecoderOutput(torch.cat(features, 1), state, torch.cat(weights, 1) if weights else None)

    def initial_features(self, embedded_N1E: Tensor, memory: Memory, state: State) -> Tensor:
        """Compute the features (N, F) from the top layer's initial state, as if its output gate were open.

        For decoders without attention.

        Args:
            embedded_N1E: the embedded first token of each row, which a readout may see.
            memory: as in `forward`.
            state: the initial state.
        """
        top = CellState(state.hidden_LNH[-1], None if state.cell_LNH is None else state.cell_LNH[-1])
        shown_NH = self.cells[-1].shown(top)
        constant_ND = self._constant(memory, len(shown_NH))
        return self._features(shown_NH.unsqueeze(1), None, embedded_N1E, constant_ND, None).squeeze(1)

    @property
    def cells(self) -> list[Cell]:
        """The layers, lowest first."""
        return [layer for layer in self.layers if isinstance(layer, Cell)]

    def _read(self, inputs_NTE: Tensor, memory: Memory, state: State, masks: DropoutMasks) -> DecoderOutput:
        """Read T tokens; positions depend on each other only through the recurrence and the coverage."""
        context_NTD, weights_NTS, coverage_NS = None, None, state.coverage_NS
        if self.attends_before_first_layer:
            query_N1H = state.hidden_LNH[-1].unsqueeze(1)
            context_NTD, weights_NTS, coverage_NS = self._attend(query_N1H, memory, coverage_NS)
        fed_N1X = None if state.fed_NX is None else state.fed_NX.unsqueeze(1)
        outputs_NTX, extra_NTD = concatenated(inputs_NTE, context_NTD, fed_N1X), None
        constant_ND = self._constant(memory, len(inputs_NTE))
        after = []
        for depth, cell in enumerate(self.cells):
            before = CellState(state.hidden_LNH[depth], None if state.cell_LNH is None else state.cell_LNH[depth])
            layer_inputs = concatenated(outputs_NTX, extra_NTD)
            if masks.weights:  # one position, with weights that all positions share
                cell_state, _ = cell.step(layer_inputs.squeeze(1), before, masks.weights[depth])
                states_NTH = cell_state.hidden_NH.unsqueeze(1)
            else:
                states_NTH, cell_state = cell.run(layer_inputs, before, constant_NX=None if depth else constant_ND)
            after.append(cell_state)
            states_NTH = apply_mask(states_NTH, masks.outputs[depth])
            outputs_NTX = outputs_NTX + states_NTH if depth >= self.residual_from else states_NTH
            if depth == self.query_layer:
                context_NTD, weights_NTS, coverage_NS = self._attend(outputs_NTX, memory, coverage_NS)
                extra_NTD = context_NTD if self.upper_layers_receive_context else None
        features_NTF = self._features(outputs_NTX, context_NTD, inputs_NTE, constant_ND, masks.features)
        fed_NTX = context_NTD if self.upper_layers_receive_context else features_NTF
        fed_NX = fed_NTX[:, -1] if self.fed_size and fed_NTX is not None else None
        state = State(*stacked(after), fed_NX, coverage_NS)
        return DecoderOutput(features_NTF, state, weights_NTS)

    def _attend(
        self, queries_NTH: Tensor, memory: Memory, coverage_NS: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        assert self.attention is not None, "there is a query layer only with attention"
        assert memory.attention is not None, "encoded without attention"
        return self.attention.attend(queries_NTH, memory.attention, coverage_NS)

    def _constant(self, memory: Memory, rows: int) -> Tensor | None:
        """Every row's context vector if it is an input of all positions; it is multiplied only once."""
        if not self.feed_context:
            return None
        return memory.context_BD.repeat_interleave(rows // memory.context_BD.size(0), 0)

    def _features(
        self,
        outputs_NTH: Tensor,
        context_NTD: Tensor | None,
        inputs_NTE: Tensor,
        constant_ND: Tensor | None,
        mask: Tensor | None,
    ) -> Tensor:
        mixed = concatenated(outputs_NTH, context_NTD, inputs_NTE if self.readout_sees_input else None)
        if self.readout is None:
            return mixed
        mixed = self.readout(mixed, constant_ND, outputs_NTH.size(2))
        return apply_mask(maxout(mixed) if self.uses_maxout else mixed.tanh(), mask)


class ReadoutLayer(nn.Linear):
    """The linear map of the readout: W [state; context; embedding of the input token] + b."""

    def forward(self, inputs_NTX: Tensor, context_ND: Tensor | None = None, units: int = 0) -> Tensor:
        """Map the vectors of every position.

        Args:
            inputs_NTX: the vectors, concatenated in the order of `ModelConfig.readout_sizes`.
            context_ND: a context that is the same at every position, and not part of the inputs: multiplied once.
            units: width H of the state, after which the context would stand.
        """
        if context_ND is None:
            one_position = inputs_NTX.size(1) == 1  # perhaps of a loop, where `repeated_products` sums the gradients
            return (linear if one_position else linear_of_rows)(inputs_NTX, self.weight, self.bias)
        sizes = [units, context_ND.size(1), inputs_NTX.size(2) - units]
        W_state, W_context, W_input = torch.split_with_sizes(self.weight, sizes, dim=1)
        weight = torch.cat([W_state, W_input], dim=1)
        return linear(inputs_NTX, weight) + linear(context_ND, W_context, self.bias).unsqueeze(1)


def stacked(layers: Sequence[CellState]) -> tuple[Tensor, Tensor | None]:
    """The hidden and cell states of all layers, lowest first; None for cells without a cell state."""
    hidden_LNH = torch.stack([state.hidden_NH for state in layers])
    return hidden_LNH, None if layers[0].cell_NH is None else torch.stack([cell_of(state) for state in layers])


def maxout(mixed: Tensor) -> Tensor:
    """The larger of every two neighbours (..., 2F) -> (..., F) (Goodfellow et al. 2013; Cho et al. 2014, app. A)."""
    return mixed.view(*mixed.shape[:-1], -1, 2).amax(-1)


def concatenated(*parts: Tensor | None) -> Tensor:
    """Concatenate the vectors that are not None."""
    present = [part for part in parts if part is not None]
    return present[0] if len(present) == 1 else torch.cat(present, dim=-1)
