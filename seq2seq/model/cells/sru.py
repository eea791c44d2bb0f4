"""The simple recurrent unit (Lei et al. 2018)."""

import torch
from torch import Tensor, nn

from seq2seq.model.cell import CellState, Gates, cell_of, weight_dropped
from seq2seq.model.cells.stacked import StackedCell, padded_result
from seq2seq.model.choices import CellKind
from seq2seq.model.kernels import CLOSED, OPEN


class SRU(StackedCell):
    """Simple recurrent unit (Lei et al. 2018, equations 1 to 4). Blocks: x̃, f, r, and the highway's x.

    f = σ(W_f x + v_f · c + b_f), c' = f · c + (1 - f) · W x, r = σ(W_r x + v_r · c + b_r),
    h' = r · c' + (1 - r) · W_x x. The paper's highway has x itself, which needs as many inputs as units; inputs of
    another width are mapped, as in its authors' program, and here all are. The factor α of section 3.2 is left out.
    All matrix products are computed at once; c depends on itself through v_f, elementwise, position by position.
    """

    kind = CellKind.sru
    zeroing_biases = (0, CLOSED, OPEN, None)

    def __init__(self, input_size: int, size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__(input_size, size, recurrent_dropout)
        self.peephole = nn.Parameter(torch.zeros(2 * size))
        """v_f and v_r."""

    def advance(self, sums_NG: Tensor, state: CellState) -> tuple[CellState, Gates]:
        """One position."""
        candidate, f_x, r_x, highway = sums_NG.chunk(4, dim=-1)
        v_f, v_r = self.peephole.chunk(2)
        before_NH = cell_of(state)
        f, r = (f_x + v_f * before_NH).sigmoid(), (r_x + v_r * before_NH).sigmoid()
        cell_NH = f * before_NH + (1 - f) * candidate
        hidden_NH = r * cell_NH + (1 - r) * highway
        return CellState(hidden_NH, cell_NH), {"forget": f, "reset": r, "candidate": candidate}

    def run(
        self,
        inputs_NTI: Tensor,
        state: CellState | None = None,
        padding_NT: Tensor | None = None,
        weights: list[Tensor] | None = None,
        constant_NX: Tensor | None = None,
    ) -> tuple[Tensor, CellState]:
        """Compute T positions: three elementwise operations for each, and all others at once."""
        sums_NTG, state = self.begin(inputs_NTI, state, constant_NX, weights or weight_dropped(self))
        candidate, f_x, r_x, highway = sums_NTG.chunk(4, dim=-1)
        if padding_NT is not None:
            f_x = f_x.masked_fill(padding_NT.unsqueeze(2), OPEN)
        v_f, v_r = self.peephole.chunk(2)
        cells = [cell_of(state).to(sums_NTG.dtype)]
        for candidate_NH, f_x_NH in zip(candidate.unbind(1), f_x.unbind(1), strict=True):
            f = torch.addcmul(f_x_NH, v_f, cells[-1]).sigmoid()
            cells.append(torch.lerp(candidate_NH, cells[-1], f))
        cells_NTH = torch.stack(cells, dim=1)
        r = torch.addcmul(r_x, v_r, cells_NTH[:, :-1]).sigmoid()
        states_NTH = torch.lerp(highway, cells_NTH[:, 1:], r)
        return padded_result(states_NTH, padding_NT, cells[-1])

    def start(self, hidden_NH: Tensor, cell_NH: Tensor | None) -> CellState:
        """The bridge's vector is the initial c."""
        return CellState(hidden_NH, hidden_NH)

    def shown(self, state: CellState) -> Tensor:
        """c: the highway gate shows the cell state."""
        return cell_of(state)

    def zero_unit(self, unit: int) -> None:
        """See `Cell.zero_unit`."""
        super().zero_unit(unit)
        self.peephole.view(2, -1)[:, unit] = 0
