"""How much a model has to compute and move: counted from its sizes, not measured.

A multiply-add is two operations; a backward pass is two forward passes (a product for the inputs' gradient, one for
the weights'). Only matrix products count, biases and functions of single elements do not; only real pieces count,
padding does not. Bytes are those that must come from or go to memory whatever the code does: weights, their gradients,
the optimiser's moments, and the logits; other activations may stay in a cache and count nothing. So both are lower
bounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from seq2seq.data.batch import Batch
from seq2seq.model.choices import AttentionKind, AttentionOrder, BridgeKind, CellKind, Tying
from seq2seq.model.config import ModelConfig

FLOAT = 4
"""Bytes of a float32: what weights, gradients and moments are kept in."""

BLOCKS = {CellKind.lstm: 4, CellKind.layer_norm_lstm: 4, CellKind.gru: 3, CellKind.rnn_tanh: 1, CellKind.rnn_relu: 1}
"""Gates and candidates of a cell."""


@dataclass(frozen=True)
class Work:
    """Operations to do and bytes to move."""

    operations: float = 0
    bytes: float = 0

    def __add__(self, other: "Work") -> "Work":
        return Work(self.operations + other.operations, self.bytes + other.bytes)


class Counts(NamedTuple):
    """What a batch holds, or a mean batch, padding left out; end marks are pieces."""

    sentences: float
    source: float
    target: float
    pairs: float
    """Sum over sentences of source times target pieces: what attention compares."""


class Operations(NamedTuple):
    """Forward operations of a model, per unit of what they are done for."""

    encoder: float
    """Per source piece."""
    bridge: float
    """Per sentence."""
    decoder: float
    """Per target piece."""
    keys: float
    """Attention, per source piece."""
    queries: float
    """Attention, per target piece."""
    scores: float
    """Attention, per source piece and target piece: scores and mixture."""
    output: float
    """Per target piece: readout and output layer."""


def counted(batch: Batch) -> Counts:
    """What is in a batch."""
    columns = batch.target_BT.size(1)
    target_B = (batch.positions_P // columns).bincount(minlength=batch.target_BT.size(0))
    pairs = int((batch.source_lengths_B * target_B).sum())
    return Counts(len(target_B), int(batch.source_lengths_B.sum()), int(target_B.sum()), pairs)


def forward_operations(config: ModelConfig, vocabulary: int) -> Operations:
    """Forward operations of each part, ``vocabulary`` being the target's."""
    keys, queries, scores = attention_operations(config)
    readout = config.readout_sizes
    mixing = 0 if readout is None else 2 * readout[0] * readout[1]
    # A fixed context is multiplied once a sentence.
    width = config.context_width if config.decoder.feed_context else 0
    shared = 0 if readout is None else 2 * width * readout[1]
    fed = 2 * BLOCKS[config.decoder.cell] * config.decoder.size * width if config.decoder.cell is CellKind.lstm else 0
    return Operations(
        encoder=encoder_operations(config),
        bridge=bridge_operations(config) + shared + fed,
        decoder=decoder_operations(config) - fed,
        keys=keys,
        queries=queries,
        scores=scores,
        output=mixing - shared + 2 * config.feature_size * vocabulary,
    )


def cell(kind: CellKind, inputs: int, size: int) -> int:
    """One step of one row: every gate and candidate from input and state."""
    return 2 * BLOCKS[kind] * size * (inputs + size)


def encoder_operations(config: ModelConfig) -> int:
    """Its layers, per source piece."""
    encoder, operations, inputs = config.encoder, 0, config.embedding_size
    for layer in range(encoder.layers):
        directions = 2 if encoder.is_bidirectional(layer) else 1
        operations += directions * cell(encoder.cell, inputs, encoder.size)
        inputs = encoder.layer_width(layer)
    return operations


def bridge_operations(config: ModelConfig) -> int:
    """Its maps, per sentence."""
    if config.encoder.layers == 0 or config.bridge in (BridgeKind.copy, BridgeKind.zero):
        return 0
    heard = config.bridged_layers[:1] if config.bridge_shared else config.bridged_layers
    summaries = [config.summary_width(layer) for layer in heard]
    cells = summaries
    if config.encoder.cell.has_cell_state:
        cells = [config.encoder.layer_width(layer) for layer in heard]
    inputs = sum(summaries) + (sum(cells) if config.decoder.cell.has_cell_state else 0)
    return 2 * inputs * config.decoder.size


def decoder_operations(config: ModelConfig) -> int:
    """Its layers, per target piece."""
    decoder, width = config.decoder, config.encoder.width
    order = config.attention_order if config.attention is not AttentionKind.none else None
    first, upper = config.embedding_size, decoder.size
    if decoder.feed_context:
        first += config.context_width
    if order is AttentionOrder.bahdanau:
        first += width
    if decoder.input_feeding:
        first += width if order is AttentionOrder.gnmt else config.feature_size
    if order is AttentionOrder.gnmt:
        upper += width
    return sum(cell(decoder.cell, inputs, decoder.size) for inputs in [first] + [upper] * (decoder.layers - 1))


def attention_operations(config: ModelConfig) -> tuple[int, int, int]:
    """Per source piece, per target piece, and per source piece and target piece."""
    kind, heads = config.attention, config.attention_heads
    if kind is AttentionKind.none:
        return 0, 0, 0
    size, width, keys, queries = config.decoder.size, config.encoder.width, config.key_size, 0
    additive = kind is AttentionKind.additive
    if additive or kind is AttentionKind.scaled_dot:
        queries += 2 * size * keys
    if config.attention_window is not None:
        queries += 2 * size * size + 2 * size
    # Additive heads share one product, in which each sees zeros for the others' share.
    compared = 2 * keys * ((heads if additive else 1) + (1 if config.coverage else 0))
    mapped = (0 if kind is AttentionKind.dot else 2 * width * keys) + (2 * width * width if heads > 1 else 0)
    return mapped, queries, compared + 2 * width


def weights(config: ModelConfig, source_vocabulary: int, target_vocabulary: int) -> dict[str, float]:
    """Weights of each part, biases left out. A tied matrix counts once, in the output layer."""
    one = forward_operations(config, target_vocabulary)
    source = source_vocabulary if config.encoder.layers > 0 else 0
    tables = {Tying.none: source + target_vocabulary, Tying.output: source, Tying.all: 0}
    vectors = (config.attention is AttentionKind.additive) + config.coverage  # of what is compared
    return {
        "embedding": tables[config.tying] * config.embedding_size,
        "encoder": (one.encoder + one.bridge) / 2,  # each weight is one multiply-add
        "decoder": one.decoder / 2,
        "attention": (one.keys + one.queries) / 2 + vectors * config.key_size,
        "output layer": one.output / 2,
    }


def training_work(
    config: ModelConfig, source_vocabulary: int, target_vocabulary: int, batch: Counts, logit_bytes: int
) -> dict[str, Work]:
    """Work of one update by part.

    A weight is read forward and backward and its gradient written; an embedding's row is read and its gradient
    written, once a piece; logits are read once and replaced by their gradient; the optimiser (clipping and Adam) reads
    the gradient for its norm, then weight, gradient and both moments, and writes weight and moments.
    """
    one = forward_operations(config, target_vocabulary)
    size = weights(config, source_vocabulary, target_vocabulary)
    forward = {
        "encoder": one.encoder * batch.source + one.bridge * batch.sentences,
        "decoder": one.decoder * batch.target,
        "attention": one.keys * batch.source + one.queries * batch.target + one.scores * batch.pairs,
        "output layer": one.output * batch.target,
    }
    rows = (batch.source + batch.target) * config.embedding_size
    return {
        "embedding": Work(0, 2 * FLOAT * rows),
        **{part: Work(3 * operations, 3 * FLOAT * size[part]) for part, operations in forward.items()},
        "loss": Work(0, 2 * logit_bytes * batch.target * target_vocabulary),
        "optimiser": Work(0, 8 * FLOAT * sum(size.values())),
        "data": Work(),
    }


def translation_work(
    config: ModelConfig, vocabulary: int, lengths: Sequence[tuple[int, int]], beam: int, weight_bytes: int
) -> Work:
    """Work of translating a batch with (source, target) lengths in pieces, end marks included, by a beam.

    Every sentence has one row in the first step and ``beam`` rows in the others. A step reads the weights of decoder,
    attention and output layer once for the whole batch, and there are as many steps as the longest target has pieces;
    encoding reads the others once.
    """
    one = forward_operations(config, vocabulary)
    operations = 0.0
    for source, target in lengths:
        rows = 1 + beam * (target - 1)
        operations += source * (one.encoder + one.keys) + one.bridge
        operations += rows * (one.decoder + one.queries + source * one.scores + one.output)
    read = (one.encoder + one.keys + one.bridge) / 2
    steps = max(target for _, target in lengths)
    return Work(operations, weight_bytes * (read + steps * step_weights(config, vocabulary)))


def step_weights(config: ModelConfig, vocabulary: int) -> float:
    """Weights that one search step reads."""
    one = forward_operations(config, vocabulary)
    return (one.decoder + one.queries + one.output) / 2
