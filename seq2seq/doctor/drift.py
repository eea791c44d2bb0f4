"""Find where two aligned files lose their alignment: lengths and words of translations correlate, others do not.

The logarithms of the lengths are scaled to mean 0 and variance 1 on each side: a and b. With their correlation rho,
b given a is normal with mean rho a and variance 1 - rho^2 (a simplification of Gale & Church 1993). So the gain of
aligning source line i with target line i + lag is

    log p(b[i + lag] | a[i]) - log p(b[i + lag]),

which is positive on average for the right lag and negative for a wrong one. The Viterbi algorithm finds the most
likely sequence of lags, in windows of 32 pairs. A change of lag costs `CHANGE`; the state "no lag" gains nothing.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from seq2seq.corpora.corpus import Pair
from seq2seq.doctor.arrays import PairStatistics
from seq2seq.doctor.findings import Finding
from seq2seq.doctor.lexical import LexicalModel
from seq2seq.doctor.reasons import Reason

LAGS = 20
"""Largest lag that is tried, in lines."""
WINDOW = 32
"""Pairs."""
CHANGE = 15.0
"""Cost of a change of lag, in nats."""
MIN_CORRELATION = 0.3
"""Below this correlation of lengths, drift is not checked."""
MIN_EVIDENCE = 0.05
"""Least mean gain of an aligned pair by its words, in nats; below it, words show nothing."""
CONFIRMED = 10.0
"""Least gain of a shifted segment by its words, in nats, for it to be certain."""
OTHER_LAGS, SIGNIFICANT = (-9, -7, 7, 9), 4.0
"""Lags that are compared with no shift where nothing seems to fit, and the standard errors that make a difference."""
NEAR_LAGS = (1, -1, 2, -2, 3, -3)
"""Shifts of the whole file that are tried if the words do not fit."""
MAX_GAIN = 3.0
"""Bound of the gain of one pair, in nats."""
MAX_CORRELATION = 0.95
CORRELATION_SEGMENT, CORRELATION_SEGMENTS = 128, 200
"""Pairs in a segment, and segments, for estimating the correlation."""

Floats = npt.NDArray[np.float32]


class LagSegment(NamedTuple):
    """Consecutive pairs with the same lag."""

    start: int
    stop: int
    lag: int | None
    """Target line minus source line; None: the lines do not align."""

    def __str__(self) -> str:
        lines = f"lines {self.start + 1:,} to {self.stop:,}"
        if self.lag is None:
            return f"{lines}: the sides do not correlate"
        more, fewer = ("target", "source") if self.lag > 0 else ("source", "target")
        return (
            f"{lines}: shifted by {abs(self.lag):,}; before them the {more} has extra lines, or the {fewer} lacks some"
        )


class LengthModel:
    """Scaled lengths of both sides and their correlation.

    Args:
        source, target: characters of each sentence, [pairs].
        lags: the lags to try.
    """

    def __init__(self, source: npt.NDArray[np.int32], target: npt.NDArray[np.int32], lags: list[int]) -> None:
        self.source, self.target, self.lags = _scaled_logarithms(source), _scaled_logarithms(target), lags
        self.correlation = self._correlation()

    def gain(self, lag: int, start: int, stop: int) -> Floats:
        """Return the gain in nats of a lag for source lines ``start`` to ``stop``, [stop - start]; 0 past the ends."""
        low, high = max(start, -lag), min(stop, len(self.target) - lag)
        gains = np.zeros(stop - start, np.float32)
        if low >= high:
            return gains
        a, b = self.source[low:high], self.target[low + lag : high + lag]
        rest = 1 - self.correlation**2
        exact = (b * b - (b - self.correlation * a) ** 2 / rest - np.log(rest)) / 2
        gains[low - start : high - start] = np.clip(exact, -MAX_GAIN, MAX_GAIN)
        return gains

    def _correlation(self) -> float:
        """Return the median over short segments of the correlation at the best lag of each."""
        length = min(CORRELATION_SEGMENT, len(self.source))
        starts = np.unique(np.linspace(0, len(self.source) - length, CORRELATION_SEGMENTS).astype(int))
        positions = starts[:, None] + np.arange(length)
        source, best = _standardized(self.source[positions]), np.zeros(len(starts))
        for lag in self.lags:
            shifted = np.clip(positions + lag, 0, len(self.target) - 1)
            best = np.maximum(best, (source * _standardized(self.target[shifted])).mean(1))
        return min(MAX_CORRELATION, float(np.median(best)))


class LagModel(Protocol):
    """The gain of a lag: what it explains better than unrelated lines do."""

    def gain(self, lag: int, start: int, stop: int) -> Floats:
        """Return the gain in nats of a lag for source lines ``start`` to ``stop``, [stop - start]; 0 past the ends."""
        ...


class LengthsAndWords(NamedTuple):
    """Lengths and words together."""

    lengths: LagModel
    words: LagModel

    def gain(self, lag: int, start: int, stop: int) -> Floats:
        """Return the sum of both gains, [stop - start]."""
        return self.lengths.gain(lag, start, stop) + self.words.gain(lag, start, stop)


def find_drift(data: PairStatistics, texts: Sequence[Pair] | None = None) -> list[Finding]:
    """Find segments in which lines with equal numbers are not translations of each other.

    Args:
        data: of the whole corpus.
        texts: its sentences; None: only lengths are compared.

    Returns:
        Shifted segments that the words confirm (`Reason.drift`; the partners are the lines that align), and others that
        only look so, or where nothing aligns (`Reason.unaligned`).
    """
    if len(data.filled) < 2 * WINDOW:
        return []
    difference = data.unpaired[1] - data.unpaired[0]
    # The difference between the numbers of lines is a likely lag, however large.
    lags = sorted({*range(-LAGS, LAGS + 1), difference}, key=abs)
    lengths = LengthModel(data.source_lengths, data.target_lengths, lags)
    words = None if texts is None else fitted_words(texts, lengths)
    if lengths.correlation < MIN_CORRELATION and (words is None or words.evidence < MIN_EVIDENCE):
        note = f"not checked: the lengths of the two sides hardly correlate ({lengths.correlation:.2f})"
        return [Finding(Reason.drift, np.empty(0, np.int64), note=note)]
    segments = best_segments(lengths, words, lags)
    shifted = [segment for segment in segments if segment.lag != 0]
    sure = [segment for segment in shifted if words is not None and _confirmed(segment, words)]
    unsure = [segment for segment in shifted if segment not in sure and not _fits(segment, lengths, words)]
    groups = {Reason.drift: sure, Reason.unaligned: unsure}
    return [_finding(reason, group) for reason, group in groups.items() if group]


def fitted_words(texts: Sequence[Pair], lengths: LengthModel) -> LexicalModel:
    """The words of a corpus, mapped with the alignment that the lengths suggest, or with one shift of all lines."""
    words = LexicalModel(*zip(*texts, strict=True))
    guess = [LagSegment(0, len(texts), 0)]
    if lengths.correlation >= MIN_CORRELATION:
        guess = likeliest_segments(lengths, len(texts), lengths.lags)
    best = guess, words.fit(_partners(guess, len(texts)))
    for lag in (0, *NEAR_LAGS):
        if best[1] >= MIN_EVIDENCE:
            break
        trial = [LagSegment(0, len(texts), lag)]
        best = max(best, (trial, words.fit(_partners(trial, len(texts)))), key=lambda item: item[1])
    words.fit(_partners(best[0], len(texts)))
    return words


def best_segments(lengths: LengthModel, words: LexicalModel | None, lags: list[int]) -> list[LagSegment]:
    """The most likely segments by lengths and words; the words are mapped again after a first round."""
    count = len(lengths.source)
    if words is None or words.evidence < MIN_EVIDENCE:
        return likeliest_segments(lengths, count, lags)
    both: LagModel = LengthsAndWords(lengths, words) if lengths.correlation >= MIN_CORRELATION else words
    words.fit(_partners(likeliest_segments(both, count, lags), count))
    return likeliest_segments(both, count, lags)


def _partners(segments: list[LagSegment], count: int) -> npt.NDArray[np.int64]:
    """The target line of each source line, [count]; -1: none."""
    partners = np.full(count, -1)
    for start, stop, lag in segments:
        if lag is not None:
            partners[start:stop] = np.arange(start, stop) + lag
    return np.where(partners < count, partners, -1)


def _confirmed(segment: LagSegment, words: LexicalModel) -> bool:
    """Whether the words of a segment fit its lag much better than no shift."""
    start, stop, lag = segment
    if lag is None or words.evidence < MIN_EVIDENCE:
        return False
    gains = words.gain(lag, start, stop) - words.gain(0, start, stop)
    return float(gains.sum()) > CONFIRMED and float(words.gain(lag, start, stop).sum()) > 0


def _fits(segment: LagSegment, lengths: LengthModel, words: LexicalModel | None) -> bool:
    """Whether the lines of a segment without a lag fit each other better than lines of other lags, by lengths or words.

    In another dialect, spelling or length than the rest of the corpus, all gains are low, but they differ.
    """
    start, stop, lag = segment
    for evidence in (lengths, words):
        if evidence is not None and lag is None:
            others = [evidence.gain(other, start, stop) for other in OTHER_LAGS]
            difference = evidence.gain(0, start, stop) - sum(others) / len(others)
            if float(difference.sum()) > SIGNIFICANT * float(difference.std()) * len(difference) ** 0.5:
                return True
    return False


def _finding(reason: Reason, segments: list[LagSegment]) -> Finding:
    rows = [np.arange(start, stop) for start, stop, _ in segments]
    partners = [
        np.full(len(lines), -1) if segment.lag is None else lines + segment.lag
        for lines, segment in zip(rows, segments, strict=True)
    ]
    note = "; ".join(map(str, segments[:3]))
    return Finding(reason, np.concatenate(rows), "", np.concatenate(partners), note=note)


def likeliest_segments(evidence: LagModel, count: int, tried: list[int]) -> list[LagSegment]:
    """Return the most likely segments of ``count`` lines, in order and without gaps, with the lags that are tried."""
    lags = [*tried, None]
    windows = count // WINDOW
    gains = np.zeros((windows, len(lags)), np.float32)
    for state, lag in enumerate(tried):
        gains[:, state] = evidence.gain(lag, 0, windows * WINDOW).reshape(windows, WINDOW).sum(1)
    path = _viterbi(gains)
    edges = [0, *(np.flatnonzero(path[1:] != path[:-1]) + 1).tolist(), windows]
    cuts = [0]
    for edge, after in pairwise(edges[1:]):
        low, high = max(cuts[-1], (edge - 2) * WINDOW), min(after, edge + 2) * WINDOW
        cuts.append(_change_position(evidence, lags[path[edge - 1]], lags[path[edge]], low, high))
    cuts.append(count)
    path_lags = (lags[path[edge]] for edge in edges[:-1])
    return [
        LagSegment(start, stop, lag)
        for (start, stop), lag in zip(pairwise(cuts), path_lags, strict=True)
        if start < stop
    ]


def _viterbi(gains: Floats) -> npt.NDArray[np.intp]:
    """Return the path with the largest sum of gains [windows, states], minus `CHANGE` for every change of state."""
    best = gains[0] - CHANGE
    best[0] += CHANGE  # starting in state 0 (lag 0) is free
    previous = np.empty(gains.shape, np.uint8)
    stay = np.arange(gains.shape[1], dtype=np.uint8)
    for window in range(1, len(gains)):
        leader = int(best.argmax())
        changed = best[leader] - CHANGE
        previous[window] = np.where(best >= changed, stay, leader)
        best = np.maximum(best, changed) + gains[window]
    path = np.empty(len(gains), np.intp)
    path[-1] = best.argmax()
    for window in range(len(gains) - 1, 0, -1):
        path[window - 1] = previous[window, path[window]]
    return path


def _change_position(evidence: LagModel, before: int | None, after: int | None, low: int, high: int) -> int:
    """Return the first pair, between ``low`` and ``high``, that fits the lag ``after`` better than ``before``."""
    gains = [
        np.zeros(high - low, np.float32) if lag is None else evidence.gain(lag, low, high) for lag in (before, after)
    ]
    return low + int(np.argmax(np.append(0, np.cumsum(gains[0] - gains[1]))))


def _scaled_logarithms(lengths: npt.NDArray[np.int32]) -> Floats:
    """Return the logarithms of lengths, scaled to mean 0 and variance 1."""
    logs = np.log1p(lengths.astype(np.float32))
    return np.asarray((logs - logs.mean()) / max(float(logs.std()), 1e-6), np.float32)


def _standardized(rows: Floats) -> Floats:
    """Scale each row to mean 0 and variance 1, [rows, columns]; a constant row becomes 0."""
    rows = rows - rows.mean(1, keepdims=True)
    return np.asarray(rows / np.maximum(rows.std(1, keepdims=True), 1e-6), np.float32)
