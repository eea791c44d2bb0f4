"""Local-p attention: a place in the source is predicted, and attention stays near it (Luong et al. 2015, section 3.2).

B sentences, Q queries of a sentence, S source positions, H decoder units.
"""

import torch
from torch import Tensor, nn


class Window(nn.Module):
    """p = S · sigmoid(v · tanh(W h)), the window [p - D, p + D], and in it a Gaussian of deviation D/2 (eq. 9, 10)."""

    def __init__(self, query_size: int, reach: int) -> None:
        super().__init__()
        self.reach = reach
        self.query_map = nn.Linear(query_size, query_size, bias=False)
        self.place = nn.Linear(query_size, 1, bias=False)

    def forward(self, queries_BQH: Tensor, padding_BS: Tensor | None, positions: int) -> Tensor:
        """Nearness (B, Q, S) of every position to the predicted place, in (0, 1], zero outside the window.

        Positions count from 1, S is each sentence's own length: at least one position lies in every window.
        """
        share_BQ1 = self.place(self.query_map(queries_BQH).tanh()).float().sigmoid()
        length_B11: Tensor | int = positions if padding_BS is None else (~padding_BS).sum(1).view(-1, 1, 1)
        distance_BQS = torch.arange(1, positions + 1, device=share_BQ1.device) - length_B11 * share_BQ1
        nearness_BQS: Tensor = (-2 * (distance_BQS / self.reach).square()).exp()
        return nearness_BQS.masked_fill(distance_BQS.abs() > self.reach, 0)
