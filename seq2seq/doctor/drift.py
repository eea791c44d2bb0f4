"""Where two aligned files come apart: translations are about as long as each other, other sentences are not.

Of each pair the logarithms of its lengths are taken, each side scaled to mean 0 and variance 1: a and b. With rho
their correlation, b given a is normal with mean rho a and variance 1 - rho^2 (after Gale & Church 1993, whose model of
lengths this simplifies). So the gain of holding source line i against target line i + lag is

    log p(b[i + lag] | a[i]) - log p(b[i + lag]),

above 0 on average for the right lag and below for a wrong one. The likeliest course of lags through the corpus, in
windows of 32 pairs, is found by the Viterbi algorithm: to change costs `CHANGE`, and "no lag" gains nothing.
"""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from seq2seq.doctor.chunk import Measures
from seq2seq.doctor.types import Found, Reason

LAGS = 20  # lines to either side
WINDOW = 32
CHANGE = 15.0  # nats
WEAKEST = 0.3  # correlation below which lengths tell nothing
MOST = 3.0  # a pair says no more than so many nats for or against a lag

Floats = npt.NDArray[np.float32]


class Lengths:
    """The scaled lengths of a corpus.

    Args:
        source, target: characters of each sentence, [pairs].
        lags: those that are tried.
    """

    def __init__(self, source: npt.NDArray[np.int32], target: npt.NDArray[np.int32], lags: list[int]) -> None:
        self.source, self.target, self.lags = _scaled(source), _scaled(target), lags
        self.correlation = self._correlation()

    def gain(self, lag: int, start: int, stop: int) -> Floats:
        """The gain of a lag for source lines from ``start`` to ``stop``, in nats, 0 past the ends, [stop - start]."""
        low, high = max(start, -lag), min(stop, len(self.target) - lag)
        gains = np.zeros(stop - start, np.float32)
        if low >= high:
            return gains
        a, b = self.source[low:high], self.target[low + lag : high + lag]
        rest = 1 - self.correlation**2
        exact = (b * b - (b - self.correlation * a) ** 2 / rest - np.log(rest)) / 2
        gains[low - start : high - start] = np.clip(exact, -MOST, MOST)
        return gains

    def _correlation(self) -> float:
        """The median over stretches of 128 pairs of the correlation at the lag that suits each best."""
        length = min(128, len(self.source))
        starts = np.unique(np.linspace(0, len(self.source) - length, 200).astype(int))
        places = starts[:, None] + np.arange(length)
        source, best = _standard(self.source[places]), np.zeros(len(starts))
        for lag in self.lags:
            moved = np.clip(places + lag, 0, len(self.target) - 1)
            best = np.maximum(best, (source * _standard(self.target[moved])).mean(1))
        return min(0.95, float(np.median(best)))


class Drift:
    """Stretches in which lines of equal number are no translations of each other."""

    def find(self, seen: Measures) -> list[Found]:
        """One finding, with the lines that would belong together as partners where a lag was found."""
        count = len(seen.filled)
        if count < 2 * WINDOW:
            return []
        difference = seen.unpaired[1] - seen.unpaired[0]
        # A lag equal to the difference of the files is tried, however large.
        lags = sorted({*range(-LAGS, LAGS + 1), difference}, key=abs)
        lengths = Lengths(seen.source_lengths, seen.target_lengths, lags)
        if lengths.correlation < WEAKEST:
            note = f"not judged: lengths of the two sides hardly go together (correlation {lengths.correlation:.2f})"
            return [Found(Reason.drift, np.empty(0, np.int64), note=note)]
        stretches = course(lengths)
        rows = [np.arange(start, stop) for start, stop, lag in stretches if lag != 0]
        partners = [
            np.full(stop - start, -1) if lag is None else np.arange(start, stop) + lag
            for start, stop, lag in stretches
            if lag != 0
        ]
        note = "; ".join(_told(stretch) for stretch in [one for one in stretches if one[2] != 0][:3])
        return [Found(Reason.drift, np.concatenate(rows), "", np.concatenate(partners), note=note)] if rows else []


def course(lengths: Lengths) -> list[tuple[int, int, int | None]]:
    """The likeliest stretches (first pair, one past the last, lag or None), in order and without gaps."""
    count, states = len(lengths.source), [*lengths.lags, None]
    windows = count // WINDOW
    gains = np.zeros((windows, len(states)), np.float32)
    for place, lag in enumerate(lengths.lags):
        gains[:, place] = lengths.gain(lag, 0, windows * WINDOW).reshape(windows, WINDOW).sum(1)
    path = _viterbi(gains)
    edges = [0, *(np.flatnonzero(path[1:] != path[:-1]) + 1).tolist(), windows]
    cuts = [0]
    for edge, after in pairwise(edges[1:]):
        low, high = max(cuts[-1], (edge - 2) * WINDOW), min(after, edge + 2) * WINDOW
        cuts.append(_where(lengths, states[path[edge - 1]], states[path[edge]], low, high))
    cuts.append(count)
    lags = (states[path[edge]] for edge in edges[:-1])
    return [(start, stop, lag) for (start, stop), lag in zip(pairwise(cuts), lags, strict=True) if start < stop]


def _viterbi(gains: Floats) -> npt.NDArray[np.intp]:
    """The path of the greatest sum of gains [windows, states], of which `CHANGE` is taken at each change of state."""
    best = gains[0] - CHANGE
    best[0] += CHANGE  # to begin in step costs nothing
    came = np.empty(gains.shape, np.uint8)
    stay = np.arange(gains.shape[1], dtype=np.uint8)
    for window in range(1, len(gains)):
        leader = int(best.argmax())
        moved = best[leader] - CHANGE
        came[window] = np.where(best >= moved, stay, leader)
        best = np.maximum(best, moved) + gains[window]
    path = np.empty(len(gains), np.intp)
    path[-1] = best.argmax()
    for window in range(len(gains) - 1, 0, -1):
        path[window - 1] = came[window, path[window]]
    return path


def _where(lengths: Lengths, before: int | None, after: int | None, low: int, high: int) -> int:
    """The first pair that fits ``after`` better, between two pairs that the change lies between."""
    gains = [
        np.zeros(high - low, np.float32) if lag is None else lengths.gain(lag, low, high) for lag in (before, after)
    ]
    return low + int(np.argmax(np.append(0, np.cumsum(gains[0] - gains[1]))))


def _told(stretch: tuple[int, int, int | None]) -> str:
    """A stretch in words."""
    start, stop, lag = stretch
    lines = f"lines {start + 1:,} to {stop:,}"
    if lag is None:
        return f"{lines}: lengths do not go together"
    more, fewer = ("target", "source") if lag > 0 else ("source", "target")
    return f"{lines}: out by {abs(lag):,}, so the {more} has that many too many before, or the {fewer} too few"


def _scaled(lengths: npt.NDArray[np.int32]) -> Floats:
    """Logarithms of lengths with mean 0 and variance 1."""
    logs = np.log1p(lengths.astype(np.float32))
    return np.asarray((logs - logs.mean()) / max(float(logs.std()), 1e-6), np.float32)


def _standard(rows: Floats) -> Floats:
    """Each row with mean 0 and variance 1, [rows, columns]; one without any variance is 0."""
    rows = rows - rows.mean(1, keepdims=True)
    return np.asarray(rows / np.maximum(rows.std(1, keepdims=True), 1e-6), np.float32)
