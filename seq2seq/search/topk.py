"""The best continuations of a beam, found faster than by ranking the whole vocabulary.

Shapes: B sentences, K beam size, V vocabulary, C continuations wanted; V is viewed as W rows of J = V / W columns.
"""

import math

import torch
from torch import Tensor

HEIGHTS = range(50, 7, -1)
"""Heights W to try; the first that divides V is used."""


def top_continuations(total_BK: Tensor, log_probability_BKV: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Find the ``count`` largest sums of a hypothesis's total and a token's log-probability.

    Each of the C best sums lies in one of the C columns with the largest maxima, so only these columns are ranked.
    Column maxima run at memory speed; ranking all tokens takes three times as long as this whole function.

    Returns:
        the sums, the hypothesis 0 … K-1 that each continues, and the token; all (B, C). The order of equal sums is
        arbitrary; only with one hypothesis and C ≤ 2 the lowest token comes first, as in greedy search.
    """
    sentences, beam_size, vocabulary = log_probability_BKV.shape
    if beam_size == 1 and count <= 2:
        return _top_two(total_BK, log_probability_BKV.squeeze(1), count)
    height = next((height for height in HEIGHTS if vocabulary % height == 0), 1)
    columns = vocabulary // height
    maxima_BKJ = log_probability_BKV.view(sentences, beam_size, height, columns).amax(2) + total_BK.unsqueeze(2)
    column_BC = maxima_BKJ.flatten(1).topk(min(count, beam_size * columns)).indices
    parent_BC = column_BC.div(columns, rounding_mode="floor")
    first_BC = parent_BC * vocabulary + column_BC % columns
    index_BCW = first_BC.unsqueeze(2) + torch.arange(0, vocabulary, columns, device=first_BC.device)
    value_BCW = log_probability_BKV.flatten(1).gather(1, index_BCW.flatten(1)).view_as(index_BCW)
    sum_BCW = value_BCW + total_BK.gather(1, parent_BC).unsqueeze(2)
    total_BC, chosen_BC = sum_BCW.flatten(1).topk(count)
    index_BC = index_BCW.flatten(1).gather(1, chosen_BC)
    return total_BC, index_BC.div(vocabulary, rounding_mode="floor"), index_BC % vocabulary


def _top_two(total_B1: Tensor, log_probability_BV: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """As `top_continuations` for one hypothesis. Ranks before adding the total, because rounded sums may tie."""
    value_B1, token_B1 = log_probability_BV.max(1, keepdim=True)
    others_BV = log_probability_BV.scatter(1, token_B1, -math.inf)
    value_BC, token_BC = (
        torch.cat(both, dim=1)[:, :count]
        for both in zip((value_B1, token_B1), others_BV.max(1, keepdim=True), strict=True)
    )
    return value_BC + total_B1, torch.zeros_like(token_BC), token_BC
