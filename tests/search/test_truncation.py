"""Which pieces may be drawn."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.search.truncation import truncated

SHARES = [0.2, 0.5, 0.05, 0.25]


def left(top_k=None, top_p=1.0, shares=SHARES) -> set[int]:
    kept = truncated(torch.tensor([shares]).log(), top_k, top_p)
    return set(kept[0].isfinite().nonzero().flatten().tolist())


@pytest.mark.parametrize(
    ("top_k", "top_p", "wanted"),
    [
        (None, 1.0, {0, 1, 2, 3}),
        (1, 1.0, {1}),
        (2, 1.0, {1, 3}),
        (9, 1.0, {0, 1, 2, 3}),
        (None, 0.01, {1}),
        (None, 0.49, {1}),
        (None, 0.6, {1, 3}),
        (None, 0.8, {1, 3, 0}),
        (None, 0.96, {1, 3, 0, 2}),
        (2, 0.6, {1}),  # of 0.5 and 0.25 the first has two thirds
        (3, 0.6, {1, 3}),
    ],
)
def test_the_likeliest_few_then_the_nucleus_of_these(top_k, top_p, wanted):
    assert left(top_k, top_p) == wanted
    assert left(top_k, top_p, [7 * share for share in SHARES]) == wanted, "shares need not add up to 1"


def test_what_stays_is_unchanged_and_what_is_impossible_stays_so():
    log_share_NV = torch.tensor([[0.0, 0.7, 0.1, 0.2], [0.0, 0.0, 0.0, 0.0]]).log()
    kept = truncated(log_share_NV, 2, 0.99)
    assert kept[0].tolist() == [-math.inf, log_share_NV[0, 1].item(), -math.inf, log_share_NV[0, 3].item()]
    assert kept[1].isinf().all()


@given(st.lists(st.integers(1, 20), min_size=1, max_size=8), st.integers(1, 8), st.floats(0.05, 0.95))
def test_against_the_definition(weights, top_k, top_p):
    ranked = sorted(range(len(weights)), key=lambda piece: -weights[piece])[:top_k]
    wanted, sum_of_all = [], sum(weights[piece] for piece in ranked)
    for piece in ranked:
        wanted.append(piece)
        if sum(weights[one] for one in wanted) / sum_of_all >= top_p + 1e-9:
            break
    total = sum(weights[one] for one in wanted) / sum_of_all
    if abs(total - top_p) > 1e-6 and abs(total - weights[wanted[-1]] / sum_of_all - top_p) > 1e-6:
        assert left(top_k, top_p, [float(weight) for weight in weights]) == set(wanted)
