"""Global attention: for every decoder state, a weighted mean of the encoder's states.

B sentences, Q queries of a sentence (its beam rows × target positions), S source positions, H decoder units,
D encoder width, A width of the keys.
"""

import torch
from torch import Tensor, nn

from seq2seq.model.config import AttentionKind


class Attention(nn.Module):
    """Dot and general scores: Luong et al. 2015, eq. 8; the additive score: Bahdanau et al. 2015, app. A.1.2."""

    def __init__(self, kind: AttentionKind, query_size: int, state_size: int) -> None:
        super().__init__()
        self.kind = kind
        self.key_map = None if kind is AttentionKind.dot else nn.Linear(state_size, query_size, bias=False)
        additive = kind is AttentionKind.additive
        self.query_map = nn.Linear(query_size, query_size) if additive else None
        self.energy = nn.Linear(query_size, 1, bias=False) if additive else None

    def keys(self, states_BSD: Tensor) -> Tensor:
        """The encoder's states as they are compared with queries (B, S, A): computed once a sentence."""
        if self.key_map is None:
            return states_BSD
        keys: Tensor = self.key_map(states_BSD)
        return keys

    def forward(
        self, queries_BQH: Tensor, keys_BSA: Tensor, states_BSD: Tensor, padding_BS: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Contexts (B, Q, D) and the weights (B, Q, S) they were mixed with; padding weighs exactly zero.

        ``padding_BS`` may be None where there is none.
        """
        scores_BQS = self._scores(queries_BQH, keys_BSA).float()
        if padding_BS is not None:
            scores_BQS = scores_BQS.masked_fill(padding_BS.unsqueeze(1), -torch.inf)
        weights_BQS = scores_BQS.softmax(2)
        return weights_BQS.to(states_BSD.dtype) @ states_BSD, weights_BQS

    def _scores(self, queries_BQH: Tensor, keys_BSA: Tensor) -> Tensor:
        if self.query_map is None or self.energy is None:
            return queries_BQH @ keys_BSA.transpose(1, 2)
        sums_BQSA = self.query_map(queries_BQH).unsqueeze(2) + keys_BSA.unsqueeze(1)
        scores: Tensor = self.energy(sums_BQSA.tanh()).squeeze(3)
        return scores
