"""Units that keep track of something: how closely a unit's state follows the place in the sentence, or a bracket.

Units that count towards the length were found in trained translators by Shi, Knight & Yuret (2016), units that are on
inside quotes or brackets in language models by Karpathy, Johnson & Fei-Fei (2016). What a unit holds is its cell state,
of a cell without one its hidden state.

B sentences, T positions, P real positions of a batch, H units, Q properties.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.analysis.recording import LayerRecord, Place

PROPERTIES = {
    "position": "pieces read so far",
    "remaining": "pieces still to be read",
    "enclosed": "1 inside brackets or quotation marks, else 0",
    "between_commas": "1 after an odd number of commas since the last . ! ? ; or :, else 0",
}
OPENING, CLOSING, QUOTES, STOPS = "([{", ")]}", '"„“”«»', ".!?;:"


class Tracker(NamedTuple):
    """A unit and what it follows."""

    place: Place
    unit: int
    correlation: float
    """Pearson's, over all positions of the corpus, in [-1, 1]."""


def properties(pieces: Sequence[str]) -> list[list[float]]:
    """What there is to follow in a sentence: a row a piece, a column each of `PROPERTIES`, after the piece is read.

    A quotation mark opens where none is open, and else closes: German and English close with what the other opens with.
    """
    rows, depth, quoted, commas = [], 0, False, 0
    for position, piece in enumerate(pieces, 1):
        for letter in piece:
            depth = max(0, depth + (letter in OPENING) - (letter in CLOSING))
            quoted = quoted != (letter in QUOTES)
            commas = 0 if letter in STOPS else commas + (letter == ",")
        rows.append([float(position), float(len(pieces) - position), float(depth > 0 or quoted), float(commas % 2)])
    return rows


class Moments(NamedTuple):
    """Sums over positions, float64, about which nothing grows with the corpus."""

    positions: float
    x_H: Tensor
    xx_H: Tensor
    y_Q: Tensor
    yy_Q: Tensor
    xy_HQ: Tensor

    @classmethod
    def of(cls, values_PH: Tensor, properties_PQ: Tensor) -> "Moments":
        """Of some positions."""
        x_PH, y_PQ = values_PH.double(), properties_PQ.double()
        return cls(len(x_PH), x_PH.sum(0), x_PH.square().sum(0), y_PQ.sum(0), y_PQ.square().sum(0), x_PH.T @ y_PQ)

    def plus(self, other: "Moments") -> "Moments":
        """Of both."""
        sums = (mine + its for mine, its in zip(self[1:], other[1:], strict=True))
        return Moments(self.positions + other.positions, *sums)

    def correlations(self) -> Tensor:
        """Pearson's, (H, Q); NaN for what never changes."""
        spread_H = self.xx_H - self.x_H.square() / self.positions
        spread_Q = self.yy_Q - self.y_Q.square() / self.positions
        together_HQ = self.xy_HQ - self.x_H[:, None] * self.y_Q / self.positions
        still_HQ = (spread_H <= 1e-9 * self.xx_H)[:, None] | (spread_Q <= 1e-9 * self.yy_Q)
        return (together_HQ / (spread_H[:, None] * spread_Q).sqrt()).masked_fill(still_HQ, torch.nan).clamp(-1, 1)


class Tracking:
    """Correlations of all units with all properties, summed up batch by batch."""

    def __init__(self) -> None:
        self._moments: dict[Place, Moments] = {}

    def add(self, layer: LayerRecord, real_BT: Tensor, pieces: Sequence[Sequence[str]]) -> None:
        """Count one cell's states at the positions that are no padding; ``pieces`` are those read there."""
        rows = [row for sentence in pieces for row in properties(sentence)]
        found = Moments.of(layer.carried[real_BT].cpu(), torch.tensor(rows))
        known = self._moments.get(layer.place)
        self._moments[layer.place] = found if known is None else known.plus(found)

    def correlations(self) -> dict[Place, Tensor]:
        """Of every cell, (H, Q); NaN for what never changes."""
        return {place: moments.correlations() for place, moments in self._moments.items()}

    def best(self, count: int) -> dict[str, list[Tracker]]:
        """The units that follow each property most closely, of the whole network; none where it never changes."""
        told = self.correlations()
        found: dict[str, list[Tracker]] = {}
        for column, name in enumerate(PROPERTIES):
            every = [
                Tracker(place, unit, value)
                for place, values_HQ in told.items()
                for unit, value in enumerate(values_HQ[:, column].tolist())
                if value == value  # no NaN
            ]
            found[name] = sorted(every, key=lambda one: -abs(one.correlation))[:count]
        return found
