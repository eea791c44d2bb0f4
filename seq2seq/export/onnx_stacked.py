"""The equations of `seq2seq.model.cells` as ONNX nodes: one position, and the initial state.

N rows, H units in M heads of P units, C width of the cell state, G stacked gates.
"""

from collections.abc import Callable, Sequence
from math import gcd
from typing import NamedTuple

import numpy as np

from seq2seq.export.onnx_builder import GraphBuilder
from seq2seq.model.cells.mlstm import HEADS
from seq2seq.model.choices import CellKind


class CellState(NamedTuple):
    """Names of the state that a cell passes from one position to the next."""

    hidden_NH: str
    cell_NC: str = ""
    """Empty for cells without a cell state."""


class Equations(NamedTuple):
    """A cell of `seq2seq.model.cells`."""

    advance: Callable[[GraphBuilder, str, CellState, int], CellState]
    """The next state, from the sums (N, G), the state and the number of units."""
    start: Callable[[GraphBuilder, CellState, int], CellState]
    """The state before the first position, from the bridge's vectors and the number of units."""
    state_size: Callable[[int], int]
    """Width C of the cell state, from the number of units; 0: there is none."""


def ssru(graph: GraphBuilder, sums_NG: str, state: CellState, units: int) -> CellState:
    """c' = f · c + (1 - f) · x̃, h' = ReLU(c')."""
    candidate, f = parts(graph, sums_NG, [units] * 2)
    cell_NH = mixed(graph, graph.add("Sigmoid", f), state.cell_NC, candidate)
    return CellState(graph.add("Relu", cell_NH, name="hidden"), cell_NH)


def start_ssru(graph: GraphBuilder, state: CellState, units: int) -> CellState:
    """The bridge's vector is c."""
    return CellState(graph.add("Relu", state.hidden_NH), state.hidden_NH)


def sru(graph: GraphBuilder, sums_NG: str, state: CellState, units: int) -> CellState:
    """h' = r · c' + (1 - r) · W_x x; v_f · c and v_r · c are in the sums already."""
    candidate, f, r, highway = parts(graph, sums_NG, [units] * 4)
    cell_NH = mixed(graph, graph.add("Sigmoid", f), state.cell_NC, candidate)
    return CellState(mixed(graph, graph.add("Sigmoid", r), cell_NH, highway), cell_NH)


def start_sru(graph: GraphBuilder, state: CellState, units: int) -> CellState:
    """The bridge's vector is c."""
    return CellState(state.hidden_NH, state.hidden_NH)


def min_gru(graph: GraphBuilder, sums_NG: str, state: CellState, units: int) -> CellState:
    """h' = (1 - z) · h + z · g(h̃)."""
    update, candidate = parts(graph, sums_NG, [units] * 2)
    kept = graph.add("Sigmoid", graph.add("Neg", update))
    return CellState(mixed(graph, kept, state.hidden_NH, positive(graph, candidate)))


def min_lstm(graph: GraphBuilder, sums_NG: str, state: CellState, units: int) -> CellState:
    """h' = f' · h + i' · g(h̃), where f' and i' have the sum 1."""
    i, f, candidate = parts(graph, sums_NG, [units] * 3)
    kept = graph.add("Sigmoid", graph.add("Sub", log_sigmoid(graph, f), log_sigmoid(graph, i)))
    return CellState(mixed(graph, kept, state.hidden_NH, positive(graph, candidate)))


def start_hidden(graph: GraphBuilder, state: CellState, units: int) -> CellState:
    """The bridge's vector is h."""
    return CellState(state.hidden_NH)


def slstm(graph: GraphBuilder, sums_NG: str, state: CellState, units: int) -> CellState:
    """y' = s · y + (1 - s) · z, h' = o · y'; the cell state is y and ln n."""
    i, f, z, o = parts(graph, sums_NG, [units] * 4)
    y, log_n = parts(graph, state.cell_NC, [units] * 2)
    log_kept = graph.add("Add", log_sigmoid(graph, f), log_n)
    share = graph.add("Sigmoid", graph.add("Sub", log_kept, i))
    y = mixed(graph, share, y, graph.add("Tanh", z))
    hidden_NH = graph.add("Mul", graph.add("Sigmoid", o), y, name="hidden")
    return CellState(hidden_NH, graph.concatenated([y, log_add(graph, log_kept, i)]))


def start_slstm(graph: GraphBuilder, state: CellState, units: int) -> CellState:
    """The first n is 1."""
    return CellState(state.hidden_NH, graph.concatenated([state.cell_NC, graph.zeros(units)]))


def mlstm(graph: GraphBuilder, sums_NG: str, state: CellState, units: int) -> CellState:
    """C' = s · C + (1 - s) · v kᵀ, n' likewise, h' = o · C' q / max(|n' · q|, 1 / w'); the state is C, n and ln w."""
    heads = gcd(units, HEADS)
    size = units // heads
    sizes = {"matrix": (size, size), "column": (size, 1), "row": (1, size), "number": (1, 1)}
    shape = {name: graph.integers(-1, heads, *last) for name, last in sizes.items()}
    q, k, v, o, i_NM, f_NM = parts(graph, sums_NG, [units] * 4 + [heads] * 2)
    key_factor = graph.constant(size**-0.5)
    q_column, v_column = (graph.add("Reshape", part, shape["column"]) for part in (q, v))
    k_row = graph.add("Reshape", graph.add("Mul", k, key_factor), shape["row"])
    memory, key, log_weight_NM = parts(graph, state.cell_NC, [units * size, units, heads])
    log_kept_NM = graph.add("Add", log_sigmoid(graph, f_NM), log_weight_NM)
    share_NM = graph.add("Sigmoid", graph.add("Sub", log_kept_NM, i_NM))
    share = graph.add("Reshape", share_NM, shape["number"])
    memory = graph.add("Reshape", memory, shape["matrix"])
    memory = mixed(graph, share, memory, graph.add("Mul", v_column, k_row))
    key = mixed(graph, share, graph.add("Reshape", key, shape["row"]), k_row)
    log_weight_NM = log_add(graph, log_kept_NM, i_NM)
    limit = graph.add("Exp", graph.add("Min", graph.add("Neg", log_weight_NM), graph.constant(60)))
    of_keys = graph.add("Abs", graph.add("MatMul", key, q_column))
    divisor = graph.add("Max", of_keys, graph.add("Reshape", limit, shape["number"]))
    read = graph.add("Div", graph.add("MatMul", memory, q_column), divisor)
    read_NH = graph.add("Reshape", read, graph.integers(-1, units))
    hidden_NH = graph.add("Mul", graph.add("Sigmoid", o), read_NH, name="hidden")
    flat = [
        graph.add("Reshape", part, graph.integers(-1, width)) for part, width in ((memory, units * size), (key, units))
    ]
    return CellState(hidden_NH, graph.concatenated([*flat, log_weight_NM]))


def start_mlstm(graph: GraphBuilder, state: CellState, units: int) -> CellState:
    """The memory of one value, the bridge's vector, under the key whose numbers are all 1/√P."""
    heads = gcd(units, HEADS)
    size = units // heads
    number = size**-0.5
    column = graph.add("Reshape", state.hidden_NH, graph.integers(1, units, 1))
    key_row = graph.constant(np.full((1, 1, size), number), name=f"key[{size}]")
    memory = graph.add("Reshape", graph.add("Mul", column, key_row), graph.integers(1, units * size))
    key = graph.constant(np.full((1, units), number), name=f"keys[{heads},{size}]")
    return CellState(state.hidden_NH, graph.concatenated([memory, key, graph.zeros(heads)]))


def no_state(units: int) -> int:
    """There is no cell state."""
    return 0


def one_per_unit(units: int) -> int:
    """The cell state has one number per unit."""
    return units


EQUATIONS = {
    CellKind.ssru: Equations(ssru, start_ssru, one_per_unit),
    CellKind.sru: Equations(sru, start_sru, one_per_unit),
    CellKind.min_gru: Equations(min_gru, start_hidden, no_state),
    CellKind.min_lstm: Equations(min_lstm, start_hidden, no_state),
    CellKind.slstm: Equations(slstm, start_slstm, lambda units: 2 * units),
    CellKind.mlstm: Equations(
        mlstm, start_mlstm, lambda units: units * (units // gcd(units, HEADS)) + units + gcd(units, HEADS)
    ),
}


def parts(graph: GraphBuilder, values_NX: str, sizes: Sequence[int]) -> list[str]:
    """Consecutive columns, so many each."""
    return graph.split("Split", values_NX, graph.integers(*sizes), outputs=len(sizes), axis=1)


def mixed(graph: GraphBuilder, share: str, first: str, second: str) -> str:
    """share · first + (1 - share) · second."""
    rest = graph.add("Sub", graph.constant(1), share)
    return graph.add("Add", graph.add("Mul", share, first), graph.add("Mul", rest, second))


def positive(graph: GraphBuilder, sums: str) -> str:
    """g(x) = x + ½ for x ≥ 0, else σ(x)."""
    is_positive = graph.add("GreaterOrEqual", sums, graph.constant(0))
    return graph.add("Where", is_positive, graph.add("Add", sums, graph.constant(0.5)), graph.add("Sigmoid", sums))


def log_sigmoid(graph: GraphBuilder, values: str) -> str:
    """ln σ(x) = -softplus(-x)."""
    return graph.add("Neg", graph.add("Softplus", graph.add("Neg", values)))


def log_add(graph: GraphBuilder, first: str, second: str) -> str:
    """ln(eᵃ + eᵇ) = max(a, b) + softplus(-|a - b|)."""
    distance = graph.add("Neg", graph.add("Abs", graph.add("Sub", first, second)))
    return graph.add("Add", graph.add("Max", first, second), graph.add("Softplus", distance))
