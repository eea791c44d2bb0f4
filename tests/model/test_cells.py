"""The cells of seq2seq.model.cells: the papers' equations, long sequences, one network of each that learns."""

import math
from functools import cache
from itertools import product

import pytest
import torch
from abilities import needs_bfloat16
from networks import BOS, EOS, padded, random_network
from torch import Tensor
from torch.nn.functional import cross_entropy

from seq2seq.model import AttentionKind, DecoderConfig, Direction, EncoderConfig, ModelConfig, Network
from seq2seq.model.cell import Cell, CellState, zero_state
from seq2seq.model.cells import CELLS, make_cell
from seq2seq.model.cells.scan import by_doubling, by_position, linear_scan
from seq2seq.model.cells.stacked import StackedCell
from seq2seq.model.choices import CellKind

RECENT = [kind for kind, cell in CELLS.items() if isinstance(cell, type) and issubclass(cell, StackedCell)]
INPUTS, UNITS = 3, 6
"""Six units are two heads of an mLSTM."""


def random_cell(kind: CellKind, seed: int = 1, spread: float = 1.0, dtype: torch.dtype = torch.float64) -> Cell:
    cell, generator = make_cell(kind, INPUTS, UNITS).to(dtype), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.uniform_(-spread, spread, generator=generator)
    return cell


def random_inputs(rows: int, positions: int, seed: int = 2) -> Tensor:
    return torch.randn(rows, positions, INPUTS, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# The equations of the papers with Python's floats, one row, one unit after another.


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def g(x: float) -> float:
    """Feng et al. 2024, appendix B.1."""
    return x + 0.5 if x >= 0 else sigmoid(x)


def sums(cell: Cell, inputs: list[float], hidden: list[float], parts: int) -> list[list[float]]:
    """W x + b, and R h where there is one, for each block."""
    W, *R, b = [weight.tolist() for weight in cell.weights()]
    rows = [sum(w * x for w, x in zip(row, inputs, strict=True)) + bias for row, bias in zip(W, b, strict=False)]
    if R and cell.has_recurrent_weights:
        rows = [
            row + sum(r * h for r, h in zip(line, hidden, strict=True)) for row, line in zip(rows, R[0], strict=True)
        ]
    return [rows[part * UNITS : (part + 1) * UNITS] for part in range(parts)]


def ssru(cell: Cell, positions: list[list[float]]) -> list[list[float]]:
    """Kim et al. 2019, equations of section 3.1."""
    c, states = [0.0] * UNITS, []
    for inputs in positions:
        wx, forget = sums(cell, inputs, [], 2)
        f = [sigmoid(x) for x in forget]
        c = [f[u] * c[u] + (1 - f[u]) * wx[u] for u in range(UNITS)]
        states.append([max(0.0, x) for x in c])
    return states


def sru(cell: Cell, positions: list[list[float]]) -> list[list[float]]:
    """Lei et al. 2018, equations 1 to 4, with a mapped highway."""
    v_f, v_r = cell.peephole.view(2, -1).tolist()
    c, states = [0.0] * UNITS, []
    for inputs in positions:
        wx, w_f, w_r, x = sums(cell, inputs, [], 4)
        f = [sigmoid(w_f[u] + v_f[u] * c[u]) for u in range(UNITS)]
        r = [sigmoid(w_r[u] + v_r[u] * c[u]) for u in range(UNITS)]
        c = [f[u] * c[u] + (1 - f[u]) * wx[u] for u in range(UNITS)]
        states.append([r[u] * c[u] + (1 - r[u]) * x[u] for u in range(UNITS)])
    return states


def min_gru(cell: Cell, positions: list[list[float]]) -> list[list[float]]:
    """Feng et al. 2024, section 3.1 with g of appendix B.1."""
    h, states = [0.0] * UNITS, []
    for inputs in positions:
        update, candidate = sums(cell, inputs, [], 2)
        z = [sigmoid(x) for x in update]
        h = [(1 - z[u]) * h[u] + z[u] * g(candidate[u]) for u in range(UNITS)]
        states.append(h)
    return states


def min_lstm(cell: Cell, positions: list[list[float]]) -> list[list[float]]:
    """Feng et al. 2024, section 3.2 with g of appendix B.1."""
    h, states = [0.0] * UNITS, []
    for inputs in positions:
        admit, forget, candidate = sums(cell, inputs, [], 3)
        i, f = [sigmoid(x) for x in admit], [sigmoid(x) for x in forget]
        h = [f[u] / (f[u] + i[u]) * h[u] + i[u] / (f[u] + i[u]) * g(candidate[u]) for u in range(UNITS)]
        states.append(h)
    return states


def slstm(cell: Cell, positions: list[list[float]]) -> list[list[float]]:
    """Beck et al. 2024, equations 8 to 17 with the stabilizer m; n is 1 at first, c and m are 0."""
    c, n, m, h, states = [0.0] * UNITS, [1.0] * UNITS, [0.0] * UNITS, [0.0] * UNITS, []
    for inputs in positions:
        admit, forget, cell_input, output = sums(cell, inputs, h, 4)
        log_f = [math.log(sigmoid(x)) for x in forget]
        stable = [max(log_f[u] + m[u], admit[u]) for u in range(UNITS)]
        i = [math.exp(admit[u] - stable[u]) for u in range(UNITS)]
        f = [math.exp(log_f[u] + m[u] - stable[u]) for u in range(UNITS)]
        c = [f[u] * c[u] + i[u] * math.tanh(cell_input[u]) for u in range(UNITS)]
        n = [f[u] * n[u] + i[u] for u in range(UNITS)]
        h, m = [sigmoid(output[u]) * c[u] / n[u] for u in range(UNITS)], stable
        states.append(h)
    return states


def mlstm(cell: Cell, positions: list[list[float]]) -> list[list[float]]:
    """Beck et al. 2024, equations 19 to 27 with the stabilizer m, for each of two heads of three units."""
    W, V, b = [weight.tolist() for weight in cell.weights()]
    heads, size = 2, 3
    C = [[[0.0] * size for _ in range(size)] for _ in range(heads)]
    n, m, states = [[0.0] * size for _ in range(heads)], [0.0] * heads, []
    for inputs in positions:
        rows = [
            sum(w * x for w, x in zip(row, inputs, strict=True)) + bias for row, bias in zip([*W, *V], b, strict=True)
        ]
        h = []
        for head in range(heads):
            q, k, v, o = (rows[part * UNITS + head * size : part * UNITS + (head + 1) * size] for part in range(4))
            k = [x / math.sqrt(size) for x in k]
            admit, log_f = rows[4 * UNITS + head], math.log(sigmoid(rows[4 * UNITS + heads + head]))
            stable = max(log_f + m[head], admit)
            i, f, m[head] = math.exp(admit - stable), math.exp(log_f + m[head] - stable), stable
            C[head] = [[f * C[head][a][b] + i * v[a] * k[b] for b in range(size)] for a in range(size)]
            n[head] = [f * n[head][a] + i * k[a] for a in range(size)]
            divisor = max(abs(sum(n[head][a] * q[a] for a in range(size))), math.exp(-stable))
            read = [sum(C[head][a][b] * q[b] for b in range(size)) / divisor for a in range(size)]
            h += [sigmoid(o[a]) * read[a] for a in range(size)]
        states.append(h)
    return states


PAPERS = {
    CellKind.ssru: ssru,
    CellKind.sru: sru,
    CellKind.min_gru: min_gru,
    CellKind.min_lstm: min_lstm,
    CellKind.slstm: slstm,
    CellKind.mlstm: mlstm,
}


@pytest.mark.parametrize("kind", RECENT)
def test_states_are_those_of_the_paper_s_equations(kind):
    cell, inputs_1TI = random_cell(kind), random_inputs(1, 9)
    with torch.no_grad():
        states_1TH, _ = cell.run(inputs_1TI)
    torch.testing.assert_close(states_1TH[0].tolist(), PAPERS[kind](cell, inputs_1TI[0].tolist()), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", RECENT)
def test_gradients_are_those_of_finite_differences(kind):
    cell, padding_NT = random_cell(kind), torch.tensor([[False] * 3, [False, True, True]])
    hidden, memory = zero_state(cell, 2, torch.zeros(1, dtype=torch.float64))
    generator = torch.Generator().manual_seed(3)
    first = [part.uniform_(-1, 1, generator=generator).requires_grad_() for part in (hidden, memory)]

    def run(inputs: Tensor, hidden: Tensor, memory: Tensor, *_: Tensor) -> list[Tensor]:
        states, last = cell.run(inputs, CellState(hidden, memory), padding_NT)
        return [part for part in (states, *last) if part is not None]

    arguments = [random_inputs(2, 3).requires_grad_(), *first, *cell.parameters()]  # which are changed in place
    assert torch.autograd.gradcheck(run, arguments, fast_mode=True)


def results(cell: Cell, inputs_NTI: Tensor, by_step: bool) -> list[Tensor]:
    """Return states, last state, and gradients of inputs and weights; by `step` or by `run`."""
    inputs_NTI = inputs_NTI.clone().requires_grad_()
    if by_step:
        state, hidden = zero_state(cell, len(inputs_NTI), inputs_NTI), []
        for inputs_NI in inputs_NTI.unbind(1):
            state, _ = cell.step(inputs_NI, state)
            hidden.append(state.hidden_NH)
        states_NTH = torch.stack(hidden, 1)
    else:
        states_NTH, state = cell.run(inputs_NTI)
    parts = [states_NTH, *(part for part in state if part is not None)]
    loss = sum((part * torch.linspace(-1, 1, part.numel(), dtype=part.dtype).view_as(part)).mean() for part in parts)
    return [*parts, *torch.autograd.grad(loss, [inputs_NTI, *cell.parameters()])]


@pytest.mark.parametrize("kind", RECENT)
def test_a_sequence_in_float32_equals_its_steps(kind):
    cell, inputs_NTI = random_cell(kind, spread=0.5, dtype=torch.float32), random_inputs(2, 130).float()
    for found, wanted in zip(*(results(cell, inputs_NTI, by_step) for by_step in (False, True)), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", RECENT)
@pytest.mark.parametrize("positions", [300, pytest.param(1000, marks=pytest.mark.slow)])
def test_many_positions_with_saturated_gates_are_as_exact_as_their_steps(kind, positions):
    """Some gates are closed and others open; float64 is the reference for both."""
    cell, inputs_NTI = random_cell(kind, spread=4.0), random_inputs(1, positions)
    exact = results(cell, inputs_NTI, by_step=True)
    stepped, run = (results(cell.float(), inputs_NTI.float(), by_step) for by_step in (True, False))
    for wanted, *approximations in zip(exact, stepped, run, strict=True):
        allowed, found = ((part.double() - wanted).abs().max().item() for part in approximations)
        assert found <= 4 * allowed + 1e-5 * max(1.0, wanted.abs().max().item())


@pytest.mark.parametrize("kind", RECENT)
@torch.no_grad()
def test_a_row_does_not_depend_on_padding_or_other_rows(kind):
    cell, inputs_NTI, lengths = random_cell(kind), random_inputs(4, 70), [70, 1, 33, 65]
    padding_NT = torch.arange(70) >= torch.tensor(lengths).unsqueeze(1)
    states_NTH, last = cell.run(inputs_NTI, None, padding_NT)
    assert not states_NTH[padding_NT].any()
    for row, length in enumerate(lengths):
        alone, end = cell.run(inputs_NTI[row : row + 1, :length])
        torch.testing.assert_close(states_NTH[row : row + 1, :length], alone, rtol=0, atol=1e-12)
        for one, other in zip(last, end, strict=True):
            assert one is other is None or torch.allclose(one[row : row + 1], other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("positions", [1, 2, 7, 64])
def test_both_linear_scans_are_the_recurrence(positions):
    kept, added = random_inputs(3, positions).sigmoid(), random_inputs(3, positions, seed=3)
    kept[:, ::3] = 0  # a closed gate, and later an open one
    kept[:, 1::5] = 1
    state = first = random_inputs(3, 1, seed=4)[:, 0]
    wanted = []
    for position in range(positions):
        state = kept[:, position] * state + added[:, position]
        wanted.append(state)
    for scan in (by_position, by_doubling, linear_scan):
        torch.testing.assert_close(scan(kept, added, first), torch.stack(wanted, 1), rtol=0, atol=1e-12)


@needs_bfloat16
@pytest.mark.parametrize("kind", RECENT)
def test_states_stay_float32_under_autocast(kind):
    cell = random_cell(kind, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        states_NTH, (hidden_NH, _) = cell.run(random_inputs(2, 5).float())
    assert states_NTH.dtype == hidden_NH.dtype == torch.float32


DIRECTIONS = [Direction.forward, Direction.bidirectional, Direction.alternating]


@pytest.mark.grid(n=2)
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("kind", RECENT)
def test_teacher_forcing_equals_one_token_at_a_time(kind, direction, layers, residual):
    residual_from = 2 if residual and layers > 1 else None
    config = ModelConfig(
        embedding_size=4,
        encoder=EncoderConfig(cell=kind, layers=layers, size=6, direction=direction, residual_from=residual_from),
        decoder=DecoderConfig(cell=kind, layers=layers, size=6, residual_from=residual_from),
        attention=AttentionKind.general,
    )
    network = random_network(config, seed=layers)
    source_BS, lengths_B = padded([[3, 4, 5, 6, EOS], [7, EOS]])
    target_BT = torch.tensor([[BOS, 4, 5, 6], [BOS, 7, 3, 3]])
    with torch.no_grad():
        memory, state = network.encode(source_BS, lengths_B)
        together = network.decoder(network.target_embedding(target_BT), memory, state).features_NTF
        for position, tokens_B in enumerate(target_BT.unbind(1)):
            output = network.decoder(network.target_embedding(tokens_B).unsqueeze(1), memory, state)
            state = output.state
            torch.testing.assert_close(output.features_NTF[:, 0], together[:, position], rtol=0, atol=1e-10)


SENTENCES = [list(letters) for length in (1, 2, 3) for letters in product([3, 4, 5], repeat=length)]


@cache
def learned(kind: CellKind) -> float:
    """The share of tokens that a tiny network of these cells, without attention, reverses correctly after training."""
    torch.manual_seed(1)
    config = ModelConfig(
        embedding_size=16,
        encoder=EncoderConfig(cell=kind, layers=1, size=32, direction=Direction.forward),
        decoder=DecoderConfig(cell=kind, layers=1, size=32),
        dropout=0.0,
        initial_range=0.3,
    )
    network = Network(config, 6, 6, joint=True)
    source_BS, lengths_B = padded([[*sentence, EOS] for sentence in SENTENCES])
    inputs_BT, target_lengths_B = padded([[BOS, *sentence[::-1]] for sentence in SENTENCES])
    labels_BT, _ = padded([[*sentence[::-1], EOS] for sentence in SENTENCES])
    real_P = (torch.arange(inputs_BT.size(1)) < target_lengths_B.unsqueeze(1)).flatten().nonzero().squeeze(1)
    labels_P = labels_BT.flatten()[real_P]
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(160):
        logits_PV = network(source_BS, lengths_B, inputs_BT, real_P)
        optimizer.zero_grad()
        cross_entropy(logits_PV, labels_P).backward()
        optimizer.step()
    return float((logits_PV.argmax(1) == labels_P).float().mean())


@pytest.mark.slow
@pytest.mark.parametrize("kind", RECENT)
def test_a_tiny_network_learns_to_reverse_words(kind):
    """Every order of three letters, through the context vector only."""
    assert learned(kind) > 0.95
