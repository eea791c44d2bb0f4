"""The simpler simple recurrent unit, the decoder of fast translators on CPUs (Kim et al. 2019, section 3.1)."""

from torch import Tensor

from seq2seq.model.cell import Gates
from seq2seq.model.cells.stacked import LinearCell
from seq2seq.model.choices import CellKind
from seq2seq.model.kernels import CLOSED


class SSRU(LinearCell):
    """Simpler simple recurrent unit (Kim et al. 2019, "From Research to Production and Back"). Blocks: x̃, f.

    f = σ(W_f x + b_f), c' = f · c + (1 - f) · x̃ with x̃ = W x + b, h' = ReLU(c'). The paper's x̃ has no bias.
    """

    kind = CellKind.ssru
    zeroing_biases = (0, CLOSED)

    def coefficients(self, sums_XG: Tensor) -> tuple[Tensor, Tensor, Gates]:
        """a = f and b = (1 - f) · x̃."""
        candidate, forget = sums_XG.chunk(2, dim=-1)
        f = forget.sigmoid()
        return f, (1 - f) * candidate, {"forget": f, "candidate": candidate}

    def output(self, state_XH: Tensor) -> Tensor:
        """h = ReLU(c)."""
        return state_XH.relu()
