"""Padding: masks, reversal, last states and the flag; tests/model/test_cell.py tests that padding changes nothing."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from seq2seq.model.cell import last_states
from seq2seq.model.encoder import padding_mask, reverse_sentences
from seq2seq.model.kernels import flag_padding, padding_column

LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=6)


def noise(seed: int, lengths: list[int], more: int) -> tuple[Tensor, Tensor]:
    """Return vectors of width 3, also at padding, and the lengths."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(len(lengths), max(lengths) + more, 3, generator=generator), torch.tensor(lengths)


def test_the_mask_is_true_at_padding():
    mask = padding_mask(torch.tensor([1, 3, 4]), 4)
    assert mask.tolist() == [[False, True, True, True], [False, False, False, True], [False] * 4]


def test_reversal_leaves_padding_at_the_end():
    rows = torch.tensor([[1, 2, 3, 0], [4, 0, 0, 0], [5, 6, 7, 8]]).unsqueeze(2)
    result = reverse_sentences(rows, torch.tensor([3, 1, 4])).squeeze(2)
    assert result.tolist() == [[3, 2, 1, 0], [4, 0, 0, 0], [8, 7, 6, 5]]


@given(st.integers(0, 10_000), LENGTHS, st.integers(0, 3))
def test_reversal_equals_list_reversal_and_is_its_own_inverse(seed, lengths, more):
    inputs_BSE, lengths_B = noise(seed, lengths, more)
    reversed_states = reverse_sentences(inputs_BSE, lengths_B)
    for row, length in enumerate(lengths):
        assert reversed_states[row, :length].tolist() == inputs_BSE[row, :length].tolist()[::-1]
        assert reversed_states[row, length:].tolist() == inputs_BSE[row, length:].tolist()
    assert torch.equal(reverse_sentences(reversed_states, lengths_B), inputs_BSE)


def test_the_padding_flag_closes_the_input_gate_and_opens_the_forget_gate():
    column = padding_column(torch.randn(8, 3))
    assert column.shape == (8, 1)
    shut, opened, rest = column[:2], column[2:4], column[4:]
    assert torch.sigmoid(shut).tolist() == [[0.0], [0.0]]
    assert torch.sigmoid(opened).tolist() == [[1.0], [1.0]]
    assert rest.abs().sum() == 0


@pytest.mark.parametrize("inputs", [3, 4])
def test_the_padding_flag_is_one_more_input_with_one_more_weight_column(inputs):
    """A zero pads an odd number of columns."""
    _, lengths_B = noise(1, [2, 3], 0)
    inputs_BSE, weight = torch.randn(2, 3, inputs), torch.randn(8, inputs)
    flagged, flagged_weight = flag_padding(inputs_BSE, padding_mask(lengths_B, 3), weight)
    assert flagged.size(2) == flagged_weight.size(1) == 4 + 2 * (inputs % 2 == 0)
    assert torch.equal(flagged[..., :inputs], inputs_BSE)
    assert flagged[..., inputs].tolist() == [[0, 0, 1], [0, 0, 0]]
    assert torch.equal(flagged_weight[:, : inputs + 1], torch.cat([weight, padding_column(weight)], dim=1))
    assert not flagged[..., inputs + 1 :].any()
    assert not flagged_weight[:, inputs + 1 :].any()


@pytest.mark.parametrize(("inputs", "wide"), [(6, 8), (7, 8), (8, 16), (256, 264)])
def test_on_a_gpu_rows_stay_aligned(inputs, wide):
    """The meta device represents a GPU."""
    sizes = (2, 3, inputs), (2, 3), (8, inputs)
    flagged, weight = flag_padding(*(torch.empty(size, device="meta") for size in sizes))
    assert (flagged.size(2), weight.size(1)) == (wide, wide)


@given(st.integers(0, 10_000), LENGTHS, st.integers(0, 3))
def test_the_last_state_precedes_the_padding(seed, lengths, more):
    inputs_BSE, lengths_B = noise(seed, lengths, more)
    result = last_states(inputs_BSE, padding_mask(lengths_B, inputs_BSE.size(1)))
    assert torch.equal(result, torch.stack([inputs_BSE[row, length - 1] for row, length in enumerate(lengths)]))
