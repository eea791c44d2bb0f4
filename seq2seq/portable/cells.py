"""The equations of the cells of 2018 and later in numpy, as in seq2seq.model.cells, where the papers are named.

N rows, H units in M heads of P units, C width of the cell state, G stacked gates.
"""

from collections.abc import Callable
from math import gcd
from typing import NamedTuple

import numpy as np

from seq2seq.portable.engine import Floats

HEADS = 4
"""Most heads of an mLSTM; there are fewer if the number of units is not a multiple."""

State = tuple[Floats, Floats]
"""Hidden (N, H) and cell state (N, C); cells without a cell state return the hidden state twice."""


class Equations(NamedTuple):
    """A cell."""

    advance: Callable[[Floats, Floats, Floats], State]
    """The next state, from the sums (N, G) and the hidden and cell states."""
    start: Callable[[Floats, Floats], State]
    """The state before the first position, from the bridge's hidden and cell states (N, H)."""
    state_size: Callable[[int], int] = lambda units: units
    """Width C, from the number of units."""


def same(hidden_NH: Floats, cell_NH: Floats) -> State:
    """The bridge's vector is the state."""
    return hidden_NH, hidden_NH


def ssru(sums_NG: Floats, hidden_NH: Floats, cell_NH: Floats) -> State:
    """c' = f · c + (1 - f) · x̃, h' = ReLU(c')."""
    candidate, f = np.split(sums_NG, 2, -1)
    cell_NH = mixed(sigmoid(f), cell_NH, candidate)
    return np.maximum(cell_NH, 0), cell_NH


def sru(sums_NG: Floats, hidden_NH: Floats, cell_NH: Floats) -> State:
    """h' = r · c' + (1 - r) · W_x x; v_f · c and v_r · c are in the sums already."""
    candidate, f, r, highway = np.split(sums_NG, 4, -1)
    cell_NH = mixed(sigmoid(f), cell_NH, candidate)
    return mixed(sigmoid(r), cell_NH, highway), cell_NH


def min_gru(sums_NG: Floats, hidden_NH: Floats, cell_NH: Floats) -> State:
    """h' = (1 - z) · h + z · g(h̃)."""
    update, candidate = np.split(sums_NG, 2, -1)
    return same(mixed(sigmoid(-update), hidden_NH, positive(candidate)), cell_NH)


def min_lstm(sums_NG: Floats, hidden_NH: Floats, cell_NH: Floats) -> State:
    """h' = f' · h + i' · g(h̃), where f' and i' have the sum 1."""
    i, f, candidate = np.split(sums_NG, 3, -1)
    forget = sigmoid(log_sigmoid(f) - log_sigmoid(i))
    return same(mixed(forget, hidden_NH, positive(candidate)), cell_NH)


def slstm(sums_NG: Floats, hidden_NH: Floats, cell_NC: Floats) -> State:
    """y' = s · y + (1 - s) · z, h' = o · y'; the cell state is y and ln n."""
    i, f, z, o = np.split(sums_NG, 4, -1)
    y, log_n = np.split(cell_NC, 2, -1)
    log_kept = log_sigmoid(f) + log_n
    y = mixed(sigmoid(log_kept - i), y, np.tanh(z))
    return sigmoid(o) * y, np.concatenate([y, np.logaddexp(log_kept, i)], -1)


def start_slstm(hidden_NH: Floats, cell_NH: Floats) -> State:
    """The first n is 1."""
    return hidden_NH, np.concatenate([cell_NH, np.zeros_like(cell_NH)], -1)


def mlstm(sums_NG: Floats, hidden_NH: Floats, cell_NC: Floats) -> State:
    """C' = s · C + (1 - s) · v kᵀ, n' likewise, h' = o · C' q / max(|n' · q|, 1 / w'); the state is C, n and ln w."""
    units, rows = hidden_NH.shape[-1], len(hidden_NH)
    heads = gcd(units, HEADS)
    size = units // heads
    q, k, v, o, i_NM, f_NM = np.split(sums_NG, np.cumsum([units] * 4 + [heads]), -1)
    q, k, v = (part.reshape(-1, heads, size) for part in (q, k * np.float32(size**-0.5), v))
    parts = np.split(cell_NC, np.cumsum([units * size, units]), -1)
    memory_NMPP, key_NMP, log_weight_NM = (
        part.reshape(rows, heads, *shape) for part, shape in zip(parts, ((size, size), (size,), ()), strict=True)
    )
    log_kept_NM = log_sigmoid(f_NM) + log_weight_NM
    forget_NM1 = sigmoid(log_kept_NM - i_NM)[..., None]
    memory_NMPP = mixed(forget_NM1[..., None], memory_NMPP, v[..., None] * k[..., None, :])
    key_NMP, log_weight_NM = mixed(forget_NM1, key_NMP, k), np.logaddexp(log_kept_NM, i_NM)
    read_NMP = (memory_NMPP @ q[..., None])[..., 0]
    limit_NM = np.exp(np.minimum(-log_weight_NM, 60))
    read_NMP = read_NMP / np.maximum(abs((key_NMP * q).sum(-1)), limit_NM)[..., None]
    hidden_NH = sigmoid(o) * read_NMP.reshape(rows, -1)
    return hidden_NH, np.concatenate([part.reshape(rows, -1) for part in (memory_NMPP, key_NMP, log_weight_NM)], -1)


def start_mlstm(hidden_NH: Floats, cell_NH: Floats) -> State:
    """The memory of one value, the bridge's vector, under the key whose numbers are all 1/√P."""
    rows, units = hidden_NH.shape
    heads = gcd(units, HEADS)
    number = np.float32((units // heads) ** -0.5)
    memory = np.repeat(hidden_NH * number, units // heads, axis=1)
    key, weight = np.full((rows, units), number), np.zeros((rows, heads), np.float32)
    return hidden_NH, np.concatenate([memory, key, weight], -1)


def mlstm_state_size(units: int) -> int:
    """Of a P × P matrix, a vector and a number per head."""
    heads = gcd(units, HEADS)
    return units * (units // heads) + units + heads


CELLS = {
    "ssru": Equations(ssru, lambda hidden_NH, cell_NH: (np.maximum(hidden_NH, 0), hidden_NH)),
    "sru": Equations(sru, same),
    "min_gru": Equations(min_gru, same),
    "min_lstm": Equations(min_lstm, same),
    "slstm": Equations(slstm, start_slstm, lambda units: 2 * units),
    "mlstm": Equations(mlstm, start_mlstm, mlstm_state_size),
}


def mixed(share: Floats, first: Floats, second: Floats) -> Floats:
    """share · first + (1 - share) · second."""
    return share * first + (1 - share) * second


def positive(sums: Floats) -> Floats:
    """g(x) = x + ½ for x ≥ 0, else σ(x)."""
    return np.where(sums >= 0, sums + np.float32(0.5), sigmoid(sums))


def sigmoid(inputs: Floats) -> Floats:
    """1 / (1 + exp(-x)), without overflow."""
    values: Floats = np.tanh(inputs * 0.5) * 0.5 + 0.5
    return values


def log_sigmoid(inputs: Floats) -> Floats:
    """ln σ(x), without overflow."""
    values: Floats = -np.logaddexp(0, -inputs)
    return values
