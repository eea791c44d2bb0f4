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
from seq2seq.model import AttentionKind, BridgeKind, Direction, ModelConfig, Tying

FLOAT = 4
"""Bytes of a float32: what weights, gradients and moments are kept in."""


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
    encoder, size, width = config.encoder, config.decoder.size, config.encoder.width
    attends = config.attention is not AttentionKind.none
    mixes = attends or config.decoder.feed_context
    directions = 2 if encoder.direction is Direction.bidirectional else 1
    encoder_inputs = [config.embedding_size] + [width] * (encoder.layers - 1)
    first = config.embedding_size + (width if config.decoder.feed_context else 0)
    decoder_inputs = [first] + [size + (width if attends else 0)] * (config.decoder.layers - 1)
    features = size if config.tying is Tying.none else config.embedding_size
    readout = 2 * (size + (width if mixes else 0)) * features if mixes or features != size else 0
    return Operations(
        encoder=directions * sum(lstm(inputs, encoder.size) for inputs in encoder_inputs),
        bridge=0 if config.bridge is BridgeKind.copy else 2 * config.decoder.layers * 2 * width * size,
        decoder=sum(lstm(inputs, size) for inputs in decoder_inputs),
        keys=2 * width * size if config.attention in (AttentionKind.general, AttentionKind.additive) else 0,
        queries=2 * size * size if config.attention is AttentionKind.additive else 0,
        scores=2 * size + 2 * width if attends else 0,
        output=readout + 2 * features * vocabulary,
    )


def lstm(inputs: int, size: int) -> int:
    """One LSTM step of one row: four gates, each from input and state."""
    return 2 * 4 * size * (inputs + size)


def weights(config: ModelConfig, source_vocabulary: int, target_vocabulary: int) -> dict[str, float]:
    """Weights of each part, biases left out. A tied matrix counts once, in the output layer."""
    one = forward_operations(config, target_vocabulary)
    tables = {Tying.none: source_vocabulary + target_vocabulary, Tying.output: source_vocabulary, Tying.all: 0}
    energy = config.decoder.size if config.attention is AttentionKind.additive else 0
    return {
        "embedding": tables[config.tying] * config.embedding_size,
        "encoder": (one.encoder + one.bridge) / 2,  # each weight is one multiply-add
        "decoder": one.decoder / 2,
        "attention": (one.keys + one.queries) / 2 + energy,
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
