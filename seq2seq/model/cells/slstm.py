"""The LSTM with exponential gating (Beck et al. 2024)."""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from seq2seq.model.cell import CellState, Gates, cell_of
from seq2seq.model.cells.stacked import StackedCell
from seq2seq.model.choices import CellKind
from seq2seq.model.kernels import CLOSED


class SLSTM(StackedCell):
    """LSTM with an exponential input gate and a normalizer (xLSTM, Beck et al. 2024, section 2.2). Blocks: i, f, z, o.

    The paper: c' = f · c + i · z, n' = f · n + i, h' = o · c' / n', where i = exp(ĩ), f = σ(f̂), z = tanh, o = σ, and a
    stabilizer m that h' does not depend on. Here the mean y = c / n and ln n are the state, so nothing overflows and
    there is no m: with s = f · n / (f · n + i) = σ(ln f + ln n - ĩ),

        y' = s · y + (1 - s) · z,   ln n' = ln(f · n + i),   h' = o · y'.

    The first n is 1, so that the initial state counts (the paper's 0 forgets it). The cell alone, with one head: the
    paper's block around it (convolution, group normalization, projections) is not here. The gates "forget" and "input"
    of a step are s and 1 - s.
    """

    kind = CellKind.slstm
    zeroing_biases = (None, CLOSED, 0, CLOSED)

    @property
    def state_size(self) -> int:
        """Of y and ln n."""
        return 2 * self.hidden_size

    def start(self, hidden_NH: Tensor, cell_NH: Tensor | None) -> CellState:
        """The bridge's cell state is the first y, and n is 1."""
        assert cell_NH is not None, "an LSTM starts from a cell state"
        return CellState(hidden_NH, torch.cat([cell_NH, torch.zeros_like(cell_NH)], dim=1))

    def shown(self, state: CellState) -> Tensor:
        """y = c / n."""
        return cell_of(state)[:, : self.hidden_size]

    def advance(self, sums_NG: Tensor, state: CellState) -> tuple[CellState, Gates]:
        """One position."""
        i, f, z, o = sums_NG.chunk(4, dim=1)
        y, log_n = cell_of(state).chunk(2, dim=1)
        z, o, log_kept = z.tanh(), o.sigmoid(), logsigmoid(f) + log_n
        forget, admit = (log_kept - i).sigmoid(), (i - log_kept).sigmoid()
        y = forget * y + admit * z
        after = CellState(o * y, torch.cat([y, torch.logaddexp(log_kept, i)], dim=1))
        return after, {"input": admit, "forget": forget, "candidate": z, "output": o}
