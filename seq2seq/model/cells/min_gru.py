"""The minimal gated recurrent unit (Feng et al. 2024)."""

import torch
from torch import Tensor

from seq2seq.model.cell import Gates
from seq2seq.model.cells.stacked import LinearCell
from seq2seq.model.choices import CellKind
from seq2seq.model.kernels import CLOSED, OPEN


class MinGRU(LinearCell):
    """Minimal gated recurrent unit (Feng et al. 2024, "Were RNNs All We Needed?", section 3.1). Blocks: z, h̃.

    h' = (1 - z) · h + z · g(h̃) with z = σ(W_z x + b_z), h̃ = W x + b and the positive g of appendix B (`positive`).
    The gate "forget" of a step is 1 - z.
    """

    kind = CellKind.min_gru
    zeroing_biases = (OPEN, CLOSED)

    def coefficients(self, sums_XG: Tensor) -> tuple[Tensor, Tensor, Gates]:
        """a = 1 - z and b = z · g(h̃)."""
        update, candidate = sums_XG.chunk(2, dim=-1)
        kept, candidate = (-update).sigmoid(), positive(candidate)
        return kept, update.sigmoid() * candidate, {"forget": kept, "candidate": candidate}

    def fill_forget_bias(self, bias: float) -> None:
        """Set the bias of the update gate z to the negative: 1 - z keeps the state."""
        self.bias[: self.hidden_size].fill_(-bias)


def positive(sums: Tensor) -> Tensor:
    """g(x) = x + ½ for x ≥ 0, else σ(x) (Feng et al. 2024, appendix B): continuous, increasing and positive."""
    return torch.where(sums >= 0, sums + 0.5, sums.sigmoid())
