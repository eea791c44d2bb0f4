"""The decoder: a recurrent language model of the target that starts from the context vector.

One path serves training and search: `Decoder.forward` takes T pieces at once, all of them under teacher forcing, one
in a search step. A layer runs over the whole target in one fused call and attention is one batched product, unless a
position needs what the one before found (`Decoder.sequential`): then the same code takes one position at a time.

B sentences, K beam rows of a sentence, N = B·K rows, T target positions, S source positions, E embedding width,
H units, D encoder width, L layers, F width of the features.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from seq2seq.model.attention import Attention
from seq2seq.model.cell import make_cell
from seq2seq.model.choices import AttentionKind, AttentionOrder, Readout
from seq2seq.model.config import ModelConfig
from seq2seq.model.dropout import SequenceDropout, masked
from seq2seq.model.readout import ReadoutMap, feature_size, maxout, readout_sizes
from seq2seq.model.recurrence import Cell, CellState, cell_of, thinned
from seq2seq.model.sequential import decoder_waits
from seq2seq.model.state import Attended, Decoded, Found, Memory, State, attend


class Drawn(NamedTuple):
    """What chance decides in one call, drawn before its first position is read; None where nothing is dropped."""

    outputs: tuple[Tensor | None, ...]
    """Mask of every layer's outputs, (N, T, H) or (N, 1, H) for all positions."""
    features: Tensor | None
    """Of the features, likewise."""
    weights: tuple[list[Tensor], ...]
    """Every cell's, thinned by recurrent dropout, where positions are taken one by one; a fused call draws its own."""

    def at(self, position: int) -> "Drawn":
        """For one position."""

        def one(mask_NTX: Tensor | None) -> Tensor | None:
            if mask_NTX is None or mask_NTX.size(1) == 1:
                return mask_NTX
            return mask_NTX[:, position : position + 1]

        return Drawn(tuple(one(mask) for mask in self.outputs), one(self.features), self.weights)


class Decoder(nn.Module):
    """Embedding (given), recurrent layers, attention, and a readout that mixes what the output layer sees.

    Who asks and who hears (`AttentionOrder`): the first layer asks, the layers above and the readout hear (gnmt); the
    last layer asks, the readout hears (luong); the last layer's state of the position before asks, the first layer
    and the readout hear (bahdanau). With input feeding the first layer also hears what came of the position before:
    its context (gnmt) or its features (luong, there called the attentional vector; bahdanau).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        decoder, size, width = config.decoder, config.decoder.size, config.encoder.width
        attends = config.attention is not AttentionKind.none
        order = config.attention_order if attends else None
        self.feature_size = feature_size(config)
        self.feed_context = decoder.feed_context
        self.readout_sees_input = decoder.readout_sees_input
        self.takes_maximum = decoder.readout is Readout.maxout
        self.asks_first = order is AttentionOrder.bahdanau
        asking_layers = {AttentionOrder.gnmt: 0, AttentionOrder.luong: decoder.layers - 1}
        self.asking_layer = None if order is None else asking_layers.get(order)
        self.feeds_context_on = order is AttentionOrder.gnmt
        self.sequential = bool(decoder_waits(config))
        self.covers = config.coverage
        self.residual_from = (decoder.residual_from or decoder.layers + 1) - 1
        self.fed_size = (width if self.feeds_context_on else self.feature_size) if decoder.input_feeding else 0
        first = config.embedding_size + self.fed_size
        first += config.context_width if self.feed_context else width if self.asks_first else 0
        upper = size + (width if self.feeds_context_on else 0)
        sizes = [first] + [upper] * (decoder.layers - 1)
        self.layers = nn.ModuleList(make_cell(decoder.cell, inputs, size, config.recurrent_dropout) for inputs in sizes)
        self.attention = Attention(config) if attends else None
        readout = readout_sizes(config)
        self.readout = None if readout is None else ReadoutMap(*readout)
        self.dropout = SequenceDropout(config.dropout, config.dropout_shared_over_time)

    def start(self, hidden_LBH: Tensor, cell_LBH: Tensor | None, attended: Attended | None) -> State:
        """The state before the first position: nothing has been fed, no source position has had attention."""
        sentences = hidden_LBH.size(1)
        fed = hidden_LBH.new_zeros(sentences, self.fed_size) if self.fed_size else None
        coverage = None
        if self.covers and attended is not None:
            coverage = torch.zeros(sentences, attended.keys_BMSA.size(2), device=hidden_LBH.device)
        return State(hidden_LBH, cell_LBH, fed, coverage)

    def forward(self, embedded_NTE: Tensor, memory: Memory, state: State) -> Decoded:
        """Read T embedded pieces a row from ``state`` on. Rows n·K … n·K + K-1 belong to sentence n."""
        inputs_NTE = self.dropout(embedded_NTE)
        drawn = self._draw(embedded_NTE)
        if not self.sequential:
            return self._read(inputs_NTE, memory, state, drawn)
        features, weights = [], []
        for position, inputs_N1E in enumerate(inputs_NTE.split(1, dim=1)):
            read = self._read(inputs_N1E, memory, state, drawn.at(position))
            state = read.state
            features.append(read.features_NTF)
            weights.append(read.weights_NTS)
        found = [weights_N1S for weights_N1S in weights if weights_N1S is not None]
        return Decoded(torch.cat(features, 1), state, torch.cat(found, 1) if found else None)

    @property
    def cells(self) -> list[Cell]:
        """The layers, lowest first."""
        return [layer for layer in self.layers if isinstance(layer, Cell)]

    def _draw(self, embedded_NTE: Tensor) -> Drawn:
        outputs = tuple(self.dropout.mask(embedded_NTE, cell.hidden_size) for cell in self.cells)
        features = None if self.readout is None else self.dropout.mask(embedded_NTE, self.feature_size)
        return Drawn(outputs, features, tuple(map(thinned, self.cells)) if self.sequential else ())

    def _read(self, inputs_NTE: Tensor, memory: Memory, state: State, drawn: Drawn) -> Decoded:
        """Positions of which only the recurrence and the coverage know one another."""
        found = self._found_before(memory, state)
        fed_N1X = None if state.fed_NX is None else state.fed_NX.unsqueeze(1)
        outputs, hears = joined(inputs_NTE, found and found.context_NTD, fed_N1X), None
        constant_ND = self._constant(memory, len(inputs_NTE))
        states = []
        for depth, cell in enumerate(self.cells):
            before = CellState(state.hidden_LNH[depth], None if state.cell_LNH is None else state.cell_LNH[depth])
            weights = drawn.weights[depth] if drawn.weights else None
            layer_NTH, after = advance(cell, joined(outputs, hears), before, weights, None if depth else constant_ND)
            states.append(after)
            layer_NTH = masked(layer_NTH, drawn.outputs[depth])
            outputs = outputs + layer_NTH if depth >= self.residual_from else layer_NTH
            if depth == self.asking_layer and self.attention is not None and memory.attended is not None:
                found = attend(self.attention, outputs, memory.attended, state.coverage_NS)
                hears = found.context_NTD
        context_NTD = None if found is None else found.context_NTD
        features_NTF = self._features(outputs, context_NTD, inputs_NTE, constant_ND, drawn.features)
        fed_NTX = context_NTD if self.feeds_context_on else features_NTF
        state = State(
            torch.stack([after.hidden_NH for after in states]),
            None if state.cell_LNH is None else torch.stack([cell_of(after) for after in states]),
            fed_NTX[:, -1] if self.fed_size and fed_NTX is not None else None,
            None if found is None else found.coverage_NS,
        )
        return Decoded(features_NTF, state, None if found is None else found.weights_NTS)

    def _found_before(self, memory: Memory, state: State) -> Found | None:
        """What the last layer's state before finds, for the first layer to hear."""
        if self.asks_first and self.attention is not None and memory.attended is not None:
            return attend(self.attention, state.hidden_LNH[-1].unsqueeze(1), memory.attended, state.coverage_NS)
        return None

    def _constant(self, memory: Memory, rows: int) -> Tensor | None:
        """Every row's context vector, where it is an input of each position: it is multiplied once."""
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
        mixed = joined(outputs_NTH, context_NTD, inputs_NTE if self.readout_sees_input else None)
        if self.readout is None:
            return mixed
        mixed = self.readout(mixed, constant_ND, outputs_NTH.size(2))
        return masked(maxout(mixed) if self.takes_maximum else mixed.tanh(), mask)


def advance(
    cell: Cell, inputs_NTI: Tensor, before: CellState, weights: list[Tensor] | None, constant_NX: Tensor | None
) -> tuple[Tensor, CellState]:
    """States (N, T, H) of all positions from one call; or, with these weights, of a single one."""
    if weights is None:
        return cell.run(inputs_NTI, before, None, None, constant_NX)
    after, _ = cell.step(inputs_NTI.squeeze(1), before, weights)
    return after.hidden_NH.unsqueeze(1), after


def joined(*parts: Tensor | None) -> Tensor:
    """The vectors side by side, those that are there."""
    present = [part for part in parts if part is not None]
    return present[0] if len(present) == 1 else torch.cat(present, dim=-1)
