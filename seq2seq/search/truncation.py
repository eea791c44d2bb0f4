"""Which pieces may be drawn: the likeliest few, or the likeliest that hold most of the probability.

N rows, V vocabulary.
"""

import math

from torch import Tensor


def truncated(log_share_NV: Tensor, top_k: int | None, top_p: float) -> Tensor:
    """The logarithms of shares, of whatever sum, with ``-inf`` for pieces that may not be drawn.

    First the ``top_k`` largest alone stay (Fan et al. 2018, §5); of these then the fewest, from the largest, whose sum
    is at least ``top_p`` of theirs (the nucleus, Holtzman et al. 2020, §3.1). Of equal shares those of lower number
    come first. One always stays, if any was possible.
    """
    if top_k is None and top_p == 1:
        return log_share_NV
    ordered_NV, piece_NV = log_share_NV.sort(dim=1, descending=True, stable=True)
    if top_k is not None:
        ordered_NV[:, top_k:] = -math.inf
    if top_p < 1:
        share_NV = ordered_NV.double().softmax(1)
        before_NV = share_NV.cumsum(1) - share_NV
        ordered_NV = ordered_NV.masked_fill(before_NV >= top_p, -math.inf)
    return ordered_NV.new_full(ordered_NV.shape, -math.inf).scatter_(1, piece_NV, ordered_NV)
