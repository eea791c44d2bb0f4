"""Recurrent cells as ONNX nodes: one position, or a whole sentence.

`step` follows the equations of `seq2seq.model.cell`. `run` takes a sentence in one node: ONNX's LSTM, GRU or RNN, or a
Scan over `step` for cells that ONNX lacks.

N rows, S source positions, I input width, H units, G = blocks · H rows of the stacked weights.
"""

from collections.abc import Sequence
from math import gcd
from typing import Any, NamedTuple

import numpy as np
from onnx import TensorProto

from seq2seq.export.onnx_builder import GraphBuilder, Part
from seq2seq.export.onnx_stacked import EQUATIONS, CellState
from seq2seq.model.cells.mlstm import HEADS
from seq2seq.model.choices import CellKind
from seq2seq.portable.folder import SCALES

EPSILON = 1e-5
"""Added to the variances of torch's layer normalizations."""

BLOCKS = {"LSTM": [0, 3, 1, 2], "GRU": [1, 0, 2], "RNN": [0]}
"""The blocks of torch's stacked weights in the order of ONNX: LSTM i, o, f, g and GRU z, r, n."""


class Cell(NamedTuple):
    """A cell of the network."""

    kind: CellKind
    module: str
    """Path of the module, which its parameters' names start with."""
    size: int
    """Units H."""

    @property
    def gates(self) -> int:
        """Rows G of the stacked weights."""
        heads = gcd(self.size, HEADS) if self.kind is CellKind.mlstm else 0
        return self.size * self.kind.traits.blocks + 2 * heads

    @property
    def state_size(self) -> int:
        """Width of the cell state; 0: there is none."""
        if self.kind in EQUATIONS:
            return EQUATIONS[self.kind].state_size(self.size)
        return self.size if self.kind.has_cell_state else 0

    def parameter(self, name: str) -> str:
        """The name of a parameter; those of torch's own modules have a suffix."""
        suffix = "" if self.kind is CellKind.layer_norm_lstm or self.kind in EQUATIONS else "_l0"
        return f"{self.module}.{name}{suffix}"

    def bias(self, graph: GraphBuilder) -> str:
        """What the gates are added to: both biases where they are only summed; empty if there is none."""
        if self.kind is CellKind.layer_norm_lstm:
            return ""
        if self.kind in EQUATIONS:
            return graph.parameter(f"{self.module}.bias")
        input_bias = graph.parameter(self.parameter("bias_ih"))
        if self.kind is CellKind.gru:  # the other bias is multiplied by the reset gate
            return input_bias
        return graph.derive(f"{self.module}.bias", "Add", input_bias, graph.parameter(self.parameter("bias_hh")))


def input_product(
    graph: GraphBuilder, cell: Cell, parts: Sequence[Part], columns: slice | None = None, added: str | None = None
) -> str:
    """The part (N, G) of the gates' sums that does not depend on the state, with ``added`` in place of the biases."""
    added = cell.bias(graph) if added is None else added
    if cell.kind is not CellKind.mlstm:
        return graph.linear(cell.parameter("weight_ih"), parts, added, columns, name="input_gates")
    names = [cell.parameter("weight_ih"), cell.parameter("weight_gates")]
    products = [graph.linear(name, parts, "", columns, name="input_gates") for name in names]
    return graph.add("Add", graph.concatenated(products), added)


def step(graph: GraphBuilder, cell: Cell, products_NG: str, state: CellState, bounded: bool) -> CellState:
    """Compute one position from the `input_product`; ``bounded``: whether the hidden state lies in [-1, 1]."""
    hidden = [Part(state.hidden_NH, cell.size, bounded)]
    weight = cell.parameter("weight_hh")
    if cell.kind in EQUATIONS:
        if cell.kind.traits.has_recurrent_weights:
            products_NG = graph.linear(weight, hidden, products_NG, name="gates")
        if cell.kind is CellKind.sru:
            products_NG = _with_peephole(graph, cell, products_NG, state.cell_NC)
        return EQUATIONS[cell.kind].advance(graph, products_NG, state, cell.size)
    if cell.kind is CellKind.gru:
        gates_NG = graph.linear(weight, hidden, graph.parameter(cell.parameter("bias_hh")), name="hidden_gates")
        return _gru(graph, products_NG, gates_NG, state.hidden_NH)
    gates_NG = graph.linear(weight, hidden, products_NG, name="gates")
    if cell.kind in (CellKind.rnn_tanh, CellKind.rnn_relu):
        return CellState(graph.add("Tanh" if cell.kind is CellKind.rnn_tanh else "Relu", gates_NG, name="hidden"))
    if cell.kind is CellKind.layer_norm_lstm:
        gates_NG = _normalized(graph, gates_NG, f"{cell.module}.gate_norm", 4, cell.size)
    i, f, g, o = graph.split("Split", gates_NG, outputs=4, num_outputs=4, axis=1)
    i, f, o = (graph.add("Sigmoid", gate) for gate in (i, f, o))
    kept, added = graph.add("Mul", f, state.cell_NC), graph.add("Mul", i, graph.add("Tanh", g))
    cell_NH = graph.add("Add", kept, added, name="cell")
    shown = cell_NH
    if cell.kind is CellKind.layer_norm_lstm:
        shown = _normalized(graph, cell_NH, f"{cell.module}.cell_norm", 1, cell.size)
    return CellState(graph.add("Mul", o, graph.add("Tanh", shown), name="hidden"), cell_NH)


def start(graph: GraphBuilder, cell: Cell, state: CellState) -> CellState:
    """The state before the first position, from the bridge's vectors (1, H)."""
    return EQUATIONS[cell.kind].start(graph, state, cell.size) if cell.kind in EQUATIONS else state


def _with_peephole(graph: GraphBuilder, cell: Cell, sums_NG: str, cell_NH: str) -> str:
    """Add v_f · c and v_r · c to the second and third block of the sums."""
    both = graph.add("Mul", graph.concatenated([cell_NH, cell_NH]), graph.parameter(f"{cell.module}.peephole"))
    padded = graph.add("Pad", both, graph.integers(0, cell.size, 0, cell.size))
    return graph.add("Add", sums_NG, padded)


def _gru(graph: GraphBuilder, inputs_NG: str, gates_NG: str, hidden_NH: str) -> CellState:
    """h' = (1 - z) · n + z · h = n + z · (h - n)."""
    r_x, z_x, n_x = graph.split("Split", inputs_NG, outputs=3, num_outputs=3, axis=1)
    r_h, z_h, n_h = graph.split("Split", gates_NG, outputs=3, num_outputs=3, axis=1)
    r, z = (graph.add("Sigmoid", graph.add("Add", x, h)) for x, h in ((r_x, r_h), (z_x, z_h)))
    n = graph.add("Tanh", graph.add("Add", n_x, graph.add("Mul", r, n_h)))
    new, kept = graph.add("Mul", graph.add("Sub", graph.constant(1), z), n), graph.add("Mul", z, hidden_NH)
    return CellState(graph.add("Add", new, kept, name="hidden"))


def _normalized(graph: GraphBuilder, values_NX: str, module: str, groups: int, size: int) -> str:
    """Layer normalization of each of some groups of units, with a scale and a bias for every unit."""
    ones = graph.constant(np.ones(size), name=f"ones[{size}]")
    grouped = graph.add("Reshape", values_NX, graph.integers(-1, groups, size))
    normal = graph.add("LayerNormalization", grouped, ones, axis=-1, epsilon=EPSILON)
    normal_NX = graph.add("Reshape", normal, graph.integers(-1, groups * size))
    scaled_NX = graph.add("Mul", normal_NX, graph.parameter(f"{module}.weight"))
    return graph.add("Add", scaled_NX, graph.parameter(f"{module}.bias"), name=module.rsplit(".", 1)[1])


def run(graph: GraphBuilder, cell: Cell, inputs_SI: Part, reverse: bool) -> tuple[str, CellState]:
    """Run a cell over a sentence, from its start or from its end.

    Returns:
        Hidden states (S, H) in the order of the sentence, and the state (1, H) after the last position read.
    """
    with graph.module(cell.module):
        if cell.kind is CellKind.layer_norm_lstm or cell.kind in EQUATIONS:
            return _scan(graph, cell, inputs_SI, reverse)
        return _fused(graph, cell, inputs_SI, reverse)


def _fused(graph: GraphBuilder, cell: Cell, inputs_SI: Part, reverse: bool) -> tuple[str, CellState]:
    """One node of ONNX, which has other axes and another order of blocks than torch."""
    op = {CellKind.lstm: "LSTM", CellKind.gru: "GRU"}.get(cell.kind, "RNN")
    attributes: dict[str, Any] = {"hidden_size": cell.size, "direction": "reverse" if reverse else "forward"}
    if op == "GRU":
        attributes["linear_before_reset"] = 1
    elif op == "RNN":
        attributes["activations"] = ["Relu" if cell.kind is CellKind.rnn_relu else "Tanh"]
    blocks = BLOCKS[op]
    weights = [_stacked(graph, cell.parameter(name), blocks) for name in ("weight_ih", "weight_hh")]
    biases = [graph.parameter(cell.parameter(name)) for name in ("bias_ih", "bias_hh")]
    both = graph.derive(f"{cell.module}.biases", "Concat", *biases, axis=0)
    bias = _reordered(graph, both, [*blocks, *(len(blocks) + block for block in blocks)], (1, -1))
    inputs_S1I = graph.add("Unsqueeze", graph.values(inputs_SI), graph.integers(1))
    outputs = graph.split(op, inputs_S1I, *weights, bias, outputs=3 if op == "LSTM" else 2, **attributes)
    states_SH = graph.add("Squeeze", outputs[0], graph.integers(1, 2), name="states")
    return states_SH, CellState(*(graph.add("Squeeze", last, graph.integers(0)) for last in outputs[1:]))


def _stacked(graph: GraphBuilder, weight: str, blocks: Sequence[int]) -> str:
    """The blocks of a matrix in another order (1, G, I), as float32; 8-bit codes are reordered before they grow."""
    rows, width = graph.tensors[weight].shape
    ordered = _reordered(graph, graph.parameter(weight), blocks, (1, rows, width))
    if not graph.is_quantized(weight):
        return ordered
    return graph.dequantized(ordered, _reordered(graph, graph.parameter(weight + SCALES), blocks, (1, rows, 1)))


def _reordered(graph: GraphBuilder, stacked: str, blocks: Sequence[int], shape: Sequence[int]) -> str:
    """Stacked blocks in another order and shape."""
    separate = graph.derive(f"{stacked}/blocks", "Reshape", stacked, graph.integers(len(blocks), -1))
    ordered = graph.derive(f"{stacked}/ordered", "Gather", separate, graph.integers(*blocks), axis=0)
    return graph.derive(f"{stacked}/onnx", "Reshape", ordered, graph.integers(*shape))


def _scan(graph: GraphBuilder, cell: Cell, inputs_SI: Part, reverse: bool) -> tuple[str, CellState]:
    """A Scan over `step`; only the products of the inputs are computed at once."""
    products_SG = graph.add("Unsqueeze", input_product(graph, cell, [inputs_SI]), graph.integers(1))
    widths = {"hidden": cell.size, **({"cell": cell.state_size} if cell.state_size else {})}
    body = GraphBuilder(graph.tensors, graph)
    before = [
        body.input(f"{graph.scope}/{name}_before", TensorProto.FLOAT, [1, width]) for name, width in widths.items()
    ]
    products_1G = body.input(f"{graph.scope}/gates_now", TensorProto.FLOAT, [1, cell.gates])
    after = step(body, cell, products_1G, CellState(*before), bounded=False)
    for value, (name, width) in zip(after, widths.items(), strict=False):
        body.output(value, f"{graph.scope}/{name}_after", TensorProto.FLOAT, [1, width])
    body.output(after.hidden_NH, f"{graph.scope}/state_now", TensorProto.FLOAT, [1, cell.size])
    zeros = [graph.zeros(width) for width in widths.values()]
    backward = [int(reverse)]
    *last, states_S1H = graph.split(
        *("Scan", *zeros, products_SG),
        outputs=len(widths) + 1,
        body=body.graph(f"{cell.module}.step"),
        num_scan_inputs=1,
        scan_input_directions=backward,
        scan_output_directions=backward,
    )
    return graph.add("Squeeze", states_S1H, graph.integers(1), name="states"), CellState(*last)


def unit_state(graph: GraphBuilder, cell: Cell, state: CellState) -> str:
    """The cell state (1, H) of one number per unit; empty for cells without one."""
    if not cell.kind.has_cell_state:
        return ""
    if cell.state_size == cell.size:
        return state.cell_NC
    return graph.split(
        "Split", state.cell_NC, graph.integers(cell.size, cell.state_size - cell.size), outputs=2, axis=1
    )[0]
