"""The copy mechanism as ONNX nodes: the equations of `seq2seq.model.pointer`, in float64 as there.

N rows, S source positions, F width of the features, V vocabulary size.
"""

from collections.abc import Sequence

import numpy as np
from onnx import TensorProto

from seq2seq.export.onnx_builder import GraphBuilder
from seq2seq.model.pointer import TINY

MEMORY = {
    "copied_tokens": (TensorProto.INT64, ["S"]),
    "copied_shared": (TensorProto.DOUBLE, ["S", "S"]),
    "copied_leaders": (TensorProto.INT64, ["S"]),
}
"""The fields of `CopyMemory` that a step needs: outputs of the encoder and inputs of the step."""


def write_copies(graph: GraphBuilder, source_S: str, copies: Sequence[int]) -> None:
    """Make what the source tokens can copy outputs of the graph."""
    with graph.module("pointer"):
        table_X = graph.constant(copies, np.int64, name="pointer.copies_X")
        copies_S = graph.add("Gather", table_X, source_S)
        tokens_S = graph.add("Max", copies_S, graph.integers(0))
        copied_S1 = graph.add("Unsqueeze", graph.add("Equal", copies_S, tokens_S), graph.integers(1))
        columns = (graph.add("Unsqueeze", tokens_S, graph.integers(axis)) for axis in (0, 1))
        equal_SS = graph.add("Equal", *columns)
        shared_SS = graph.add("Cast", graph.add("And", equal_SS, copied_S1), to=TensorProto.DOUBLE)
        ones_SS = graph.add("Cast", equal_SS, to=TensorProto.FLOAT)
        leaders_S = graph.add("ArgMax", ones_SS, axis=1, keepdims=0)  # the first of equal maxima
    for value, (name, (type, shape)) in zip((tokens_S, shared_SS, leaders_S), MEMORY.items(), strict=True):
        graph.output(value, name, type, shape)


def read_copies(graph: GraphBuilder) -> None:
    """Declare what the source tokens can copy as inputs of the graph."""
    for name, (type, shape) in MEMORY.items():
        graph.input(name, type, shape)


def mixed(graph: GraphBuilder, log_probability_NV: str, features_NF: str, weights_NS: str) -> str:
    """Mix what is copied into the log-probabilities of the vocabulary."""
    with graph.module("pointer"):
        one, tiny = graph.constant(1, np.float64), graph.constant(TINY, np.float64)
        sums_NS, mass_N1 = _copied(graph, weights_NS)
        gate_N1 = _gate(graph, features_NF)
        copy_N1 = graph.add("Sigmoid", graph.add("Neg", gate_N1))
        rest_N1 = graph.add("Max", graph.add("Sub", one, mass_N1), graph.constant(0, np.float64))
        share_N1 = graph.add("Add", graph.add("Sigmoid", gate_N1), graph.add("Mul", copy_N1, rest_N1))
        share_N1 = graph.add("Log", graph.add("Max", share_N1, tiny), name="log_share")
        log_probability_NV = graph.add("Add", log_probability_NV, _to_float(graph, share_N1))
        log_gate_N1 = graph.add("Neg", graph.add("Softplus", gate_N1))
        log_sums_NS = graph.add("Log", graph.add("Max", sums_NS, tiny))
        none_NS = graph.add("Equal", sums_NS, graph.constant(0, np.float64))
        log_sums_NS = graph.add("Where", none_NS, graph.constant(-np.inf, np.float64), log_sums_NS)
        copies_NS = graph.add("Add", log_gate_N1, log_sums_NS, name="log_copies")
        tokens_NS = graph.add("Expand", "copied_tokens", graph.add("Shape", copies_NS))
        own_NS = graph.add("GatherElements", log_probability_NV, tokens_NS, axis=1)
        both_NS = _log_sum(graph, graph.add("Cast", own_NS, to=TensorProto.DOUBLE), copies_NS)
        return graph.add("ScatterElements", log_probability_NV, tokens_NS, _to_float(graph, both_NS), axis=1)


def _copied(graph: GraphBuilder, weights_NS: str) -> tuple[str, str]:
    """The attention that each position's token receives (N, S), and what all tokens receive (N, 1), at most 1."""
    weights_NS = graph.add("Cast", weights_NS, to=TensorProto.DOUBLE)
    sums_NS = graph.add("Gather", graph.add("MatMul", weights_NS, "copied_shared"), "copied_leaders", axis=1)
    zero, one = graph.constant(0, np.int64), graph.constant(1, np.int64)
    length = graph.add("Squeeze", graph.add("Shape", "copied_leaders"))
    first_S = graph.add("Equal", "copied_leaders", graph.add("Range", zero, length, one))
    first_S = graph.add("Cast", first_S, to=TensorProto.DOUBLE)
    mass_N1 = graph.add("ReduceSum", graph.add("Mul", sums_NS, first_S), graph.integers(1))
    above_N1 = graph.add("Max", mass_N1, graph.constant(1, np.float64))  # rounded weights sum to more
    return graph.add("Div", sums_NS, above_N1), graph.add("Div", mass_N1, above_N1)


def _gate(graph: GraphBuilder, features_NF: str) -> str:
    weight_1F = graph.matrix("pointer.gate.weight")
    weight_F1 = graph.derive("pointer.gate/column", "Transpose", weight_1F, perm=[1, 0])
    weight_F1 = graph.derive("pointer.gate/double", "Cast", weight_F1, to=TensorProto.DOUBLE)
    bias = graph.derive("pointer.gate/bias", "Cast", graph.parameter("pointer.gate.bias"), to=TensorProto.DOUBLE)
    product_N1 = graph.add("MatMul", graph.add("Cast", features_NF, to=TensorProto.DOUBLE), weight_F1)
    return graph.add("Add", product_N1, bias, name="gate")


def _log_sum(graph: GraphBuilder, a_NS: str, b_NS: str) -> str:
    """log(exp(a) + exp(b)); a is finite."""
    larger_NS = graph.add("Max", a_NS, b_NS)
    terms = [graph.add("Exp", graph.add("Sub", value, larger_NS)) for value in (a_NS, b_NS)]
    return graph.add("Add", larger_NS, graph.add("Log", graph.add("Add", *terms)))


def _to_float(graph: GraphBuilder, value: str) -> str:
    return graph.add("Cast", value, to=TensorProto.FLOAT)
