"""Padding changes nothing: masks, reversal and the LSTM that walks through padding untouched."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seq2seq.model.padding import padding_column, padding_mask, reverse_sentences, run_lstm

LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=6)
TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-12}


def world(seed: int, lengths: list[int], dtype: torch.dtype, more: int = 0) -> tuple[nn.LSTM, Tensor, Tensor, Tensor]:
    """An LSTM with weights wide enough to saturate some gates, inputs with noise on padding, lengths and mask."""
    generator = torch.Generator().manual_seed(seed)
    lstm = nn.LSTM(3, 4, batch_first=True).to(dtype)
    with torch.no_grad():
        for parameter in lstm.parameters():
            parameter.uniform_(-1, 1, generator=generator)
    positions = max(lengths) + more
    inputs_BSE = torch.randn(len(lengths), positions, 3, generator=generator, dtype=torch.float64).to(dtype)
    lengths_B = torch.tensor(lengths)
    return lstm, inputs_BSE, lengths_B, padding_mask(lengths_B, positions)


def packed_lstm(lstm: nn.LSTM, inputs_BSE: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
    """States and last cell state as torch gives them for a packed sequence."""
    packed = pack_padded_sequence(inputs_BSE, lengths_B, batch_first=True, enforce_sorted=False)
    outputs, (_, cell) = lstm(packed)
    return pad_packed_sequence(outputs, batch_first=True, total_length=inputs_BSE.size(1))[0], cell[0]


def gradients(lstm: nn.LSTM, inputs_BSE: Tensor, outcome: tuple[Tensor, Tensor]) -> list[Tensor]:
    """Of the inputs and all weights, for a loss that asks something else of every number."""
    loss = sum((part * torch.linspace(-1, 1, part.numel(), dtype=part.dtype).view_as(part)).sum() for part in outcome)
    return list(torch.autograd.grad(loss, [inputs_BSE, *lstm.parameters()]))


def test_the_mask_is_true_behind_the_end():
    mask = padding_mask(torch.tensor([1, 3, 4]), 4)
    assert mask.tolist() == [[False, True, True, True], [False, False, False, True], [False] * 4]


def test_reversal_leaves_padding_at_the_end():
    rows = torch.tensor([[1, 2, 3, 0], [4, 0, 0, 0], [5, 6, 7, 8]]).unsqueeze(2)
    found = reverse_sentences(rows, torch.tensor([3, 1, 4])).squeeze(2)
    assert found.tolist() == [[3, 2, 1, 0], [4, 0, 0, 0], [8, 7, 6, 5]]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), LENGTHS, st.integers(0, 3))
def test_reversal_is_that_of_a_list_and_its_own_inverse(seed, lengths, more):
    _, inputs_BSE, lengths_B, _ = world(seed, lengths, torch.float32, more)
    there = reverse_sentences(inputs_BSE, lengths_B)
    for row, length in enumerate(lengths):
        assert there[row, :length].tolist() == inputs_BSE[row, :length].tolist()[::-1]
        assert there[row, length:].tolist() == inputs_BSE[row, length:].tolist()
    assert torch.equal(reverse_sentences(there, lengths_B), inputs_BSE)


def test_the_flag_shuts_the_input_gate_and_opens_the_forget_gate():
    column = padding_column(nn.LSTM(3, 2))
    assert column.shape == (8, 1)
    shut, opened, rest = column[:2], column[2:4], column[4:]
    assert torch.sigmoid(shut).tolist() == [[0.0], [0.0]]
    assert torch.sigmoid(opened).tolist() == [[1.0], [1.0]]
    assert rest.abs().sum() == 0


@settings(deadline=None, max_examples=30)
@given(
    st.integers(0, 10_000), LENGTHS, st.integers(0, 3), st.sampled_from([torch.float32, torch.float64]), st.booleans()
)
def test_states_and_cells_are_those_of_a_packed_sequence(seed, lengths, more, dtype, learning):
    lstm, inputs_BSE, lengths_B, padding_BS = world(seed, lengths, dtype, more)
    with torch.set_grad_enabled(learning):  # torch has another kernel where nothing is learnt
        states, cell = run_lstm(lstm.train(learning), inputs_BSE, padding_BS)
        wanted_states, wanted_cell = packed_lstm(lstm, inputs_BSE, lengths_B)
    torch.testing.assert_close(states, wanted_states, rtol=0, atol=TOLERANCE[dtype])
    torch.testing.assert_close(cell, wanted_cell, rtol=0, atol=TOLERANCE[dtype] * 10)  # a cell is as large as its steps
    assert states[padding_BS].abs().sum() == 0


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), LENGTHS, st.integers(0, 3), st.sampled_from([torch.float32, torch.float64]))
def test_gradients_are_those_of_a_packed_sequence(seed, lengths, more, dtype):
    lstm, inputs_BSE, lengths_B, padding_BS = world(seed, lengths, dtype, more)
    inputs_BSE.requires_grad_()
    found = gradients(lstm, inputs_BSE, run_lstm(lstm, inputs_BSE, padding_BS))
    wanted = gradients(lstm, inputs_BSE, packed_lstm(lstm, inputs_BSE, lengths_B))
    for one, other in zip(found, wanted, strict=True):
        scale = 1 + other.abs().max().item()  # gradients of weights are sums over all positions
        torch.testing.assert_close(one, other, rtol=0, atol=TOLERANCE[dtype] * scale)
    assert found[0][padding_BS].abs().sum() == 0


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), LENGTHS, st.sampled_from([0.0, -1.0, 30.0]))
def test_what_stands_on_padding_never_matters(seed, lengths, padding):
    lstm, inputs_BSE, _, padding_BS = world(seed, lengths, torch.float32, more=2)
    states, cell = run_lstm(lstm, inputs_BSE, padding_BS)
    other = inputs_BSE.masked_fill(padding_BS.unsqueeze(2), padding)
    other_states, other_cell = run_lstm(lstm, other, padding_BS)
    assert torch.equal(states, other_states)
    assert torch.equal(cell, other_cell)


def test_a_cell_survives_ten_thousand_steps_of_padding():
    lstm, inputs_BSE, lengths_B, padding_BS = world(5, [3], torch.float32, more=10_000)
    _, cell = run_lstm(lstm, inputs_BSE, padding_BS)
    _, alone = run_lstm(lstm, inputs_BSE[:, :3], padding_BS[:, :3])
    assert lengths_B.tolist() == [3]
    assert torch.equal(cell, alone)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same():
    lstm, inputs_BSE, _, padding_BS = world(3, [5, 1, 9], torch.float64, more=2)
    on_cpu = run_lstm(lstm, inputs_BSE, padding_BS)
    on_gpu = run_lstm(lstm.cuda(), inputs_BSE.cuda(), padding_BS.cuda())
    for one, other in zip(on_gpu, on_cpu, strict=True):
        torch.testing.assert_close(one.cpu(), other, rtol=0, atol=1e-10)
