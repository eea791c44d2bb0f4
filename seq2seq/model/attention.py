"""Attention: for every decoder state, a weighted mean of the encoder's states.

B sentences, K beam rows of a sentence, N = B·K rows, T target positions, Q queries of a sentence (K·T), S source
positions, H decoder units, D encoder width, A width of the keys, M heads.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from seq2seq.model.blocks import LinearOfRows
from seq2seq.model.choices import AttentionKind
from seq2seq.model.config import ModelConfig
from seq2seq.model.repeated_products import reused


class AttentionMemory(NamedTuple):
    """Keys and values of the encoder's states, computed once per sentence."""

    keys_BMSA: Tensor
    values_BMSD: Tensor
    padding_BS: Tensor | None
    """True on padding; None: no sentence is padded."""

    def select(self, sentences_B: Tensor) -> "AttentionMemory":
        """The memory of these sentences, in this order."""
        keys, values = (part.index_select(0, sentences_B) for part in (self.keys_BMSA, self.values_BMSD))
        padding = None if self.padding_BS is None else self.padding_BS.index_select(0, sentences_B)
        return AttentionMemory(keys, values, padding)

    def reused(self, times: int) -> Iterator["AttentionMemory"]:
        """The memory, once for each of several positions that are computed in order; see `reused`."""
        for keys, values in zip(reused(self.keys_BMSA, times), reused(self.values_BMSD, times), strict=True):
            yield AttentionMemory(keys, values, self.padding_BS)


class Attention(nn.Module):
    """Softmax over scores of the encoder's states, over all of them or within a window.

    With decoder state h and encoder state s the scores are

    - dot: h·s, and general: h·Ks (Luong et al. 2015, eq. 8),
    - scaled_dot: Qh·Ks / sqrt(A/M) (Vaswani et al. 2017, eq. 1),
    - additive: v·tanh(Qh + Ks) (Bahdanau et al. 2015, app. A.1.2), or with coverage c v·tanh(Qh + Ks + wc) (See et al.
      2017, eq. 11).

    Each head has a share of queries, keys and values (Vaswani et al. 2017, section 3.2.2; additive: RNMT+, Chen et al.
    2018). With several heads the values are mapped; there is no output map, because every matrix that reads the context
    contains one.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        kind, query_size, state_size = config.attention, config.decoder.size, config.encoder.width
        additive, scaled = kind is AttentionKind.additive, kind is AttentionKind.scaled_dot
        size = config.key_size
        self.heads = config.attention_heads
        self.scale = math.sqrt(self.heads / size) if scaled else 1.0
        self.key_map = None if kind is AttentionKind.dot else LinearOfRows(state_size, size, bias=False)
        self.query_map = nn.Linear(query_size, size) if additive or scaled else None
        self.value_map = LinearOfRows(state_size, state_size, bias=False) if self.heads > 1 else None
        self.energy = nn.Linear(size, 1, bias=False) if additive else None
        self.coverage_map = nn.Linear(1, size, bias=False) if config.coverage else None
        self.window = None if config.attention_window is None else Window(query_size, config.attention_window)

    def memory(self, states_BSD: Tensor, padding_BS: Tensor) -> AttentionMemory:
        """Keys and values of encoder states.

        Keys are (B, M, S, A/M), one share per head; the additive score splits heads later and has (B, 1, S, A).
        Values are (B, M, S, D/M).
        """
        keys_BSA = states_BSD if self.key_map is None else self.key_map(states_BSD)
        keys_BMSA = keys_BSA.unsqueeze(1) if self.energy is not None else self._split(keys_BSA)
        values_BMSD = self._split(states_BSD if self.value_map is None else self.value_map(states_BSD))
        return AttentionMemory(keys_BMSA, values_BMSD, padding_BS)

    def forward(
        self,
        queries_BQH: Tensor,
        keys_BMSA: Tensor,
        values_BMSD: Tensor,
        padding_BS: Tensor | None,
        coverage_BQS: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Attend with Q queries per sentence.

        Args:
            queries_BQH: decoder states.
            keys_BMSA: from `memory`.
            values_BMSD: from `memory`.
            padding_BS: True on padding, whose weight is exactly zero; None: there is none.
            coverage_BQS: for each query the sum of the attention weights of earlier positions; None without coverage.

        Returns:
            Contexts (B, Q, D), and attention weights (B, Q, S) averaged over heads.
        """
        scores_BMQS = self._scores(queries_BQH, keys_BMSA, coverage_BQS).float()
        if padding_BS is not None:
            scores_BMQS = scores_BMQS.masked_fill(padding_BS[:, None, None], -torch.inf)
        if self.window is None:
            weights_BMQS = scores_BMQS.softmax(3)
        else:
            gaussian_B1QS = self.window(queries_BQH, padding_BS, keys_BMSA.size(2)).unsqueeze(1)
            weights_BMQS = scores_BMQS.masked_fill(gaussian_B1QS == 0, -torch.inf).softmax(3) * gaussian_B1QS
        contexts_BMQD = weights_BMQS.to(values_BMSD.dtype) @ values_BMSD
        weights_BQS = weights_BMQS.squeeze(1) if self.heads == 1 else weights_BMQS.mean(1)
        return contexts_BMQD.transpose(1, 2).flatten(2), weights_BQS

    def attend(
        self, queries_NTH: Tensor, memory: AttentionMemory, coverage_NS: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Attend with every row at every position; rows n·K … n·K + K-1 belong to sentence n.

        Without coverage this is one product over all positions. With coverage, positions are computed in order, because
        each needs the weights of those before it.

        Returns:
            Contexts (N, T, D), weights (N, T, S), and the coverage (N, S) after the last position.
        """
        rows, steps, size = queries_NTH.shape
        sentences = memory.keys_BMSA.size(0)
        if coverage_NS is None:
            context, weights = self(queries_NTH.reshape(sentences, -1, size), *memory)
            return context.reshape(rows, steps, -1), weights.reshape(rows, steps, -1), None
        contexts, all_weights = [], []
        for queries_NH, own in zip(queries_NTH.unbind(1), memory.reused(steps), strict=True):
            coverage_BKS = coverage_NS.view(sentences, -1, coverage_NS.size(1))
            context, weights = self(queries_NH.reshape(sentences, -1, size), *own, coverage_BKS)
            contexts.append(context.flatten(0, 1))
            all_weights.append(weights.flatten(0, 1))
            coverage_NS = coverage_NS + all_weights[-1]
        return torch.stack(contexts, 1), torch.stack(all_weights, 1), coverage_NS

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
        """Each head's share of v in a row (M, A) of its own, zeros elsewhere: one product serves all heads."""
        if self.heads == 1:
            return energy_1A
        energies_MA: Tensor = torch.block_diag(*energy_1A.view(self.heads, -1))  # type: ignore[no-untyped-call]
        return energies_MA

    def _split(self, inputs_BSX: Tensor) -> Tensor:
        """Split heads: (B, M, S, X/M)."""
        return inputs_BSX.view(*inputs_BSX.shape[:2], self.heads, -1).transpose(1, 2).contiguous()


class Window(nn.Module):
    """Local-p attention: a window around a predicted source position (Luong et al. 2015, section 3.2).

    p = S · sigmoid(v · tanh(W h)), the window [p - D, p + D], and in it a Gaussian of deviation D/2 (eq. 9, 10).
    """

    def __init__(self, query_size: int, reach: int) -> None:
        super().__init__()
        self.reach = reach
        self.query_map = nn.Linear(query_size, query_size, bias=False)
        self.place = nn.Linear(query_size, 1, bias=False)

    def forward(self, queries_BQH: Tensor, padding_BS: Tensor | None, positions: int) -> Tensor:
        """The Gaussian (B, Q, S) of every position, in (0, 1]; zero outside the window.

        Positions count from 1 and S is each sentence's own length, so every window contains at least one position.
        """
        share_BQ1 = self.place(self.query_map(queries_BQH).tanh()).float().sigmoid()
        length_B11: Tensor | int = positions if padding_BS is None else (~padding_BS).sum(1).view(-1, 1, 1)
        distance_BQS = torch.arange(1, positions + 1, device=share_BQ1.device) - length_B11 * share_BQ1
        gaussian_BQS: Tensor = (-2 * (distance_BQS / self.reach).square()).exp()
        return gaussian_BQS.masked_fill(distance_BQS.abs() > self.reach, 0)
