"""Checks of lengths: unreadable rows, blank sentences, long sentences, unusual length ratios."""

import math

import numpy as np

from seq2seq.doctor.arrays import PairArrays, PairStatistics
from seq2seq.doctor.findings import Finding
from seq2seq.doctor.reasons import Reason

SPREADS = 5.0
"""Standard deviations of the logarithm of the ratio (estimated from the median deviation) that an outlier exceeds."""
SMOOTHING = 10
"""Characters added to both lengths before division, so that short sentences may differ freely."""


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
    differ so much that few are: an outlier is also far from the others.

    Args:
        max_ratio: a pair is an outlier above this multiple of the usual ratio, or below its inverse.
    """

    def __init__(self, max_ratio: float) -> None:
        self._max_ratio = max_ratio

    def find(self, data: PairStatistics) -> list[Finding]:
        """Return at most one finding; its note has the usual ratio."""
        rows = np.flatnonzero(data.filled)
        if not len(rows):
            return []
        logs = np.log((data.target_lengths[rows] + SMOOTHING) / (data.source_lengths[rows] + SMOOTHING))
        median = float(np.median(logs))
        deviations = np.abs(logs - median)
        spread = 1.4826 * float(np.median(deviations))
        outliers = rows[deviations > max(math.log(self._max_ratio), SPREADS * spread)]
        note = f"median of this corpus: {math.exp(median):.2f} target characters per source character"
        return [Finding(Reason.ratio, outliers, note=note)] if len(outliers) else []
