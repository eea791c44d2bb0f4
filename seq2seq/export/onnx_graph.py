"""A network as two ONNX graphs: encoder.onnx encodes a sentence, step.onnx reads a token in each beam row.

They compute what `seq2seq.model` computes, for one sentence at a time: nothing is padded, and a translation never
depends on other sentences. Source length S and beam rows N are dynamic. Both read their weights from model.safetensors
beside them (`seq2seq.export.onnx_builder`); names of inputs and outputs are in `seq2seq.portable.onnx_engine`.

In a folder with 8-bit matrices, products in which `seq2seq.inference.products` allows integers are of integers, each
matrix with its own scales. The encoder and attention stay float32, as in torch: ONNX's fused LSTM has no integer form,
and a loop over integer steps takes longer than the fused node, although that reads four times as many bytes.

S source positions, N beam rows, E embedding width, H units, L layers of the decoder, D width of the context, A width of
the keys, M heads, F width of the features, G stacked gates, V vocabulary size, Z width of a row's state.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from onnx import ModelProto, TensorProto, helper, save

from seq2seq.errors import ConfigError
from seq2seq.export import onnx_attention, onnx_pointer
from seq2seq.export.onnx_attention import NOTHING_ATTENDED
from seq2seq.export.onnx_builder import GraphBuilder, Part, StoredTensor, stored_tensors
from seq2seq.export.onnx_cells import Cell, input_product, run, start, step, unit_state
from seq2seq.export.onnx_stacked import CellState
from seq2seq.inference.products import context_bounded, features_bounded, outputs_bounded, start_bounded, states_bounded
from seq2seq.model.choices import AttentionKind, AttentionOrder, BridgeKind, CopyKind, Readout, Summary
from seq2seq.model.config import ModelConfig
from seq2seq.portable.folder import ENCODER_GRAPH, SCALES, STEP_GRAPH, WEIGHTS
from seq2seq.portable.onnx_engine import ATTENTION, LOG_PROBABILITIES, NEXT, SOURCE, STATE, TOKENS

OPSET, IR_VERSION = 18, 8
"""Versions of ONNX's operators and file format: those of ONNX 1.13 and onnxruntime 1.14 (2023)."""

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def write_graphs(config: ModelConfig, folder: Path, copies: Sequence[int] | None = None) -> None:
    """Write encoder.onnx and step.onnx into a folder that has model.safetensors, in the precision of its matrices.

    Args:
        config: settings of the network.
        folder: the folder; model.safetensors is as training or `save_quantized` writes it.
        copies: the target token that each source token copies (``model.copy=pointer``), -1 for those that cannot be
            copied.

    Raises:
        ConfigError: the network is a language model.
    """
    if config.is_language_model:
        raise ConfigError("model.encoder.layers=0 is a language model, which has no ONNX form: export a translator")
    tensors = stored_tensors(folder / WEIGHTS)
    save(encoder_graph(config, tensors, copies), folder / ENCODER_GRAPH)
    save(step_graph(config, tensors), folder / STEP_GRAPH)


def _model(graph: GraphBuilder, name: str) -> ModelProto:
    return helper.make_model(
        graph.graph(name),
        producer_name="seq2seq",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )


def embedding(graph: GraphBuilder, weight: str, tokens_X: str, width: int) -> Part:
    """The embeddings of tokens; 8-bit codes are looked up as they are, with their scales."""
    rows = graph.add("Gather", graph.parameter(weight), tokens_X, name="embedded")
    if not graph.is_quantized(weight):
        return Part(rows, width)
    scales_X = graph.add("Gather", graph.parameter(weight + SCALES), tokens_X)
    codes = graph.add("Cast", rows, to=FLOAT)
    return Part(codes, width, scale_N1=graph.add("Unsqueeze", scales_X, graph.integers(1)))


# The encoder.


def encoder_graph(
    config: ModelConfig, tensors: Mapping[str, StoredTensor], copies: Sequence[int] | None = None
) -> ModelProto:
    """The graph from a source sentence to its `MEMORY` and the initial `STATE`."""
    graph = GraphBuilder(tensors)
    source_S = graph.input(SOURCE, INT64, ["S"])
    with graph.module("source_embedding"):
        weight = "source_embedding.weight"
        weight = weight if weight in tensors else "target_embedding.weight"
        outputs_SX = graph.values(embedding(graph, weight, source_S, config.embedding_size))
    width, hidden, cells = config.embedding_size, [], []
    for depth in range(config.encoder.layers):
        with graph.module(f"encoder.layers.{depth}"):
            states_SD, summary_1D, cell_1D = _encoder_layer(graph, config, depth, Part(outputs_SX, width))
            residual = depth >= (config.encoder.residual_from or config.encoder.layers + 1) - 1
            outputs_SX = graph.add("Add", outputs_SX, states_SD, name="outputs") if residual else states_SD
        width = config.encoder.layer_width(depth)
        hidden.append(summary_1D)
        cells.append(cell_1D or summary_1D)
    _start(graph, config, hidden, cells)
    if config.attention is not AttentionKind.none:
        onnx_attention.write_memory(graph, config, outputs_SX)
    elif config.decoder.feed_context:
        _write_context_products(graph, config, hidden[-1])
    if config.copy is CopyKind.pointer:
        table = [-1] * tensors[weight].shape[0] if copies is None else copies
        onnx_pointer.write_copies(graph, source_S, table)
    return _model(graph, "encoder")


def _encoder_layer(graph: GraphBuilder, config: ModelConfig, depth: int, inputs_SI: Part) -> tuple[str, str, str]:
    """The states (S, D) of a layer, their summary (1, D or 2D), and the last cell state (1, D); "" without one."""
    encoder = config.encoder
    runs = []
    for name, reads, reverse in zip(
        ("forward_cell", "reversed_cell"), encoder.direction.reads(depth), (False, True), strict=True
    ):
        if reads:
            cell = Cell(encoder.cell, f"encoder.layers.{depth}.{name}", encoder.size)
            states_SH, last = run(graph, cell, inputs_SI, reverse)
            runs.append((states_SH, last.hidden_NH, unit_state(graph, cell, last)))
    states_SD, hidden_1D, cell_1D = (
        graph.concatenated(values) if values[0] else "" for values in zip(*runs, strict=True)
    )
    if config.summary is Summary.last:
        return states_SD, hidden_1D, cell_1D
    pools = {Summary.max: ["ReduceMax"], Summary.mean: ["ReduceMean"]}.get(config.summary, ["ReduceMax", "ReduceMean"])
    pooled = [graph.add(pool, states_SD, graph.integers(0), keepdims=1) for pool in pools]
    return states_SD, graph.concatenated(pooled), cell_1D


def _start(graph: GraphBuilder, config: ModelConfig, hidden: Sequence[str], cells: Sequence[str]) -> None:
    """Write the initial state: hidden and cell states from the bridge, then zeros for what is fed."""
    decoder = config.decoder
    with graph.module("bridge"):
        bridged = [_bridge(graph, config, hidden, "hidden_maps")]
        if decoder.cell.traits.starts_from_cell_state:
            bridged.append(_bridge(graph, config, cells, "cell_maps"))
        cell = Cell(decoder.cell, "decoder", decoder.size)
        states = [start(graph, cell, CellState(*vectors)) for vectors in zip(*bridged, strict=True)]
        parts = [state.hidden_NH for state in states] + [state.cell_NC for state in states if state.cell_NC]
        fed = fed_size(config)
        if fed:
            parts.append(graph.zeros(fed))
        graph.output(graph.concatenated(parts), STATE[0], FLOAT, [1, state_size(config)])
        if config.coverage:
            zeros_1S = graph.add("Expand", graph.zeros(1), graph.add("Shape", SOURCE))
            graph.output(zeros_1S, STATE[1], FLOAT, [1, "S"])


def _bridge(graph: GraphBuilder, config: ModelConfig, summaries: Sequence[str], maps: str) -> list[str]:
    layers, size = config.bridged_layers, config.decoder.size
    if config.bridge is BridgeKind.zero:
        return [graph.zeros(size)] * len(layers)
    if config.bridge is BridgeKind.copy:
        return [summaries[layer] for layer in layers]
    states = []
    for number, layer in enumerate(layers[:1] if config.bridge_shared else layers):
        weight, bias = (f"bridge.{maps}.{number}.{name}" for name in ("weight", "bias"))
        state = graph.add("Gemm", summaries[layer], graph.matrix(weight), graph.parameter(bias), transB=1)
        states.append(graph.add("Tanh", state) if config.bridge is BridgeKind.tanh else state)
    return states * len(layers) if config.bridge_shared else states


def _write_context_products(graph: GraphBuilder, config: ModelConfig, context_1D: str) -> None:
    """Multiply the context vector by the first layer's and the readout's weights, once for all positions."""
    context = Part(context_1D, config.context_width, context_bounded(config))
    cell = Cell(config.decoder.cell, "decoder.layers.0", config.decoder.size)
    first, size = config.embedding_size, config.decoder.size
    with graph.module(cell.module):
        gates_1G = input_product(graph, cell, [context], slice(first, first + context.width))
    graph.output(gates_1G, "gates", FLOAT, [1, cell.gates])
    weight, bias = "decoder.readout.weight", graph.parameter("decoder.readout.bias")
    readout_1F = graph.linear(weight, [context], bias, slice(size, size + context.width))
    graph.output(readout_1F, "readout", FLOAT, [1, graph.tensors[weight].shape[0]])


# The step of the decoder.


def fed_size(config: ModelConfig) -> int:
    """Width of what input feeding passes to the next position: the context (gnmt) or the features."""
    if not config.decoder.input_feeding:
        return 0
    return config.encoder.width if config.attention_order is AttentionOrder.gnmt else config.feature_size


def state_size(config: ModelConfig) -> int:
    """Width Z of a row's state: hidden states of all layers, cell states of all layers, what is fed."""
    decoder = config.decoder
    cell = Cell(decoder.cell, "decoder", decoder.size)
    return decoder.layers * (cell.size + cell.state_size) + fed_size(config)


def step_graph(config: ModelConfig, tensors: Mapping[str, StoredTensor]) -> ModelProto:
    """The graph from a token, a row's state and the sentence's memory to log-probabilities and the next state."""
    graph = GraphBuilder(tensors)
    tokens_N = graph.input(TOKENS, INT64, ["N"])
    with graph.module("target_embedding"):
        embedded = embedding(graph, "target_embedding.weight", tokens_N, config.embedding_size)
    features, weights_NS = decoder_step(graph, config, embedded)
    with graph.module("output"):
        weight = "output.weight" if "output.weight" in tensors else "target_embedding.weight"
        logits_NV = graph.linear(weight, [features], graph.parameter("output.bias"), name="logits")
        log_probability_NV = graph.add("LogSoftmax", logits_NV, axis=1)
    if config.copy is CopyKind.pointer:
        onnx_pointer.read_copies(graph)
        log_probability_NV = onnx_pointer.mixed(graph, log_probability_NV, features.values_NX, weights_NS)
    graph.output(log_probability_NV, LOG_PROBABILITIES, FLOAT, ["N", tensors[weight].shape[0]])
    if weights_NS:
        graph.output(weights_NS, ATTENTION, FLOAT, ["N", "S"])
    return _model(graph, "step")


class DecoderState(NamedTuple):
    """Names of the state of all layers; "" for what the decoder has not."""

    layers: list[CellState]
    fed_NX: str
    coverage_NS: str

    @classmethod
    def read(cls, graph: GraphBuilder, config: ModelConfig) -> "DecoderState":
        """Declare the state as inputs of the graph."""
        decoder, fed = config.decoder, fed_size(config)
        cell_size = Cell(decoder.cell, "decoder", decoder.size).state_size
        sizes = [decoder.size] * decoder.layers + ([cell_size] * decoder.layers if cell_size else [])
        several, sizes = len(sizes), sizes + ([fed] if fed else [])
        state_NZ = graph.input(STATE[0], FLOAT, ["N", sum(sizes)])
        with graph.module("decoder"):
            parts = graph.split("Split", state_NZ, graph.integers(*sizes), outputs=len(sizes), axis=1, name="before")
        hidden, cells = parts[: decoder.layers], parts[decoder.layers : several] or [""] * decoder.layers
        coverage_NS = graph.input(STATE[1], FLOAT, ["N", "S"]) if config.coverage else ""
        return cls(list(map(CellState, hidden, cells)), parts[-1] if fed else "", coverage_NS)

    def write(self, graph: GraphBuilder, config: ModelConfig) -> None:
        """Make the state outputs of the graph."""
        hidden, cells = zip(*self.layers, strict=True)
        parts = [part for part in (*hidden, *cells, self.fed_NX) if part]
        with graph.module("decoder"):
            graph.output(graph.concatenated(parts), NEXT + STATE[0], FLOAT, ["N", state_size(config)])
        if self.coverage_NS:
            graph.output(self.coverage_NS, NEXT + STATE[1], FLOAT, ["N", "S"])


def decoder_step(graph: GraphBuilder, config: ModelConfig, embedded: Part) -> tuple[Part, str]:
    """Read one token per row, as `Decoder.forward` does, and write the next state.

    Returns:
        The features, and the attention weights (N, S); "" without attention.
    """
    attends, decoder, order = config.attention is not AttentionKind.none, config.decoder, config.attention_order
    if attends:
        onnx_attention.read_memory(graph, config)
    state, attended = DecoderState.read(graph, config), NOTHING_ATTENDED
    if attends and order is AttentionOrder.bahdanau:
        attended = onnx_attention.attend(graph, config, state.layers[-1].hidden_NH, state.coverage_NS)
    query_layer = {AttentionOrder.gnmt: 0, AttentionOrder.luong: decoder.layers - 1}.get(order)
    feeds_context = attends and order is AttentionOrder.gnmt
    fed_bounded = context_bounded(config) if feeds_context else features_bounded(config)
    fed = [Part(state.fed_NX, fed_size(config), fed_bounded)] if state.fed_NX else []
    parts, after = [embedded, *attended.context, *fed], []
    for depth, before in enumerate(state.layers):
        after.append(decoder_layer(graph, config, depth, parts, before))
        outputs_NH = after[-1].hidden_NH
        if depth >= (decoder.residual_from or decoder.layers + 1) - 1:
            outputs_NH = graph.add("Add", parts[0].values_NX, outputs_NH, name=f"decoder.layers.{depth}/outputs")
        outputs = Part(outputs_NH, decoder.size, outputs_bounded(config))
        if attends and depth == query_layer:
            attended = onnx_attention.attend(graph, config, outputs_NH, state.coverage_NS)
        parts = [outputs, *(attended.context if feeds_context else [])]
    features = readout(graph, config, outputs, attended.context, embedded)
    next_fed = (attended.context[0] if feeds_context else features).values_NX if fed else ""
    DecoderState(after, next_fed, attended.coverage_NS).write(graph, config)
    return features, attended.weights_NS


def decoder_layer(
    graph: GraphBuilder, config: ModelConfig, depth: int, parts: Sequence[Part], before: CellState
) -> CellState:
    """The next state of a layer; the first one's product with a fed context vector is in the memory."""
    cell = Cell(config.decoder.cell, f"decoder.layers.{depth}", config.decoder.size)
    bounded = start_bounded(config) and states_bounded(config)
    with graph.module(cell.module):
        if depth == 0 and config.decoder.feed_context:
            gates_1G = graph.input("gates", FLOAT, [1, cell.gates])
            products_NG = input_product(graph, cell, parts, slice(0, config.embedding_size), gates_1G)
        else:
            products_NG = input_product(graph, cell, parts)
        return step(graph, cell, products_NG, before, bounded)


def readout(graph: GraphBuilder, config: ModelConfig, outputs: Part, context: Sequence[Part], embedded: Part) -> Part:
    """The features (N, F); without a readout, the outputs of the top layer."""
    if config.readout_sizes is None:
        return outputs
    weight, bias = "decoder.readout.weight", "decoder.readout.bias"
    inputs, size = config.readout_sizes
    with graph.module("decoder.readout"):
        parts = [outputs, *context]
        seen = [embedded] if config.decoder.readout_sees_input else []
        if config.decoder.feed_context:
            added = graph.input("readout", FLOAT, [1, size])
            mixed_NF = graph.linear(weight, parts, added, slice(0, outputs.width))
            if seen:
                mixed_NF = graph.linear(weight, seen, mixed_NF, slice(inputs - embedded.width, inputs))
        else:
            mixed_NF = graph.linear(weight, [*parts, *seen], graph.parameter(bias))
        if config.decoder.readout is Readout.tanh:
            features_NF = graph.add("Tanh", mixed_NF, name="features")
        else:
            pairs_NF2 = graph.add("Reshape", mixed_NF, graph.integers(-1, config.feature_size, 2))
            features_NF = graph.add("ReduceMax", pairs_NF2, graph.integers(2), keepdims=0, name="features")
    return Part(features_NF, config.feature_size, features_bounded(config))
