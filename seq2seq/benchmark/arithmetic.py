"""Arithmetic operations and memory traffic of a model, counted from its sizes.

A multiply-add is two operations. A backward pass costs two forward passes: one product for the gradient of the inputs,
one for the gradient of the weights. Only matrix products are counted, not biases or elementwise functions; only real
tokens, not padding. Bytes are those that any implementation must move: weights, their gradients, the optimizer's
moments, and logits. Other activations may stay in a cache and are not counted. So both counts are lower bounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from typing import NamedTuple

from seq2seq.data.batch import Batch
from seq2seq.model.cells.mlstm import HEADS
from seq2seq.model.choices import AttentionKind, AttentionOrder, BridgeKind, CellKind, CopyKind, Tying
from seq2seq.model.config import ModelConfig

FLOAT = 4
"""Bytes of a float32, the type of weights, gradients and moments."""


@dataclass(frozen=True)
class Work:
    """Arithmetic operations and bytes of memory traffic."""

    operations: float = 0
    bytes: float = 0

    def __add__(self, other: "Work") -> "Work":
        return Work(self.operations + other.operations, self.bytes + other.bytes)


class Counts(NamedTuple):
    """Token counts of a batch, or of a mean batch, without padding; EOS counts as a token."""

    sentences: float
    source: float
    target: float
    pairs: float
    """Sum over sentences of source tokens × target tokens: the comparisons of attention."""


class Operations(NamedTuple):
    """Forward operations of a model's parts, each per the unit given below it."""

    encoder: float
    """Per source token."""
    bridge: float
    """Per sentence."""
    decoder: float
    """Per target token."""
    keys: float
    """Attention, per source token."""
    queries: float
    """Attention, per target token."""
    scores: float
    """Attention, per source token and target token: scores and weighted sum."""
    output: float
    """Per target token: readout, output layer and gate of a copy mechanism."""


def count_tokens(batch: Batch) -> Counts:
    """Token counts of a batch."""
    columns = batch.target_BT.size(1)
    target_B = (batch.positions_P // columns).bincount(minlength=batch.target_BT.size(0))
    pairs = int((batch.source_lengths_B * target_B).sum())
    return Counts(len(target_B), int(batch.source_lengths_B.sum()), int(target_B.sum()), pairs)


def forward_operations(config: ModelConfig, vocabulary: int) -> Operations:
    """Forward operations of each part; ``vocabulary`` is the size of the target vocabulary."""
    keys, queries, scores = attention_operations(config)
    readout = config.readout_sizes
    mixing = 0 if readout is None else 2 * readout[0] * readout[1]
    # A fixed context vector is multiplied once per sentence.
    width = config.context_width if config.decoder.feed_context else 0
    shared = 0 if readout is None else 2 * width * readout[1]
    gate = 2 * config.feature_size if config.copy is CopyKind.pointer else 0
    fed = (
        cell(config.decoder.cell, width, config.decoder.size, with_state=False)
        if config.decoder.cell.traits.packed
        else 0
    )
    return Operations(
        encoder=encoder_operations(config),
        bridge=bridge_operations(config) + shared + fed,
        decoder=decoder_operations(config) - fed,
        keys=keys,
        queries=queries,
        scores=scores,
        output=mixing - shared + gate + 2 * config.feature_size * vocabulary,
    )


def cell(kind: CellKind, inputs: int, size: int, with_state: bool = True) -> int:
    """One time step of one row: every gate and candidate from input and state.

    Products of the matrix memory of an mLSTM, which has no weights, are not counted.
    """
    traits = kind.traits
    rows = traits.blocks * size + (2 * gcd(size, HEADS) if kind is CellKind.mlstm else 0)
    return 2 * rows * (inputs + (size if traits.has_recurrent_weights and with_state else 0))


def encoder_operations(config: ModelConfig) -> int:
    """Encoder layers, per source token."""
    encoder, operations, inputs = config.encoder, 0, config.embedding_size
    for layer in range(encoder.layers):
        directions = 2 if encoder.is_bidirectional(layer) else 1
        operations += directions * cell(encoder.cell, inputs, encoder.size)
        inputs = encoder.layer_width(layer)
    return operations


def bridge_operations(config: ModelConfig) -> int:
    """Projections of the bridge, per sentence."""
    if config.is_language_model or config.bridge in (BridgeKind.copy, BridgeKind.zero):
        return 0
    layers = config.bridged_layers[:1] if config.bridge_shared else config.bridged_layers
    summaries = [config.summary_width(layer) for layer in layers]
    cells = summaries
    if config.encoder.cell.has_cell_state:
        cells = [config.encoder.layer_width(layer) for layer in layers]
    inputs = sum(summaries) + (sum(cells) if config.decoder.cell.traits.starts_from_cell_state else 0)
    return 2 * inputs * config.decoder.size


def decoder_operations(config: ModelConfig) -> int:
    """Decoder layers, per target token."""
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
    """Keys per source token, queries per target token, and scores per source token and target token."""
    kind, heads = config.attention, config.attention_heads
    if kind is AttentionKind.none:
        return 0, 0, 0
    size, width, keys, queries = config.decoder.size, config.encoder.width, config.key_size, 0
    additive = kind is AttentionKind.additive
    if additive or kind is AttentionKind.scaled_dot:
        queries += 2 * size * keys
    if config.attention_window is not None:
        queries += 2 * size * size + 2 * size
    # Additive heads share one product, in which each head has zeros in place of the other heads' units.
    compared = 2 * keys * ((heads if additive else 1) + (1 if config.coverage else 0))
    mapped = (0 if kind is AttentionKind.dot else 2 * width * keys) + (2 * width * width if heads > 1 else 0)
    return mapped, queries, compared + 2 * width


def weights(config: ModelConfig, source_vocabulary: int, target_vocabulary: int) -> dict[str, float]:
    """Number of weights of each part, without biases. A tied matrix counts once, in the output layer."""
    per = forward_operations(config, target_vocabulary)
    source = 0 if config.is_language_model else source_vocabulary
    tables = {Tying.none: source + target_vocabulary, Tying.output: source, Tying.all: 0}
    vectors = (config.attention is AttentionKind.additive) + config.coverage  # scoring vectors
    return {
        "embedding": tables[config.tying] * config.embedding_size,
        "encoder": (per.encoder + per.bridge) / 2,  # each weight is one multiply-add
        "decoder": per.decoder / 2,
        "attention": (per.keys + per.queries) / 2 + vectors * config.key_size,
        "output layer": per.output / 2,
    }


def training_work(
    config: ModelConfig, source_vocabulary: int, target_vocabulary: int, batch: Counts, logit_bytes: int
) -> dict[str, Work]:
    """Work of one update by part.

    Weights are read in the forward and the backward pass, and their gradient is written. An embedding row is read and
    its gradient written once per token. Logits are read once and replaced by their gradient. The optimizer (clipping
    and Adam) reads the gradient for its norm, then weight, gradient and both moments, and writes weight and moments.
    """
    per = forward_operations(config, target_vocabulary)
    size = weights(config, source_vocabulary, target_vocabulary)
    forward = {
        "encoder": per.encoder * batch.source + per.bridge * batch.sentences,
        "decoder": per.decoder * batch.target,
        "attention": per.keys * batch.source + per.queries * batch.target + per.scores * batch.pairs,
        "output layer": per.output * batch.target,
    }
    rows = (batch.source + batch.target) * config.embedding_size
    return {
        "embedding": Work(0, 2 * FLOAT * rows),
        **{part: Work(3 * operations, 3 * FLOAT * size[part]) for part, operations in forward.items()},
        "loss": Work(0, 2 * logit_bytes * batch.target * target_vocabulary),
        "optimizer": Work(0, 8 * FLOAT * sum(size.values())),
        "data": Work(),
    }


def translation_work(
    config: ModelConfig, vocabulary: int, lengths: Sequence[tuple[int, int]], beam: int, weight_bytes: int
) -> Work:
    """Work of translating a batch by beam search; ``lengths`` are (source, target) lengths in tokens, with EOS.

    Each sentence has one row in the first step and ``beam`` rows in the others. A step reads the weights of decoder,
    attention and output layer once for the whole batch. There are as many steps as the longest target has tokens.
    Encoding reads the other weights once.
    """
    per = forward_operations(config, vocabulary)
    operations = 0.0
    for source, target in lengths:
        rows = 1 + beam * (target - 1)
        operations += source * (per.encoder + per.keys) + per.bridge
        operations += rows * (per.decoder + per.queries + source * per.scores + per.output)
    read = (per.encoder + per.keys + per.bridge) / 2
    steps = max(target for _, target in lengths)
    return Work(operations, weight_bytes * (read + steps * step_weights(config, vocabulary)))


def step_weights(config: ModelConfig, vocabulary: int) -> float:
    """Number of weights that one search step reads."""
    per = forward_operations(config, vocabulary)
    return (per.decoder + per.queries + per.output) / 2
