"""Checks of lengths: unreadable rows, blank sentences, long sentences, unusual length ratios."""

import math

import numpy as np
import numpy.typing as npt

from seq2seq.doctor.arrays import Mask, PairArrays, PairStatistics
from seq2seq.doctor.findings import Finding
from seq2seq.doctor.reasons import Reason

SPREADS = 5.0
"""Standard deviations of the logarithm of the ratio (estimated from the median deviation) that an outlier exceeds."""
SMOOTHING = 10
"""Characters added to both lengths before division, so that short sentences may differ freely."""
MIN_CORRELATION = 0.3
"""Below this rank correlation of the lengths of both sides, as in a word list, their ratio shows nothing."""


class UnreadableRows:
    """Finds rows that the reader rejected."""

    def find(self, data: PairArrays) -> list[Finding]:
        """Return at most one finding; its note is the error of the first row."""
        rows = np.array(sorted(data.errors), np.int64)
        return [Finding(Reason.unreadable, rows, note=data.errors[int(rows[0])])] if len(rows) else []


class BlankSentences:
    """Finds pairs with an empty or white-space side. Unreadable rows do not count."""

    def find(self, data: PairArrays) -> list[Finding]:
        """Return one finding each for blank sources, blank targets, and pairs with both sides blank."""
        source, target = data.source.blank.copy(), data.target.blank.copy()
        source[list(data.errors)] = target[list(data.errors)] = False
        sides = {"source": source & ~target, "target": target & ~source, "": source & target}
        return [Finding(Reason.blank, np.flatnonzero(mask), side) for side, mask in sides.items() if mask.any()]


class LongSentences:
    """Finds sentences above a length limit.

    Args:
        max_length: characters.
    """

    def __init__(self, max_length: int) -> None:
        self._max_length = max_length

    def find(self, data: PairStatistics) -> list[Finding]:
        """Return at most one finding per side."""
        sides = {"source": data.source_lengths, "target": data.target_lengths}
        findings = [
            Finding(Reason.too_long, np.flatnonzero(lengths > self._max_length), side)
            for side, lengths in sides.items()
        ]
        return [finding for finding in findings if len(finding.rows)]


class LengthRatios:
    """Finds pairs with a length ratio that is unusual in this corpus.

    The ratio is (target + 10) / (source + 10) characters; the usual ratio is the median of the corpus. So Chinese
    sentences with a third of the characters of their English translations are not outliers. In a dictionary, ratios
    differ so much that few are: an outlier is also far from the others. In a glossary, the few definitions differ from
    the many words alike: an outlier is an exception among the pairs of about its length too.

    Args:
        max_ratio: a pair is an outlier above this multiple of the usual ratio, or below its inverse.
    """

    def __init__(self, max_ratio: float) -> None:
        self._max_ratio = max_ratio

    def find(self, data: PairStatistics) -> list[Finding]:
        """Return at most one finding; its note has the usual ratio. It has no rows if the lengths do not correlate."""
        rows = np.flatnonzero(data.filled)
        if not len(rows):
            return []
        source, target = data.source_lengths[rows], data.target_lengths[rows]
        logs = np.log((target + SMOOTHING) / (source + SMOOTHING))
        median = float(np.median(logs))
        deviations = np.abs(logs - median)
        spread = 1.4826 * float(np.median(deviations))
        far = deviations > max(math.log(self._max_ratio), SPREADS * spread)
        outliers = np.flatnonzero(far)[_are_exceptions(far, np.maximum(source, target))]
        if not len(outliers):
            return []
        if (correlation := _rank_correlation(source, target)) < MIN_CORRELATION:
            note = f"not checked: the lengths of the two sides hardly correlate ({correlation:.2f})"
            return [Finding(Reason.ratio, np.empty(0, np.int64), note=note)]
        note = f"median of this corpus: {math.exp(median):.2f} target characters per source character"
        return [Finding(Reason.ratio, rows[outliers], note=note)]


def _are_exceptions(far: Mask, lengths: npt.NDArray[np.int32]) -> Mask:
    """Whether most pairs of half to twice the length of each far one are not far, [far ones].

    Args:
        far: which pairs have an unusual ratio, [pairs].
        lengths: of the longer side of each pair, [pairs].
    """
    order = np.argsort(lengths)
    ascending, far_before = lengths[order], np.append(0, np.cumsum(far[order]))
    first = np.searchsorted(ascending, lengths[far] / 2)
    last = np.searchsorted(ascending, lengths[far] * 2, "right")
    return np.asarray(2 * (far_before[last] - far_before[first]) < last - first)


def _rank_correlation(source: npt.NDArray[np.int32], target: npt.NDArray[np.int32]) -> float:
    """Spearman's correlation, on which a few outliers have little influence; 0 if all lengths of a side are equal."""
    ranks = []
    for lengths in (source, target):
        _, values, counts = np.unique(lengths, return_inverse=True, return_counts=True)
        rank = (np.cumsum(counts) - counts / 2)[values]  # equal lengths share the middle of their ranks
        ranks.append(rank - rank.mean())
    scale = math.sqrt(float((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum()))
    return float((ranks[0] * ranks[1]).sum()) / scale if scale else 0.0
