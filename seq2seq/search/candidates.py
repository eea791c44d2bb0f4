"""The best continuations of a beam.

Shapes: B sentences, K beam, V vocabulary, C candidates wanted; V is cut into W rows of J = V / W columns.
"""

import math

import torch
from torch import Tensor

ROWS = range(50, 7, -1)
"""Heights W that the vocabulary is cut into, the first that divides it."""


def candidates(total_BK: Tensor, log_probability_BKV: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """The ``count`` best sums (B, C) of a beam's total and a piece's log-probability, their row 0 … K-1 and piece.

    Of equal ones of a single hypothesis the lowest piece comes first, as in greedy search.

    Each of the C best stands in one of the C columns with the highest maxima, so only these columns are ranked. Maxima
    are found at the speed of memory; ranking every piece takes three times as long as all of this.
    """
    sentences, beam_size, pieces = log_probability_BKV.shape
    if beam_size == 1 and count <= 2:
        return _best_two(total_BK, log_probability_BKV.squeeze(1), count)
    rows = next((rows for rows in ROWS if pieces % rows == 0), 1)
    columns = pieces // rows
    maxima_BKJ = log_probability_BKV.view(sentences, beam_size, rows, columns).amax(2) + total_BK.unsqueeze(2)
    column_BC = maxima_BKJ.flatten(1).topk(min(count, beam_size * columns)).indices
    parent_BC = column_BC.div(columns, rounding_mode="floor")
    first_BC = parent_BC * pieces + column_BC % columns
    place_BCW = first_BC.unsqueeze(2) + torch.arange(0, pieces, columns, device=first_BC.device)
    piece_BCW = log_probability_BKV.flatten(1).gather(1, place_BCW.flatten(1)).view_as(place_BCW)
    sum_BCW = piece_BCW + total_BK.gather(1, parent_BC).unsqueeze(2)
    total_BC, chosen_BC = sum_BCW.flatten(1).topk(count)
    place_BC = place_BCW.flatten(1).gather(1, chosen_BC)
    return total_BC, place_BC.div(pieces, rounding_mode="floor"), place_BC % pieces


def _best_two(total_B1: Tensor, log_probability_BV: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """As `candidates`, of one hypothesis; not ranked by the sums, whose rounding makes ties of its own."""
    value_B1, piece_B1 = log_probability_BV.max(1, keepdim=True)
    others_BV = log_probability_BV.scatter(1, piece_B1, -math.inf)
    value_BC, piece_BC = (
        torch.cat(both, dim=1)[:, :count]
        for both in zip((value_B1, piece_B1), others_BV.max(1, keepdim=True), strict=True)
    )
    return value_BC + total_B1, torch.zeros_like(piece_BC), piece_BC
