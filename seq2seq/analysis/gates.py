"""Gate statistics over a corpus: how often gates saturate, and how long units retain their state.

B sentences, T positions, P real positions of a batch, H units.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from seq2seq.analysis.replay import CellLocation, LayerRecord

LOW, HIGH = 0.1, 0.9
"""A gate below LOW is left-saturated, above HIGH right-saturated (Karpathy, Johnson & Fei-Fei 2016, §4.2)."""

RETAINING_GATES = ("forget", "update")
"""The gates that multiply the cell state (LSTM) or the hidden state (GRU) at every step."""


@dataclass(frozen=True)
class GateStatistics:
    """Statistics of one gate of one cell, per unit [H]: shares of saturated positions, and the mean."""

    location: CellLocation
    gate: str
    left_saturated: Tensor
    right_saturated: Tensor
    mean: Tensor
    positions: int

    @property
    def half_life(self) -> Tensor | None:
        """Steps after which half of a unit's state is left [H]: ln ½ / ln f̄, with f̄ the mean of its forget gate.

        A cell state decays by the product of the forget gates. If these were independent, f̄ⁿ of it would be expected
        after n steps. The half-life is ln 2 times the time constant -1 / ln f̄ of Mahto et al. (2021). A GRU retains by
        its update gate: h' = (1 - z) · n + z · h. None for other gates.
        """
        if self.gate not in RETAINING_GATES:
            return None
        return math.log(0.5) / self.mean.clamp(1e-6, 1 - 1e-6).log()


class GateCounter:
    """Accumulate gate statistics over batches; memory does not grow with the corpus."""

    def __init__(self) -> None:
        self._sums: dict[tuple[CellLocation, str], Tensor] = {}
        self._positions: dict[CellLocation, int] = {}

    def add(self, layer: LayerRecord, real_BT: Tensor) -> None:
        """Add the gates of one cell at real positions; ``real_BT`` is False on padding."""
        self._positions[layer.location] = self._positions.get(layer.location, 0) + int(real_BT.sum())
        for name, gate_BTH in layer.gates.items():
            if name == "candidate":
                continue
            gate_PH = gate_BTH[real_BT]
            sums_3H = torch.stack(
                [
                    (gate_PH < LOW).sum(0, dtype=torch.float64),
                    (gate_PH > HIGH).sum(0, dtype=torch.float64),
                    gate_PH.sum(0, dtype=torch.float64),
                ]
            ).cpu()
            key = layer.location, name
            self._sums[key] = self._sums[key] + sums_3H if key in self._sums else sums_3H

    def statistics(self) -> list[GateStatistics]:
        """Return the statistics of every gate of every cell."""
        statistics = []
        for (location, gate), sums_3H in self._sums.items():
            left, right, mean = sums_3H / self._positions[location]
            statistics.append(GateStatistics(location, gate, left, right, mean, self._positions[location]))
        return statistics
