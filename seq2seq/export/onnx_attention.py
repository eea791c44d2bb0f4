"""Attention as ONNX nodes: the equations of `seq2seq.model.attention` for the rows of one sentence.

N rows, S source positions, H decoder units, D encoder width, A width of the keys, M heads.
"""

import math
from typing import NamedTuple

import numpy as np
from onnx import TensorProto

from seq2seq.export.onnx_builder import GraphBuilder, Part
from seq2seq.inference.products import context_bounded
from seq2seq.model.choices import AttentionKind
from seq2seq.model.config import ModelConfig

MODULE = "decoder.attention"


def has_heads_apart(config: ModelConfig) -> bool:
    """Whether keys are split into heads before the score; the additive score splits afterwards."""
    return config.attention is not AttentionKind.additive


def write_memory(graph: GraphBuilder, config: ModelConfig, states_SD: str) -> None:
    """Make keys and values of the encoder's states outputs of the graph.

    Keys are (M, A/M, S), or for the additive score (S, A); values are (M, S, D/M).
    """
    heads, width = config.attention_heads, config.encoder.width
    with graph.module(MODULE):
        states = [Part(states_SD, width)]
        keys = states_SD
        if config.attention is not AttentionKind.dot:
            keys = graph.linear(f"{MODULE}.key_map.weight", states)
        shape: list[int | str] = ["S", config.key_size]
        if has_heads_apart(config):
            shape = [heads, config.key_size // heads, "S"]
            keys = graph.add("Transpose", _split(graph, keys, heads, config.key_size), perm=[0, 2, 1])
        values = graph.linear(f"{MODULE}.value_map.weight", states) if heads > 1 else states_SD
        values = _split(graph, values, heads, width)
    graph.output(keys, "keys", TensorProto.FLOAT, shape)
    graph.output(values, "values", TensorProto.FLOAT, [heads, "S", width // heads])


def read_memory(graph: GraphBuilder, config: ModelConfig) -> None:
    """Declare keys and values as inputs of the graph."""
    heads, width, size = config.attention_heads, config.encoder.width, config.key_size
    keys: list[int | str] = [heads, size // heads, "S"] if has_heads_apart(config) else ["S", size]
    graph.input("keys", TensorProto.FLOAT, keys)
    graph.input("values", TensorProto.FLOAT, [heads, "S", width // heads])


class Attended(NamedTuple):
    """Names of the results of attention."""

    context: list[Part]
    """The contexts (N, D); empty without attention."""
    weights_NS: str
    """Attention weights, averaged over heads."""
    coverage_NS: str
    """The sum of the weights of all positions so far; "" without coverage."""


NOTHING_ATTENDED = Attended([], "", "")


def attend(graph: GraphBuilder, config: ModelConfig, query_NH: str, coverage_NS: str) -> Attended:
    """Attend with one query per row; ``coverage_NS`` is "" without coverage."""
    first, width = graph.integers(0), config.encoder.width
    with graph.module(MODULE):
        scores_MNS = _scores(graph, config, query_NH, coverage_NS)
        if config.attention_window is None:
            weights_MNS = graph.add("Softmax", scores_MNS, axis=2)
        else:
            gaussian_NS = _window(graph, config.attention_window, query_NH)
            outside_NS = graph.add("Equal", gaussian_NS, graph.constant(0))
            scores_MNS = graph.add("Where", outside_NS, graph.constant(-np.inf), scores_MNS)
            weights_MNS = graph.add("Mul", graph.add("Softmax", scores_MNS, axis=2), gaussian_NS)
        contexts_MND = graph.add("MatMul", weights_MNS, "values")
        if config.attention_heads == 1:
            context_ND = graph.add("Squeeze", contexts_MND, first, name="context")
            weights_NS = graph.add("Squeeze", weights_MNS, first, name="weights")
        else:
            contexts_NMD = graph.add("Transpose", contexts_MND, perm=[1, 0, 2])
            context_ND = graph.add("Reshape", contexts_NMD, graph.integers(-1, width), name="context")
            weights_NS = graph.add("ReduceMean", weights_MNS, first, keepdims=0, name="weights")
        if coverage_NS:
            coverage_NS = graph.add("Add", coverage_NS, weights_NS, name="coverage")
    return Attended([Part(context_ND, width, context_bounded(config))], weights_NS, coverage_NS)


def _scores(graph: GraphBuilder, config: ModelConfig, query_NH: str, coverage_NS: str) -> str:
    heads, size, kind = config.attention_heads, config.key_size, config.attention
    if kind in (AttentionKind.additive, AttentionKind.scaled_dot):
        bias = graph.parameter(f"{MODULE}.query_map.bias")
        query_NH = graph.linear(f"{MODULE}.query_map.weight", [Part(query_NH, config.decoder.size)], bias, name="query")
    if kind is not AttentionKind.additive:
        scores_MNS = graph.add("MatMul", _split(graph, query_NH, heads, size), "keys", name="scores")
        if kind is AttentionKind.scaled_dot:
            scores_MNS = graph.add("Mul", scores_MNS, graph.constant(math.sqrt(heads / size)))
        return scores_MNS
    sums_NSA = graph.add("Add", graph.add("Unsqueeze", query_NH, graph.integers(1)), "keys")
    if coverage_NS:
        weight_A1 = graph.matrix(f"{MODULE}.coverage_map.weight")
        weight_A = graph.derive(f"{MODULE}.coverage_map/flat", "Squeeze", weight_A1, graph.integers(1))
        coverage_NS1 = graph.add("Unsqueeze", coverage_NS, graph.integers(2))
        sums_NSA = graph.add("Add", sums_NSA, graph.add("Mul", coverage_NS1, weight_A))
    scores_NSM = graph.add("MatMul", graph.add("Tanh", sums_NSA), _energies(graph, heads, size), name="scores")
    return graph.add("Transpose", scores_NSM, perm=[2, 0, 1])


def _energies(graph: GraphBuilder, heads: int, size: int) -> str:
    """Each head's share of v in a column (A, M) of its own, zeros elsewhere."""
    energy_1A = graph.matrix(f"{MODULE}.energy.weight")
    energy_A1 = graph.derive(f"{MODULE}.energy/column", "Transpose", energy_1A, perm=[1, 0])
    if heads == 1:
        return energy_A1
    share_AM = graph.constant(np.repeat(np.eye(heads), size // heads, axis=0), name=f"{MODULE}.energy/shares")
    return graph.derive(f"{MODULE}.energy/heads", "Mul", energy_A1, share_AM)


def _window(graph: GraphBuilder, reach: int, query_NH: str) -> str:
    """The Gaussian (N, S) around a predicted position (Luong et al. 2015, eq. 9 and 10); zero outside the window."""
    module = f"{MODULE}.window"
    width = graph.tensors[f"{module}.query_map.weight"].shape[1]
    hidden = graph.add("Tanh", graph.linear(f"{module}.query_map.weight", [Part(query_NH, width)]))
    share_N1 = graph.add("Sigmoid", graph.linear(f"{module}.place.weight", [Part(hidden, width)]))
    shape = graph.add("Shape", "values", start=1, end=2)
    length = graph.add("Cast", graph.add("Squeeze", shape), to=TensorProto.FLOAT)
    one = graph.constant(1)
    positions_S = graph.add("Range", one, graph.add("Add", length, one), one)
    distance_NS = graph.add("Sub", positions_S, graph.add("Mul", length, share_N1))
    scaled_NS = graph.add("Div", distance_NS, graph.constant(reach))
    square_NS = graph.add("Mul", graph.add("Mul", scaled_NS, scaled_NS), graph.constant(-2))
    outside_NS = graph.add("Greater", graph.add("Abs", distance_NS), graph.constant(reach))
    return graph.add("Where", outside_NS, graph.constant(0), graph.add("Exp", square_NS), name="window")


def _split(graph: GraphBuilder, values_XA: str, heads: int, width: int) -> str:
    """Split heads: (M, X, A/M)."""
    if heads == 1:
        return graph.add("Unsqueeze", values_XA, graph.integers(0))
    shares_XMA = graph.add("Reshape", values_XA, graph.integers(-1, heads, width // heads))
    return graph.add("Transpose", shares_XMA, perm=[1, 0, 2])
