"""The layer-normalised LSTM."""

import torch
from torch.nn.functional import layer_norm

from seq2seq.model.cell import CellState, LayerNormLSTM

CLOSE = {"rtol": 0, "atol": 1e-12}


def random_lstm() -> LayerNormLSTM:
    """Three inputs, four units, every number in [-1, 1]."""
    lstm = LayerNormLSTM(3, 4).double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in lstm.parameters():
            parameter.uniform_(-1, 1, generator=generator)
    return lstm


def random_state() -> tuple[torch.Tensor, CellState]:
    generator = torch.Generator().manual_seed(2)
    inputs, hidden, cell = (torch.randn(2, size, generator=generator).double() for size in (3, 4, 4))
    return inputs, CellState(hidden.tanh(), cell)


def test_every_gate_is_normalised_by_itself_and_the_cell_on_its_way_out():
    lstm, (inputs, state) = random_lstm(), random_state()
    after, gates = lstm.step(inputs, state)
    sums = inputs @ lstm.weight_ih.T + state.hidden_NH @ lstm.weight_hh.T
    closed = [
        layer_norm(part, [4], gain, bias)
        for part, gain, bias in zip(
            sums.chunk(4, 1), lstm.gate_norm.weight.chunk(4), lstm.gate_norm.bias.chunk(4), strict=True
        )
    ]
    i, f, o = (closed[place].sigmoid() for place in (0, 1, 3))
    for name, wanted in (("input", i), ("forget", f), ("candidate", closed[2].tanh()), ("output", o)):
        torch.testing.assert_close(gates[name], wanted, **CLOSE)
    cell = f * state.cell_NH + i * closed[2].tanh()
    torch.testing.assert_close(after.cell_NH, cell, **CLOSE)
    wanted = o * layer_norm(cell, [4], lstm.cell_norm.weight, lstm.cell_norm.bias).tanh()
    torch.testing.assert_close(after.hidden_NH, wanted, **CLOSE)


def test_the_scale_of_one_gates_weights_does_not_matter():
    lstm, (inputs, state) = random_lstm(), random_state()
    before, _ = lstm.step(inputs, state)
    with torch.no_grad():
        for weight in lstm.weights():
            weight[:4].mul_(3)  # the input gate's
    after, _ = lstm.step(inputs, state)
    # To the small number that keeps a normalisation from dividing by zero.
    torch.testing.assert_close(after.hidden_NH, before.hidden_NH, rtol=0, atol=1e-4)


def test_under_autocast_the_state_stays_as_it_is():
    lstm = LayerNormLSTM(3, 4)
    with torch.autocast("cpu", torch.bfloat16):
        states, (hidden, cell) = lstm.run(torch.randn(2, 5, 3))
    assert states.dtype == hidden.dtype == cell.dtype == torch.float32
