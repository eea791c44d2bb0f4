"""Units that track a property of the text: correlations of unit states with position, brackets, and commas.

Shi, Knight & Yuret (2016) found units that count towards the length in trained translators. Karpathy, Johnson & Fei-Fei
(2016) found units that are active inside quotes or brackets in language models. The state of a unit is its cell state,
or the hidden state of a cell without one.

B sentences, T positions, P real positions of a batch, H units, Q properties.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.analysis.replay import CellDirection, CellLocation, LayerRecord

PROPERTIES = {
    "position": "tokens read so far",
    "remaining": "tokens still to be read",
    "enclosed": "1 inside brackets or quotation marks, else 0",
    "between_commas": "1 after an odd number of commas since the last . ! ? ; or :, else 0",
}
OPENING, CLOSING, QUOTES, STOPS = "([{", ")]}", '"„“”«»', ".!?;:"
MIRRORED = str.maketrans(OPENING + CLOSING, CLOSING + OPENING)


class TrackingUnit(NamedTuple):
    """A unit and its correlation with a property."""

    location: CellLocation
    unit: int
    correlation: float
    """Pearson correlation over all positions of the corpus, in [-1, 1]."""


def token_properties(tokens: Sequence[str], direction: CellDirection = CellDirection.forward) -> list[list[float]]:
    """Return one row per token and one column per entry of `PROPERTIES`, each as it is after the token has been read.

    A quotation mark opens if none is open and closes otherwise: German closes with the mark that English opens with.
    For a cell that reads from the end, a closing bracket opens.
    """
    if direction is CellDirection.reversed:
        return token_properties([token[::-1].translate(MIRRORED) for token in reversed(tokens)])[::-1]
    rows, depth, quoted, commas = [], 0, False, 0
    for position, token in enumerate(tokens, 1):
        for letter in token:
            depth = max(0, depth + (letter in OPENING) - (letter in CLOSING))
            quoted = quoted != (letter in QUOTES)
            commas = 0 if letter in STOPS else commas + (letter == ",")
        rows.append([float(position), float(len(tokens) - position), float(depth > 0 or quoted), float(commas % 2)])
    return rows


class Moments(NamedTuple):
    """Sums over positions in float64; their size does not depend on the corpus."""

    positions: float
    x_H: Tensor
    xx_H: Tensor
    y_Q: Tensor
    yy_Q: Tensor
    xy_HQ: Tensor

    @classmethod
    def of(cls, states_PH: Tensor, properties_PQ: Tensor) -> "Moments":
        """Sum over the rows."""
        x_PH, y_PQ = states_PH.double(), properties_PQ.double()
        return cls(len(x_PH), x_PH.sum(0), x_PH.square().sum(0), y_PQ.sum(0), y_PQ.square().sum(0), x_PH.T @ y_PQ)

    def plus(self, other: "Moments") -> "Moments":
        """Add the sums of other positions."""
        sums = (mine + theirs for mine, theirs in zip(self[1:], other[1:], strict=True))
        return Moments(self.positions + other.positions, *sums)

    def correlations(self) -> Tensor:
        """Return Pearson correlations (H, Q); NaN for constants."""
        variance_H = self.xx_H - self.x_H.square() / self.positions
        variance_Q = self.yy_Q - self.y_Q.square() / self.positions
        covariance_HQ = self.xy_HQ - self.x_H[:, None] * self.y_Q / self.positions
        constant_HQ = (variance_H <= 1e-9 * self.xx_H)[:, None] | (variance_Q <= 1e-9 * self.yy_Q)
        correlations_HQ = covariance_HQ / (variance_H[:, None] * variance_Q).sqrt()
        return correlations_HQ.masked_fill(constant_HQ, torch.nan).clamp(-1, 1)


class Tracking:
    """Accumulate correlations of all units with all properties over batches."""

    def __init__(self) -> None:
        self._moments: dict[CellLocation, Moments] = {}

    def add(self, layer: LayerRecord, real_BT: Tensor, tokens: Sequence[Sequence[str]]) -> None:
        """Add the states of one cell at real positions, and the tokens that it reads there, row by row."""
        rows = [row for sentence in tokens for row in token_properties(sentence, layer.location.direction)]
        moments = Moments.of(layer.recurrent_state[real_BT].cpu(), torch.tensor(rows))
        before = self._moments.get(layer.location)
        self._moments[layer.location] = moments if before is None else before.plus(moments)

    def best(self, count: int) -> dict[str, list[TrackingUnit]]:
        """Return the units of the whole network that track each property best; none for a constant property."""
        correlations = {location: moments.correlations() for location, moments in self._moments.items()}
        best: dict[str, list[TrackingUnit]] = {}
        for column, name in enumerate(PROPERTIES):
            units = [
                TrackingUnit(location, unit, value)
                for location, values_HQ in correlations.items()
                for unit, value in enumerate(values_HQ[:, column].tolist())
                if value == value  # not NaN
            ]
            best[name] = sorted(units, key=lambda unit: -abs(unit.correlation))[:count]
        return best
