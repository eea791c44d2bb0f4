"""Recurrent cells: steps, sequences, padding, recurrent dropout."""

import math

import pytest
import torch
from abilities import needs_bfloat16
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import layer_norm
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seq2seq.model.cell import GRU, LSTM, RNN, Cell, CellState, weight_dropped, zero_state
from seq2seq.model.cells import make_cell
from seq2seq.model.cells.layer_norm_lstm import LayerNormLSTM
from seq2seq.model.choices import CellKind
from seq2seq.model.encoder import padding_mask

INPUTS, UNITS = 3, 4
LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=6)
CLOSE = {"rtol": 0, "atol": 1e-12}
FUSED = [CellKind.lstm, CellKind.gru, CellKind.rnn_tanh, CellKind.rnn_relu]
GATES = {
    CellKind.lstm: {"input", "forget", "candidate", "output"},
    CellKind.gru: {"reset", "update", "candidate"},
    CellKind.rnn_tanh: set(),
    CellKind.rnn_relu: set(),
    CellKind.layer_norm_lstm: {"input", "forget", "candidate", "output"},
    CellKind.ssru: {"forget", "candidate"},
    CellKind.sru: {"forget", "reset", "candidate"},
    CellKind.min_gru: {"forget", "candidate"},
    CellKind.min_lstm: {"input", "forget", "candidate"},
    CellKind.slstm: {"input", "forget", "candidate", "output"},
    CellKind.mlstm: {"input", "forget", "candidate", "output"},
}
RECURRENT = [kind for kind in CellKind if kind.traits.has_recurrent_weights]
CARRYING = [kind for kind in CellKind if kind.has_cell_state or kind is CellKind.mlstm]
"""Cells with a cell state, of one number per unit or another."""


def random_cell(kind: CellKind, seed: int, dtype: torch.dtype = torch.float64, rate: float = 0.0) -> Cell:
    """Return a cell with weights in [-1, 1], large enough to saturate some gates."""
    generator = torch.Generator().manual_seed(seed)
    cell = make_cell(kind, INPUTS, UNITS, rate).to(dtype)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.uniform_(-1, 1, generator=generator)
        if kind is CellKind.rnn_relu:  # Its states are unbounded; small weights keep them finite.
            cell.weights()[1].mul_(0.3)
    return cell


def random_inputs(seed: int, lengths: list[int], dtype: torch.dtype = torch.float64, more: int = 0) -> tuple:
    """Return inputs with noise at padding, lengths and mask."""
    positions, lengths_B = max(lengths) + more, torch.tensor(lengths)
    generator = torch.Generator().manual_seed(seed)
    inputs_NTI = torch.randn(len(lengths), positions, INPUTS, generator=generator, dtype=torch.float64).to(dtype)
    return inputs_NTI, lengths_B, padding_mask(lengths_B, positions)


def random_state(kind: CellKind, rows: int) -> CellState:
    generator, width = torch.Generator().manual_seed(rows), make_cell(kind, INPUTS, UNITS).state_size
    hidden, cell = (torch.randn(rows, units, generator=generator, dtype=torch.float64) for units in (UNITS, width))
    return CellState(hidden.tanh(), cell if kind in CARRYING else None)


def first_state(cell: Cell, kind: CellKind, rows: int) -> CellState:
    hidden, memory = zero_state(cell, rows, torch.zeros(1, dtype=torch.float64))
    return CellState(hidden, memory if kind in CARRYING else None)


def stepped(cell: Cell, inputs_NTI: Tensor, lengths: list[int], state: CellState, weights=None) -> tuple:
    """Compute the result of `Cell.run` with `Cell.step`, row by row."""
    states, ends = torch.zeros(*inputs_NTI.shape[:2], UNITS, dtype=inputs_NTI.dtype), []
    for row, length in enumerate(lengths):
        after = CellState(*(part if part is None else part[row : row + 1] for part in state))
        for position in range(length):
            after, _ = cell.step(inputs_NTI[row : row + 1, position], after, weights)
            states[row, position] = after.hidden_NH[0]
        ends.append(after)
    hidden, cells = zip(*ends, strict=True)
    return states, CellState(torch.cat(hidden), None if cells[0] is None else torch.cat(cells))


def tensors(outcome: tuple[Tensor, CellState]) -> list[Tensor]:
    states, (hidden, cell) = outcome
    return [part for part in (states, hidden, cell) if part is not None]


def gradients(cell: Cell, inputs: list[Tensor], outcome: list[Tensor]) -> list[Tensor]:
    """Return gradients of the inputs and all weights for a loss with a different weight for every number."""
    loss = sum((part * torch.linspace(-1, 1, part.numel(), dtype=part.dtype).view_as(part)).sum() for part in outcome)
    return list(torch.autograd.grad(loss, [*inputs, *cell.parameters()]))


def assert_close(actual: list[Tensor], expected: list[Tensor], tolerance: float = 1e-12) -> None:
    for one, other in zip(actual, expected, strict=True):
        scale = 1 + other.abs().max().item()  # gradients of weights are sums over all positions
        torch.testing.assert_close(one, other, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.parametrize("kind", CellKind)
def test_a_sequence_equals_its_steps_in_value_and_gradient(kind, begun, padded):
    cell, lengths = random_cell(kind, 1), [5, 1, 7, 3] if padded else [6, 6]
    inputs_NTI, _, padding_NT = random_inputs(2, lengths, more=2 if padded else 0)
    state = random_state(kind, len(lengths)) if begun else first_state(cell, kind, len(lengths))
    read = state[1:] if kind in CARRYING and kind not in RECURRENT else state
    leaves = [inputs_NTI, *(part for part in read if part is not None)] if begun else [inputs_NTI]
    for leaf in leaves:
        leaf.requires_grad_()
    actual = tensors(cell.run(inputs_NTI, state if begun else None, padding_NT if padded else None))
    expected = tensors(stepped(cell, inputs_NTI, lengths, state))
    assert len(actual) == (3 if kind in CARRYING else 2)
    assert_close(actual, expected)
    assert actual[0][padding_NT].abs().sum() == 0
    assert_close(gradients(cell, leaves, actual), gradients(cell, leaves, expected))


@pytest.mark.parametrize("kind", RECURRENT)
def test_recurrent_dropout_draws_one_mask_for_all_positions(kind):
    cell, lengths = random_cell(kind, 3, rate=0.5).train(), [4, 6]
    inputs_NTI, _, padding_NT = random_inputs(4, lengths)
    start = first_state(cell, kind, 2)
    torch.manual_seed(5)
    actual = tensors(cell.run(inputs_NTI, None, padding_NT))
    torch.manual_seed(5)
    weights = weight_dropped(cell)
    assert_close(actual, tensors(stepped(cell, inputs_NTI, lengths, start, weights)))
    # Several calls with one mask equal one call; another mask gives another result; evaluation drops nothing.
    first, state = cell.run(inputs_NTI[:, :3], None, None, weights)
    second, _ = cell.run(inputs_NTI[:, 3:4], state, None, weights)
    torch.testing.assert_close(torch.cat([first, second], 1), actual[0][:, :4], **CLOSE)
    assert not torch.allclose(cell.run(inputs_NTI, None, padding_NT)[0], actual[0])
    assert_close(
        tensors(cell.eval().run(inputs_NTI, None, padding_NT)), tensors(stepped(cell, inputs_NTI, lengths, start))
    )


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def one_unit(cell: Cell, input_weights: list[float], recurrent_weights: list[float], biases: list[float]) -> Cell:
    """Return a cell with one unit and one input, and the second bias half the first."""
    with torch.no_grad():
        for weight, numbers in zip(cell.weights(), (input_weights, recurrent_weights, biases), strict=False):
            weight.copy_(torch.tensor(numbers, dtype=torch.float64).view_as(weight))
        cell.weights()[3].copy_(cell.weights()[2] / 2)
    return cell


def test_an_lstm_step_by_hand():
    cell = one_unit(LSTM(1, 1).double(), [1.0, -2.0, 0.5, 3.0], [0.5, 1.0, -1.0, 2.0], [0.2, 0.4, 0.0, -1.0])
    state = CellState(torch.tensor([[0.3]]).double(), torch.tensor([[-0.8]]).double())
    (hidden, memory), gates = cell.step(torch.tensor([[0.7]]).double(), state)
    i, f = sigmoid(0.7 + 0.15 + 0.3), sigmoid(-1.4 + 0.3 + 0.6)
    g, o = math.tanh(0.35 - 0.3), sigmoid(2.1 + 0.6 - 1.5)
    c = f * -0.8 + i * g
    numbers = [gates["input"], gates["forget"], gates["candidate"], gates["output"], memory, hidden]
    assert [number.item() for number in numbers] == pytest.approx([i, f, g, o, c, o * math.tanh(c)], abs=1e-7)


def test_a_gru_step_by_hand():
    cell = one_unit(GRU(1, 1).double(), [1.0, -2.0, 0.5], [0.5, 1.0, -1.0], [0.2, 0.4, -0.6])
    (hidden, memory), gates = cell.step(torch.tensor([[0.7]]).double(), CellState(torch.tensor([[0.3]]).double(), None))
    r, z = sigmoid(0.7 + 0.15 + 0.3), sigmoid(-1.4 + 0.3 + 0.6)
    n = math.tanh(0.35 - 0.6 + r * (-0.3 - 0.3))
    result = [gates["reset"], gates["update"], gates["candidate"], hidden]
    assert [number.item() for number in result] == pytest.approx([r, z, n, (1 - z) * n + z * 0.3], abs=1e-7)
    assert memory is None


@pytest.mark.parametrize(("relu", "expected"), [(False, math.tanh(-0.55)), (True, 0.0)])
def test_a_simple_step_by_hand(relu, expected):
    cell = one_unit(RNN(1, 1, relu=relu).double(), [-1.0], [0.5], [0.0])
    state, gates = cell.step(torch.tensor([[0.7]]).double(), CellState(torch.tensor([[0.3]]).double(), None))
    assert state.hidden_NH.item() == pytest.approx(expected, abs=1e-7)
    assert (state.cell_NH, gates) == (None, {})
    upwards, _ = cell.step(torch.tensor([[-0.7]]).double(), state)
    assert upwards.hidden_NH.item() == pytest.approx(0.7 if relu else math.tanh(0.7 + expected / 2), abs=1e-7)


@pytest.mark.parametrize("kind", CellKind)
@torch.no_grad()
def test_a_higher_forget_bias_keeps_more_of_the_state(kind):
    cell, inputs = make_cell(kind, INPUTS, UNITS).double(), random_inputs(1, [1, 1])[0][:, 0]
    gates = []
    for bias in (-2.0, 2.0):
        cell.fill_forget_bias(bias)
        gates.append(cell.step(inputs, random_state(kind, 2))[1])
    low, high = gates
    if kind.traits.has_forget_gate:
        assert (high["forget"] > low["forget"]).all()
    else:
        assert all(torch.equal(high[name], low[name]) for name in low)


@pytest.mark.parametrize("kind", CellKind)
def test_each_kind_builds_its_cell(kind):
    cell = make_cell(kind, INPUTS, UNITS)
    assert (cell.input_size, cell.hidden_size) == (INPUTS, UNITS)
    rows, traits = cell.blocks * UNITS, kind.traits
    assert traits.blocks == cell.blocks
    assert (traits.has_cell_state, traits.has_recurrent_weights) == (cell.has_cell_state, cell.has_recurrent_weights)
    W_ih, *others = cell.weights()
    assert W_ih.shape == (rows, INPUTS)
    assert others[0].shape == (rows, UNITS) or kind not in RECURRENT
    assert [bias.shape for bias in others[1:]] == [(rows,)] * 2 or kind not in FUSED
    inputs_NTI, _, _ = random_inputs(1, [1, 1], torch.float32)
    state = CellState(*(part if part is None else part.float() for part in random_state(kind, 2)))
    after, gates = cell.step(inputs_NTI[:, 0], state)
    assert set(gates) == GATES[kind]
    assert all(gate.shape == (2, UNITS) for gate in gates.values())
    assert all((gate >= 0).all() and (gate <= 1).all() for name, gate in gates.items() if name != "candidate")
    assert (after.cell_NH is not None) == (kind in CARRYING)
    assert (cell.unit_state(after) is not None) == kind.has_cell_state


def test_an_lstm_without_a_cell_state_raises():
    with pytest.raises(AssertionError, match="needs a cell state"):
        LSTM(1, 1).step(torch.ones(1, 1), CellState(torch.ones(1, 1), None))


def packed(cell: nn.RNNBase, inputs_NTI: Tensor, lengths_B: Tensor) -> list[Tensor]:
    """Return states and last states of torch for a packed sequence."""
    sequence = pack_padded_sequence(inputs_NTI, lengths_B, batch_first=True, enforce_sorted=False)
    outputs, last = cell(sequence)
    states = pad_packed_sequence(outputs, batch_first=True, total_length=inputs_NTI.size(1))[0]
    return [states, *(part[0] for part in (last if isinstance(last, tuple) else (last,)))]


@given(
    st.sampled_from(FUSED),
    st.integers(0, 10_000),
    LENGTHS,
    st.integers(0, 3),
    st.sampled_from([torch.float32, torch.float64]),
    st.booleans(),
)
def test_a_sequence_equals_a_packed_sequence(kind, seed, lengths, more, dtype, learning):
    cell = random_cell(kind, seed, dtype).train(learning)
    inputs_NTI, lengths_B, padding_NT = random_inputs(seed, lengths, dtype, more)
    tolerance = 5e-6 if dtype is torch.float32 else 1e-12
    with torch.set_grad_enabled(learning):  # torch uses another kernel without gradients
        actual = tensors(cell.run(inputs_NTI.requires_grad_(learning), None, padding_NT))
        expected = packed(cell, inputs_NTI, lengths_B)
        assert_close(actual, expected, tolerance)
        if learning:
            of_inputs, *of_weights = gradients(cell, [inputs_NTI], actual)
            assert_close([of_inputs, *of_weights], gradients(cell, [inputs_NTI], expected), tolerance)
            assert of_inputs[padding_NT].abs().sum() == 0


@given(st.sampled_from(CellKind), st.integers(0, 10_000), LENGTHS, st.sampled_from([0.0, -1.0, 30.0]))
def test_inputs_at_padding_have_no_effect(kind, seed, lengths, padding):
    cell = random_cell(kind, seed, torch.float32)
    inputs_NTI, _, padding_NT = random_inputs(seed, lengths, torch.float32, more=2)
    other = inputs_NTI.masked_fill(padding_NT.unsqueeze(2), padding)
    for one, another in zip(
        tensors(cell.run(inputs_NTI, None, padding_NT)), tensors(cell.run(other, None, padding_NT)), strict=True
    ):
        assert torch.equal(one, another)


def test_a_cell_survives_ten_thousand_steps_of_padding():
    cell = random_cell(CellKind.lstm, 5, torch.float32)
    inputs_NTI, _, padding_NT = random_inputs(5, [3], torch.float32, more=10_000)
    with torch.no_grad():
        _, end = cell.run(inputs_NTI, None, padding_NT)
        _, alone = cell.run(inputs_NTI[:, :3])
    # Padding changes nothing but rounding, which depends on the number of positions.
    torch.testing.assert_close(end.cell_NH, alone.cell_NH, rtol=0, atol=1e-6)
    torch.testing.assert_close(end.hidden_NH, alone.hidden_NH, rtol=0, atol=1e-6)


@needs_bfloat16
@pytest.mark.parametrize("kind", CellKind)
def test_gradients_in_bfloat16_are_close_to_float32(kind):
    cell = random_cell(kind, 6, torch.float32)
    inputs_NTI, _, padding_NT = random_inputs(6, [5, 2, 8], torch.float32)
    expected = tensors(cell.run(inputs_NTI, None, padding_NT))
    with torch.autocast("cpu", torch.bfloat16):
        actual = [part.float() for part in tensors(cell.run(inputs_NTI, None, padding_NT))]
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0.1, atol=0.1)
    assert all(gradient.isfinite().all() for gradient in gradients(cell, [], actual))


RATE = 0.3


@pytest.mark.parametrize("kind", RECURRENT)
def test_weight_dropping_zeroes_recurrent_weights_only_and_scales_the_rest(kind):
    torch.manual_seed(1)
    cell = make_cell(kind, 5, 60, RATE).train()
    W_ih, W_hh, *biases = weight_dropped(cell)
    wanted_ih, wanted_hh, *wanted_biases = cell.weights()
    assert torch.equal(W_ih, wanted_ih)
    assert all(map(torch.equal, biases, wanted_biases))
    fallen = W_hh == 0
    assert abs(fallen.float().mean().item() - RATE) < 0.05
    torch.testing.assert_close(W_hh[~fallen], wanted_hh[~fallen] / (1 - RATE))
    assert not torch.equal(weight_dropped(cell)[1] == 0, fallen)


@pytest.mark.parametrize(("rate", "training"), [(RATE, False), (0.0, True)])
def test_without_weight_dropping_the_weights_are_unchanged(rate, training):
    cell = make_cell(CellKind.lstm, 5, 6, rate).train(training)
    before = torch.get_rng_state()
    assert all(one is other for one, other in zip(weight_dropped(cell), cell.weights(), strict=True))
    assert torch.equal(torch.get_rng_state(), before), "nothing was drawn"


def random_layer_norm_lstm() -> LayerNormLSTM:
    """Three inputs, four units, every number in [-1, 1]."""
    lstm = LayerNormLSTM(3, 4).double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in lstm.parameters():
            parameter.uniform_(-1, 1, generator=generator)
    return lstm


def random_layer_norm_state() -> tuple[torch.Tensor, CellState]:
    generator = torch.Generator().manual_seed(2)
    inputs, hidden, cell = (torch.randn(2, size, generator=generator).double() for size in (3, 4, 4))
    return inputs, CellState(hidden.tanh(), cell)


def test_each_gate_and_the_output_cell_state_are_normalised_separately():
    lstm, (inputs, state) = random_layer_norm_lstm(), random_layer_norm_state()
    after, gates = lstm.step(inputs, state)
    sums = inputs @ lstm.weight_ih.T + state.hidden_NH @ lstm.weight_hh.T
    closed = [
        layer_norm(part, [4], gain, bias)
        for part, gain, bias in zip(
            sums.chunk(4, 1), lstm.gate_norm.weight.chunk(4), lstm.gate_norm.bias.chunk(4), strict=True
        )
    ]
    i, f, o = (closed[place].sigmoid() for place in (0, 1, 3))
    for name, expected in (("input", i), ("forget", f), ("candidate", closed[2].tanh()), ("output", o)):
        torch.testing.assert_close(gates[name], expected, **CLOSE)
    cell = f * state.cell_NH + i * closed[2].tanh()
    torch.testing.assert_close(after.cell_NH, cell, **CLOSE)
    expected = o * layer_norm(cell, [4], lstm.cell_norm.weight, lstm.cell_norm.bias).tanh()
    torch.testing.assert_close(after.hidden_NH, expected, **CLOSE)


def test_scaling_the_weights_of_one_gate_changes_nothing():
    lstm, (inputs, state) = random_layer_norm_lstm(), random_layer_norm_state()
    before, _ = lstm.step(inputs, state)
    with torch.no_grad():
        for weight in lstm.weights():
            weight[:4].mul_(3)  # the input gate's
    after, _ = lstm.step(inputs, state)
    # The tolerance allows for the epsilon of layer normalization.
    torch.testing.assert_close(after.hidden_NH, before.hidden_NH, rtol=0, atol=1e-4)


def test_autocast_keeps_the_type_of_the_state():
    lstm = LayerNormLSTM(3, 4)
    with torch.autocast("cpu", torch.bfloat16):
        states, (hidden, cell) = lstm.run(torch.randn(2, 5, 3))
    assert states.dtype == hidden.dtype == cell.dtype == torch.float32
