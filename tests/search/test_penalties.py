"""Length normalisation and maximum lengths."""

import math

import pytest
import torch

from seq2seq.search import SearchConfig, length_normalised


@pytest.mark.parametrize(("alpha", "expected"), [(0.0, -6.0), (1.0, -1.5), (0.5, -3.0)])
def test_power_of_the_length(alpha, expected):
    assert length_normalised(-6.0, 4, alpha) == pytest.approx(expected)


def test_alpha_one_favours_neither_short_nor_long():
    scores = [length_normalised(length * math.log(0.5), length, 1.0) for length in (1, 2, 10, 100)]
    assert scores == pytest.approx([math.log(0.5)] * 4)


def test_the_impossible_stays_impossible():
    assert length_normalised(-math.inf, 3, 0.7) == -math.inf


def test_maximum_lengths_are_rounded_down_and_never_zero():
    lengths_B = torch.tensor([1, 2, 10])
    assert SearchConfig(max_length_ratio=1.5, max_length_offset=3).max_lengths(lengths_B).tolist() == [4, 6, 18]
    assert SearchConfig(max_length_ratio=0.3, max_length_offset=0).max_lengths(lengths_B).tolist() == [1, 1, 3]
