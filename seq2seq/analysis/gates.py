"""How gates behave over a corpus: how often they are nearly shut or open, and how long what a unit holds lasts.

B sentences, T positions, P real positions of a batch, H units.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from seq2seq.analysis.recording import LayerRecord, Place

LEFT, RIGHT = 0.1, 0.9
"""A gate below the one is left-saturated, above the other right-saturated (Karpathy, Johnson & Fei-Fei 2016, §4.2)."""

KEEPING = ("forget", "update")
"""The gates that a cell state (of an LSTM) or a hidden state (of a GRU) is multiplied by at every step."""


@dataclass(frozen=True)
class GateShares:
    """One gate of one cell: of each unit [H], the share of positions at which it is saturated, and its mean."""

    place: Place
    gate: str
    left: Tensor
    right: Tensor
    mean: Tensor
    positions: int

    @property
    def half_life(self) -> Tensor | None:
        """Steps after which half of what a unit holds is left [H]: ln ½ / ln f̄, with f̄ the mean of its forget gate.

        A cell state decays by the product of the forget gates; were they independent of one another, f̄ⁿ of it would be
        expected after n steps. It is ln 2 times the time constant -1 / ln f̄ of Mahto et al. (2021). For a GRU f is the
        update gate, which here keeps (h' = (1 - z) · n + z · h). None for other gates.
        """
        if self.gate not in KEEPING:
            return None
        return math.log(0.5) / self.mean.clamp(1e-6, 1 - 1e-6).log()


class GateCounts:
    """Sums over batches, from which `shares` follow: memory does not grow with the corpus."""

    def __init__(self) -> None:
        self._sums: dict[tuple[Place, str], Tensor] = {}
        self._positions: dict[Place, int] = {}

    def add(self, layer: LayerRecord, real_BT: Tensor) -> None:
        """Count one cell's gates at the positions that are no padding."""
        self._positions[layer.place] = self._positions.get(layer.place, 0) + int(real_BT.sum())
        for name, gate_BTH in layer.gates.items():
            if name == "candidate":
                continue
            gate_PH = gate_BTH[real_BT]
            counts_3H = torch.stack(
                [
                    (gate_PH < LEFT).sum(0, dtype=torch.float64),
                    (gate_PH > RIGHT).sum(0, dtype=torch.float64),
                    gate_PH.sum(0, dtype=torch.float64),
                ]
            ).cpu()
            key = layer.place, name
            self._sums[key] = self._sums[key] + counts_3H if key in self._sums else counts_3H

    def shares(self) -> list[GateShares]:
        """What was counted, a gate each."""
        found = []
        for (place, gate), sums_3H in self._sums.items():
            left, right, mean = sums_3H / self._positions[place]
            found.append(GateShares(place, gate, left, right, mean, self._positions[place]))
        return found
