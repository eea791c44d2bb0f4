"""Teacher-forced passes in which every gate and state is recorded.

The network's own code runs: residual connections, bridge, attention and input feeding included. Only its cells are
replaced by ones that call `Cell.step` at each position and keep the result, so a replay and the network cannot diverge.

B sentences, S source positions, T positions of a side, N rows, I input width, H units.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.corpora.corpus import Pair
from seq2seq.data.batch import Batch, batches_by_length, make_batch
from seq2seq.errors import DataError, counted
from seq2seq.inference.member import Member
from seq2seq.model import Network
from seq2seq.model.cell import Cell, CellState, Gates, WrappedCell, run_steps, with_constant, zero_state
from seq2seq.model.decoder import DecoderOutput, Memory, State
from seq2seq.model.encoder import reverse_sentences
from seq2seq.model.network import shared_copy
from seq2seq.tokenizer.protection import protected_pairs
from seq2seq.tokenizer.tokenizer import BOS, EOS

MAX_BATCH_TOKENS = 1536
"""Tokens of a batch on either side, padding included; this limits memory."""

MAX_SENTENCE_TOKENS = 200
"""Pairs with more tokens on either side are skipped."""


class Side(StrEnum):
    """Encoder or decoder."""

    encoder = "encoder"
    decoder = "decoder"


class CellDirection(StrEnum):
    """Direction in which a cell reads the sentence."""

    forward = "forward"
    reversed = "reversed"


class CellLocation(NamedTuple):
    """Location of a cell in the network."""

    side: Side
    layer: int
    """The lowest is 1."""
    direction: CellDirection

    def __str__(self) -> str:
        return f"{self.side}.{self.layer}.{self.direction}"


class TeacherForcedBatch(NamedTuple):
    """Pairs on the network's device, and the tokens that each side reads, one list per row."""

    batch: Batch
    source_tokens: list[list[str]]
    """EOS included; empty rows for a language model."""
    input_tokens: list[list[str]]
    """Input tokens of the decoder, with BOS."""

    def tokens(self, side: Side) -> list[list[str]]:
        """The tokens that a side reads."""
        return self.source_tokens if side is Side.encoder else self.input_tokens


def teacher_forced_batches(member: Member, pairs: Sequence[Pair]) -> list[TeacherForcedBatch]:
    """Group pairs of similar length into batches; a language model reads the targets only.

    Raises:
        DataError: every pair is blank or too long.
    """
    pairs = protected_pairs(pairs, member.placeholders)
    source_tokenizer, target_tokenizer = member.tokenizers
    has_source = not member.is_language_model
    targets = target_tokenizer.encode_all([pair.target for pair in pairs]) if pairs else []
    sources: list[list[int]] = [[]] * len(targets)
    if pairs and has_source:
        sources = source_tokenizer.encode_all([pair.source for pair in pairs])
    kept = [
        row
        for row, (source, target) in enumerate(zip(sources, targets, strict=True))
        if 0 < len(target) <= MAX_SENTENCE_TOKENS and (not has_source or 0 < len(source) <= MAX_SENTENCE_TOKENS)
    ]
    if not kept:
        raise DataError(
            f"none of {counted(len(pairs), 'pair')} can be analysed: all are blank or longer than "
            f"{MAX_SENTENCE_TOKENS} tokens"
        )
    longer = [max(sources[row], targets[row], key=len) for row in kept]
    batches = []
    for members in batches_by_length(longer, MAX_BATCH_TOKENS):
        rows = [kept[number] for number in members]
        batch = make_batch([sources[row] for row in rows], [targets[row] for row in rows]).to(member.device)
        source_tokens = [source_tokenizer.tokens([*sources[row], EOS]) if has_source else [] for row in rows]
        input_tokens = [target_tokenizer.tokens([BOS, *targets[row]]) for row in rows]
        batches.append(TeacherForcedBatch(batch, source_tokens, input_tokens))
    return batches


class CellStep(NamedTuple):
    """Gates and next state of a cell at one position, (N, H) each."""

    gates: Gates
    state: CellState
    """Its cell state is `Cell.unit_state`."""


class LayerRecord(NamedTuple):
    """Gates and states of a cell at all positions, in sentence order; values on padding are undefined."""

    location: CellLocation
    gates: dict[str, Tensor]
    """(B, T, H) each: input, forget, candidate and output of an LSTM; reset, update and candidate of a GRU.

    Other cells have those of these names that their equations have.
    """
    hidden_BTH: Tensor
    cell_BTH: Tensor | None
    """None for a cell without a cell state."""

    @property
    def recurrent_state(self) -> Tensor:
        """The cell state, or the hidden state of a cell without one."""
        return self.hidden_BTH if self.cell_BTH is None else self.cell_BTH


class Replay(NamedTuple):
    """Everything that a teacher-forced pass computes."""

    layers: tuple[LayerRecord, ...]
    """Encoder layers from the lowest up, forward before reversed; then decoder layers."""
    memory: Memory
    initial: State
    """The decoder's initial state."""
    decoded: DecoderOutput


class RecordingCell(WrappedCell):
    """Run another cell step by step and append every step to ``steps``."""

    def __init__(self, cell: Cell, steps: list[CellStep]) -> None:
        super().__init__(cell)
        self.steps = steps

    def step(self, inputs_NI: Tensor, state: CellState, weights: list[Tensor] | None = None) -> tuple[CellState, Gates]:
        """Run and record one position."""
        state, gates = self.cell.step(inputs_NI, state, weights)
        self.steps.append(CellStep(gates, CellState(state.hidden_NH, self.cell.unit_state(state))))
        return state, gates

    def run(
        self,
        inputs_NTI: Tensor,
        state: CellState | None = None,
        padding_NT: Tensor | None = None,
        weights: list[Tensor] | None = None,
        constant_NX: Tensor | None = None,
    ) -> tuple[Tensor, CellState]:
        """Run T positions one after another; arguments and results as in `Cell.run`."""
        inputs_NTI = with_constant(inputs_NTI, constant_NX)
        state = zero_state(self, len(inputs_NTI), inputs_NTI) if state is None else state
        return run_steps(lambda inputs, before: self.step(inputs, before, weights)[0], inputs_NTI, state, padding_NT)


def replay(network: Network, source_BS: Tensor, lengths_B: Tensor, target_BT: Tensor) -> Replay:
    """Run a teacher-forced pass in evaluation mode and record every cell.

    The result equals that of the fused pass up to rounding, and gradients flow in the same way. The network is not
    changed, so threads may share it.

    Args:
        network: what is replayed.
        source_BS: right-padded source ids.
        lengths_B: source lengths.
        target_BT: target ids from BOS on.
    """
    copy, steps_by_cell = recording_copy(network)
    memory, initial = copy.encode(source_BS, lengths_B)
    decoded = copy.decoder(copy.target_embedding(target_BT), memory, initial)
    layers = tuple(_layer_record(location, steps, lengths_B) for location, steps in steps_by_cell.items())
    return Replay(layers, memory, initial, decoded)


def recording_copy(network: Network) -> tuple[Network, dict[CellLocation, list[CellStep]]]:
    """Return a `shared_copy` whose cells record their steps, and the lists that they append to."""
    copy = shared_copy(network)
    steps_by_cell: dict[CellLocation, list[CellStep]] = {}
    if copy.encoder is not None:
        for depth, layer in enumerate(copy.encoder.layers, 1):
            for direction in CellDirection:
                name = f"{direction}_cell"
                if isinstance(cell := getattr(layer, name), Cell):
                    steps = steps_by_cell.setdefault(CellLocation(Side.encoder, depth, direction), [])
                    setattr(layer, name, RecordingCell(cell, steps))
    for depth, cell in enumerate(copy.decoder.cells, 1):
        steps = steps_by_cell.setdefault(CellLocation(Side.decoder, depth, CellDirection.forward), [])
        copy.decoder.layers[depth - 1] = RecordingCell(cell, steps)
    return copy, steps_by_cell


def _layer_record(location: CellLocation, steps: list[CellStep], lengths_B: Tensor) -> LayerRecord:
    """Stack the steps of a cell in sentence order, and empty ``steps``: keeping both would double the memory."""

    def ordered(parts: list[Tensor]) -> Tensor:
        stacked_BTH = torch.stack(parts, 1)
        if location.direction is CellDirection.reversed:
            return reverse_sentences(stacked_BTH, lengths_B)
        return stacked_BTH

    cells = [step.state.cell_NH for step in steps if step.state.cell_NH is not None]
    record = LayerRecord(
        location,
        {name: ordered([step.gates[name] for step in steps]) for name in steps[0].gates},
        ordered([step.state.hidden_NH for step in steps]),
        ordered(cells) if cells else None,
    )
    steps.clear()
    return record
