"""The best continuations, beside ranking all of them."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from seq2seq.search.topk import top_continuations

# Too small to cut, prime, prime and longer than any column, cut into 50, 48 and 8 rows.
VOCABULARIES = [2, 7, 8, 11, 47, 53, 101, 100, 96, 500, 488, 1009]


def drawn(seed: int, sentences: int, beam_size: int, tokens: int) -> tuple[Tensor, Tensor]:
    """Totals (B, K) and log-probabilities (B, K, V), no two alike."""
    generator = torch.Generator().manual_seed(seed)
    total_BK = -3 * torch.rand(sentences, beam_size, generator=generator)
    return total_BK, torch.randn(sentences, beam_size, tokens, generator=generator).log_softmax(2)


def hold(total_BK: Tensor, log_probability_BKV: Tensor, count: int) -> None:
    """Assert that `top_continuations` finds the best sums, each once and where it says."""
    found_BC, parent_BC, token_BC = top_continuations(total_BK, log_probability_BKV, count)
    sum_BKV = log_probability_BKV.to(total_BK.dtype) + total_BK.unsqueeze(2)
    assert found_BC.dtype is total_BK.dtype
    assert torch.equal(found_BC, sum_BKV.flatten(1).topk(count).values)
    for sentence in range(len(found_BC)):
        places = list(zip(parent_BC[sentence].tolist(), token_BC[sentence].tolist(), strict=True))
        assert len({*places}) == count
        assert [sum_BKV[sentence, parent, token].item() for parent, token in places] == found_BC[sentence].tolist()


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 6), st.sampled_from(VOCABULARIES), st.data())
def test_they_are_the_best_of_all(seed, sentences, beam_size, tokens, data):
    total_BK, log_probability_BKV = drawn(seed, sentences, beam_size, tokens)
    count = data.draw(st.integers(1, min(2 * beam_size, beam_size * tokens)))
    hold(total_BK, log_probability_BKV, count)


@given(st.integers(0, 10_000), st.integers(2, 5), st.sampled_from(VOCABULARIES))
def test_rows_and_pieces_ruled_out(seed, beam_size, tokens):
    """As at the first step, where one row is real, and under a short-list, where few tokens are allowed."""
    total_BK, log_probability_BKV = drawn(seed, 3, beam_size, tokens)
    total_BK[0, 1:] = -math.inf
    total_BK[1, 0] = -math.inf
    total_BK[2] = -math.inf
    generator = torch.Generator().manual_seed(seed)
    ruled_out = torch.rand(log_probability_BKV.shape, generator=generator) < 0.7
    for log_probability in (log_probability_BKV, log_probability_BKV.masked_fill(ruled_out, -math.inf)):
        hold(total_BK, log_probability, 2 * beam_size)


@pytest.mark.parametrize("tokens", [53, 500])
def test_all_the_best_in_one_column_and_in_one_row(tokens):
    total_BK, log_probability_BKV = torch.zeros(1, 3), torch.full((1, 3, tokens), -50.0)
    columns = 10 if tokens == 500 else 1
    log_probability_BKV[0, 1, 3 : 3 + 12 * columns : columns] = -torch.arange(12.0)
    hold(total_BK, log_probability_BKV[..., : tokens - tokens % 2], 6)
    found_BC, parent_BC, token_BC = top_continuations(total_BK, log_probability_BKV, 6)
    assert found_BC[0].tolist() == [0.0, -1.0, -2.0, -3.0, -4.0, -5.0]
    assert parent_BC[0].tolist() == [1] * 6
    assert token_BC[0].tolist() == [3 + rank * columns for rank in range(6)]


def test_equal_sums_are_found_once_each():
    total_BK, log_probability_BKV = torch.zeros(2, 3), torch.full((2, 3, 100), -1.0)
    hold(total_BK, log_probability_BKV, 6)


def test_lower_precision_is_added_up_in_float32():
    """A total of -300.25 has no bfloat16: the nearest is -300."""
    total_BK, log_probability_BKV = drawn(1, 2, 3, 100)
    total_BK -= 300.25
    hold(total_BK, log_probability_BKV.bfloat16(), 6)
    found_BC, _, _ = top_continuations(total_BK, log_probability_BKV.bfloat16(), 6)
    assert not torch.equal(found_BC, found_BC.bfloat16().float())


def test_of_equal_pieces_of_one_hypothesis_the_lowest_come_first():
    """As greedy search has it, however large the total is by which sums are rounded."""
    for tokens in (8, 500):
        log_probability_BV = torch.full((3, tokens), -9.0)
        log_probability_BV[0, [5, 3, 7]] = log_probability_BV[1, [7, 6]] = -1.0
        log_probability_BV[2, [4, 1]] = torch.tensor([-1.0, -1.0000001])
        total_B1 = torch.tensor([[-1.0], [-2.0], [-1000.0]])
        found_BC, parent_BC, token_BC = top_continuations(total_B1, log_probability_BV.unsqueeze(1), 2)
        assert token_BC.tolist() == [[3, 5], [6, 7], [4, 1]]
        assert token_BC[:, 0].tolist() == log_probability_BV.max(1).indices.tolist()
        assert found_BC[:2].tolist() == [[-2.0, -2.0], [-3.0, -3.0]]
        assert not parent_BC.any()
