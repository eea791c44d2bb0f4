"""Attention: for every decoder state, a weighted mean of the encoder's states.

B sentences, Q queries of a sentence (its beam rows × target positions), S source positions, H decoder units,
D encoder width, A width of the keys, M heads.
"""

import math

import torch
from torch import Tensor, nn

from seq2seq.model.choices import AttentionKind
from seq2seq.model.config import ModelConfig
from seq2seq.model.window import Window


class Attention(nn.Module):
    """Softmax over scores of the encoder's states, over all of them or near a predicted place.

    With state h and encoder state s the scores are h·s (dot), h·Ks (general; both Luong et al. 2015, eq. 8),
    Qh·Ks / sqrt(A/M) (scaled dot; Vaswani et al. 2017, eq. 1) and v·tanh(Qh + Ks) (additive; Bahdanau et al. 2015,
    app. A.1.2). Heads each have a share of queries, keys and values (Vaswani et al. 2017, section 3.2.2; additive:
    RNMT+, Chen et al. 2018); values are mapped where there are several, and the map that would follow is part of the
    matrices that hear the context. With coverage c the additive score is v·tanh(Qh + Ks + wc) (See et al. 2017,
    eq. 11).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        kind, query_size, state_size = config.attention, config.decoder.size, config.encoder.width
        additive, scaled = kind is AttentionKind.additive, kind is AttentionKind.scaled_dot
        size = config.key_size
        self.heads = config.attention_heads
        self.scale = math.sqrt(self.heads / size) if scaled else 1.0
        self.key_map = None if kind is AttentionKind.dot else nn.Linear(state_size, size, bias=False)
        self.query_map = nn.Linear(query_size, size) if additive or scaled else None
        self.value_map = nn.Linear(state_size, state_size, bias=False) if self.heads > 1 else None
        self.energy = nn.Linear(size, 1, bias=False) if additive else None
        self.coverage_map = nn.Linear(1, size, bias=False) if config.coverage else None
        self.window = None if config.attention_window is None else Window(query_size, config.attention_window)

    def keys(self, states_BSD: Tensor) -> Tensor:
        """The encoder's states as they are compared with queries: computed once a sentence.

        (B, M, S, A/M), each head's share apart; for the additive score, whose heads part later, (B, 1, S, A).
        """
        keys_BSA = states_BSD if self.key_map is None else self.key_map(states_BSD)
        return keys_BSA.unsqueeze(1) if self.energy is not None else self._split(keys_BSA)

    def values(self, states_BSD: Tensor) -> Tensor:
        """The encoder's states as they are mixed (B, M, S, D/M): computed once a sentence."""
        return self._split(states_BSD if self.value_map is None else self.value_map(states_BSD))

    def forward(
        self,
        queries_BQH: Tensor,
        keys_BMSA: Tensor,
        values_BMSD: Tensor,
        padding_BS: Tensor | None,
        coverage_BQS: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Contexts (B, Q, D) and the weights (B, Q, S) they were mixed with, the mean of all heads'.

        Padding weighs exactly zero. ``padding_BS`` may be None where there is none; ``coverage_BQS``, which is there
        where the score sees it, is the weight that each query's row has given so far.
        """
        scores_BMQS = self._scores(queries_BQH, keys_BMSA, coverage_BQS).float()
        if padding_BS is not None:
            scores_BMQS = scores_BMQS.masked_fill(padding_BS[:, None, None], -torch.inf)
        if self.window is None:
            weights_BMQS = scores_BMQS.softmax(3)
        else:
            nearness_B1QS = self.window(queries_BQH, padding_BS, keys_BMSA.size(2)).unsqueeze(1)
            weights_BMQS = scores_BMQS.masked_fill(nearness_B1QS == 0, -torch.inf).softmax(3) * nearness_B1QS
        contexts_BMQD = weights_BMQS.to(values_BMSD.dtype) @ values_BMSD
        weights_BQS = weights_BMQS.squeeze(1) if self.heads == 1 else weights_BMQS.mean(1)
        return contexts_BMQD.transpose(1, 2).flatten(2), weights_BQS

    def _scores(self, queries_BQH: Tensor, keys_BMSA: Tensor, coverage_BQS: Tensor | None) -> Tensor:
        queries_BQA = queries_BQH if self.query_map is None else self.query_map(queries_BQH)
        if self.energy is None:
            scores_BMQS = self._split(queries_BQA) @ keys_BMSA.transpose(2, 3)
            return scores_BMQS if self.scale == 1 else scores_BMQS * self.scale
        sums_BQSA = queries_BQA.unsqueeze(2) + keys_BMSA
        if self.coverage_map is not None and coverage_BQS is not None:
            sums_BQSA = sums_BQSA + self.coverage_map(coverage_BQS.unsqueeze(3).to(sums_BQSA.dtype))
        scores_BQSM: Tensor = nn.functional.linear(sums_BQSA.tanh(), self._energies(self.energy.weight))
        return scores_BQSM.permute(0, 3, 1, 2)

    def _energies(self, energy_1A: Tensor) -> Tensor:
        """Each head's share of v in a row (M, A) of its own, zeros elsewhere: one product serves them all."""
        if self.heads == 1:
            return energy_1A
        energies_MA: Tensor = torch.block_diag(*energy_1A.view(self.heads, -1))  # type: ignore[no-untyped-call]
        return energies_MA

    def _split(self, inputs_BSX: Tensor) -> Tensor:
        """Heads apart: (B, M, S, X/M)."""
        return inputs_BSX.view(*inputs_BSX.shape[:2], self.heads, -1).transpose(1, 2).contiguous()
