"""The minimal LSTM (Feng et al. 2024)."""

from torch import Tensor
from torch.nn.functional import softplus

from seq2seq.model.cell import Gates
from seq2seq.model.cells.min_gru import positive
from seq2seq.model.cells.stacked import LinearCell
from seq2seq.model.choices import CellKind
from seq2seq.model.kernels import CLOSED


class MinLSTM(LinearCell):
    """Minimal LSTM (Feng et al. 2024, "Were RNNs All We Needed?", section 3.2). Blocks: i, f, h̃.

    h' = f' · h + i' · g(h̃) with f' = f / (f + i) and i' = i / (f + i), where i = σ(W_i x + b_i), f = σ(W_f x + b_f),
    h̃ = W x + b, and g is the positive function of appendix B. There is no cell state.
    """

    kind = CellKind.min_lstm
    zeroing_biases = (None, CLOSED, CLOSED)

    def coefficients(self, sums_XG: Tensor) -> tuple[Tensor, Tensor, Gates]:
        """a = f' and b = i' · g(h̃)."""
        admit, forget, candidate = sums_XG.chunk(3, dim=-1)
        # ln(i / f) = ln σ(x_i) - ln σ(x_f), so that gates near 0 are not divided by each other.
        odds = softplus(-forget) - softplus(-admit)
        f, i, candidate = (-odds).sigmoid(), odds.sigmoid(), positive(candidate)
        return f, i * candidate, {"input": i, "forget": f, "candidate": candidate}
