"""The LSTM with a matrix memory (Beck et al. 2024).

N rows, T positions, J positions of a chunk, H units in M heads of P units, C width of the cell state.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from seq2seq.model.cell import CellState, Gates, cell_of, weight_dropped
from seq2seq.model.cells.stacked import StackedCell, padded_result
from seq2seq.model.choices import CellKind
from seq2seq.model.kernels import CLOSED

HEADS = 4
"""Most heads; there are fewer if the number of units is not a multiple."""

CHUNK = 64
"""Positions that are compared with each other in one product."""


class MatrixMemory(NamedTuple):
    """The cell state, taken apart."""

    memory_NMPP: Tensor
    """The mean of the products v kᵀ of values and keys, C / Σ w where w are the weights of all positions so far."""
    key_NMP: Tensor
    """The mean of the keys, n / Σ w."""
    log_weight_NM: Tensor
    """ln Σ w."""


class MLSTM(StackedCell):
    """LSTM with a matrix memory (xLSTM, Beck et al. 2024, section 2.3). Blocks: q, k, v, o; then i and f of the heads.

    The paper: C' = f · C + i · v kᵀ, n' = f · n + i · k, h' = o · C' q / max(|n' · q|, 1), where i = exp(ĩ) and
    f = σ(f̂) are numbers, one per head, k has the factor 1/√P, o = σ, and a stabilizer m has no effect on h'. Here C
    and n are divided by the sum of all weights so far, w = Σ f … f · i, and ln w is part of the state, so nothing
    overflows and there is no m: with s = σ(ln f + ln w - ĩ),

        C' = s · C + (1 - s) · v kᵀ,   n' = s · n + (1 - s) · k,   h' = o · C' q / max(|n' · q|, 1 / w').

    Gates do not depend on the hidden state, so `run` compares all positions of a chunk at once, as attention does. The
    memory starts empty, or with the bridge's vector as one value under a fixed key. The cell alone: the paper's block
    around it (convolution, group normalization, projections) is not here. The gates "forget" and "input" of a step are
    s and 1 - s.
    """

    kind = CellKind.mlstm
    zeroing_biases = (None, None, 0, CLOSED)

    def __init__(self, input_size: int, size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__(input_size, size, recurrent_dropout)
        self.heads = math.gcd(size, HEADS)
        self.head_size = size // self.heads
        self.weight_gates = self.new_weight(2 * self.heads, input_size)
        self.bias = nn.Parameter(torch.zeros(4 * size + 2 * self.heads))

    @property
    def state_size(self) -> int:
        """Of a P × P matrix, a vector and a number per head."""
        return self.heads * (self.head_size**2 + self.head_size + 1)

    def weights(self) -> list[Tensor]:
        """W (4H, I), the gates' (2M, I), and b (4H + 2M,)."""
        return [self.weight_ih, self.weight_gates, self.bias]

    def input_weight(self, weights: list[Tensor]) -> Tensor:
        """Both matrices (4H + 2M, I)."""
        return torch.cat(weights[:2])

    def fill_forget_bias(self, bias: float) -> None:
        """Set the biases of the heads' forget gates."""
        self.bias[-self.heads :].fill_(bias)

    def start(self, hidden_NH: Tensor, cell_NH: Tensor | None) -> CellState:
        """The memory of one value, the bridge's vector, under the key whose numbers are all 1/√P."""
        value_NMP = hidden_NH.view(-1, self.heads, self.head_size)
        key_NMP = torch.full_like(value_NMP, self.head_size**-0.5)
        weight_NM = key_NMP.new_zeros(key_NMP.shape[:2])
        memory = MatrixMemory(value_NMP.unsqueeze(3) * key_NMP.unsqueeze(2), key_NMP, weight_NM)
        return CellState(hidden_NH, self.packed(memory))

    def packed(self, memory: MatrixMemory) -> Tensor:
        """The cell state (N, C) of a memory."""
        return torch.cat([part.flatten(1) for part in memory], dim=1)

    def memory(self, cell_NC: Tensor) -> MatrixMemory:
        """The memory of a cell state."""
        heads, size = self.heads, self.head_size
        memory, key, weight = torch.split_with_sizes(cell_NC, [heads * size * size, heads * size, heads], dim=1)
        return MatrixMemory(memory.view(-1, heads, size, size), key.view(-1, heads, size), weight)

    def advance(self, sums_NG: Tensor, state: CellState) -> tuple[CellState, Gates]:
        """One position."""
        q, k, v, o, i_NM, f_NM = self._split(sums_NG)
        memory_NMPP, key_NMP, log_weight_NM = self.memory(cell_of(state))
        log_kept_NM = logsigmoid(f_NM) + log_weight_NM
        forget_NM1 = (log_kept_NM - i_NM).sigmoid().unsqueeze(2)
        input_NM1 = (i_NM - log_kept_NM).sigmoid().unsqueeze(2)
        memory_NMPP = forget_NM1.unsqueeze(3) * memory_NMPP + input_NM1.unsqueeze(3) * v.unsqueeze(3) * k.unsqueeze(2)
        key_NMP = forget_NM1 * key_NMP + input_NM1 * k
        log_weight_NM = torch.logaddexp(log_kept_NM, i_NM)
        read_NMP = (memory_NMPP @ q.unsqueeze(3)).squeeze(3)
        read_NMP = read_NMP / divisor((key_NMP * q).sum(2, keepdim=True), log_weight_NM.unsqueeze(2))
        hidden_NH = o * read_NMP.flatten(1)
        gates = {name: gate.expand_as(v).flatten(1) for name, gate in (("input", input_NM1), ("forget", forget_NM1))}
        cell_NC = self.packed(MatrixMemory(memory_NMPP, key_NMP, log_weight_NM))
        return CellState(hidden_NH, cell_NC), {**gates, "candidate": v.flatten(1), "output": o}

    def run(
        self,
        inputs_NTI: Tensor,
        state: CellState | None = None,
        padding_NT: Tensor | None = None,
        weights: list[Tensor] | None = None,
        constant_NX: Tensor | None = None,
    ) -> tuple[Tensor, CellState]:
        """Compute T positions, a chunk at once; padding has no weight, and keeps that of all others."""
        sums_NTG, state = self.begin(inputs_NTI, state, constant_NX, weights or weight_dropped(self))
        memory = self.memory(cell_of(state).to(sums_NTG.dtype))
        *qkv, o_NTH, i_NTM, f_NTM = self._split(sums_NTG)
        q, k, v = (part.transpose(1, 2) for part in qkv)
        i_NMT, log_f_NMT = i_NTM.transpose(1, 2), logsigmoid(f_NTM).transpose(1, 2)
        if padding_NT is not None:
            padding_N1T = padding_NT.unsqueeze(1)
            i_NMT, log_f_NMT = i_NMT.masked_fill(padding_N1T, CLOSED), log_f_NMT.masked_fill(padding_N1T, 0)
        reads = []
        for begin in range(0, sums_NTG.size(1), CHUNK):
            chunk = slice(begin, begin + CHUNK)
            qkv_NMJP = q[:, :, chunk], k[:, :, chunk], v[:, :, chunk]
            read_NMJP, memory = self._chunk(*qkv_NMJP, i_NMT[:, :, chunk], log_f_NMT[:, :, chunk], memory)
            reads.append(read_NMJP)
        states_NTH = o_NTH * torch.cat(reads, dim=2).transpose(1, 2).flatten(2)
        return padded_result(states_NTH, padding_NT, self.packed(memory))

    def _chunk(
        self, q: Tensor, k: Tensor, v: Tensor, i_NMJ: Tensor, log_f_NMJ: Tensor, before: MatrixMemory
    ) -> tuple[Tensor, MatrixMemory]:
        """The reads (N, M, J, P) of J positions, and the memory after them."""
        positions = i_NMJ.size(2)
        # Weights of the position in the column, or of the memory before (last column), at that in the row: ln f … f i.
        log_f_NMJ = log_f_NMJ.cumsum(2)
        log_weights_NMJJ = log_f_NMJ.unsqueeze(3) - log_f_NMJ.unsqueeze(2) + i_NMJ.unsqueeze(2)
        later_JJ = log_f_NMJ.new_ones(positions, positions, dtype=torch.bool).triu(1)
        log_before_NMJ = log_f_NMJ + before.log_weight_NM.unsqueeze(2)
        log_all = torch.cat([log_weights_NMJJ.masked_fill(later_JJ, -torch.inf), log_before_NMJ.unsqueeze(3)], dim=3)
        shares_NMJJ, of_before_NMJ1 = log_all.softmax(3).tensor_split([positions], dim=3)
        log_weight_NMJ = log_all.logsumexp(3)
        products_NMJJ = (q @ k.transpose(2, 3)) * shares_NMJJ
        read_NMJP = products_NMJJ @ v + of_before_NMJ1 * (q @ before.memory_NMPP.transpose(2, 3))
        of_keys_NMJ1 = of_before_NMJ1 * (q @ before.key_NMP.unsqueeze(3))
        of_keys_NMJ1 = of_keys_NMJ1 + products_NMJJ.sum(3, keepdim=True)
        last_NMJ1, kept_NM1 = shares_NMJJ[:, :, -1].unsqueeze(3), of_before_NMJ1[:, :, -1]
        memory = MatrixMemory(
            kept_NM1.unsqueeze(3) * before.memory_NMPP + (last_NMJ1 * v).transpose(2, 3) @ k,
            kept_NM1 * before.key_NMP + (last_NMJ1 * k).sum(2),
            log_weight_NMJ[:, :, -1],
        )
        return read_NMJP / divisor(of_keys_NMJ1, log_weight_NMJ.unsqueeze(3)), memory

    def _split(self, sums_XG: Tensor) -> list[Tensor]:
        """q, k and v (..., M, P), o (..., H), i and f (..., M)."""
        *qkv, o, i, f = torch.split_with_sizes(sums_XG, [self.hidden_size] * 4 + [self.heads] * 2, dim=-1)
        q, k, v = (part.view(*part.shape[:-1], self.heads, self.head_size) for part in qkv)
        return [q, k * self.head_size**-0.5, v, o.sigmoid(), i, f]


def divisor(of_keys: Tensor, log_weight: Tensor) -> Tensor:
    """max(|n · q|, 1 / w); the limit on 1 / w keeps it finite in 32 bits."""
    return torch.maximum(of_keys.abs(), (-log_weight).clamp(max=60).exp())
