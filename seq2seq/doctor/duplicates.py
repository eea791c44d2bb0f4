"""Duplicate pairs, sentences with several translations, and overlap with the validation and test sets.

All comparisons use 64-bit hashes. The probability that two different sentences among ten million share a hash is three
in a million.
"""

from collections.abc import Mapping

import numpy as np

from seq2seq.doctor.arrays import PairStatistics
from seq2seq.doctor.findings import Finding, Integers
from seq2seq.doctor.reasons import Reason
from seq2seq.errors import counted


def repetitions(hashes: Integers) -> tuple[Integers, Integers]:
    """Return the ascending indices of items that repeat an earlier one, and the index of the first equal item of each.

    Only the sort order takes memory proportional to the input.
    """
    order = np.argsort(hashes, kind="stable")  # stable: among equal items, the first comes first
    ordered = hashes[order]
    same = ordered[1:] == ordered[:-1]
    later = np.flatnonzero(same) + 1
    heads = np.flatnonzero(same & np.append(True, ~same[:-1])) if len(later) else later
    first = heads[np.searchsorted(heads, later, "right") - 1]
    ascending = np.argsort(order[later])
    return order[later][ascending], order[first][ascending]


class Duplicates:
    """Finds repeated pairs, and sentences with several translations. A repeated pair counts as one translation."""

    def find(self, data: PairStatistics) -> list[Finding]:
        """Return at most three findings."""
        rows = np.flatnonzero(data.filled)
        if not len(rows):
            return []
        later, first = repetitions(data.pair_hashes[rows])
        distinct = np.delete(rows, later)
        findings = [
            Finding(Reason.duplicate, rows[later], partners=rows[first]),
            _several_translations(Reason.several_targets, data.source_hashes[distinct], distinct),
            _several_translations(Reason.several_sources, data.target_hashes[distinct], distinct),
        ]
        return [finding for finding in findings if len(finding.rows)]


def _several_translations(reason: Reason, hashes: Integers, rows: Integers) -> Finding:
    """Find pairs that share the sentence of one side. The first pair with it is the partner of the others."""
    later, first = repetitions(hashes)
    several = np.union1d(later, first)
    partners = np.full(len(several), -1)
    partners[np.searchsorted(several, later)] = rows[first]
    note = counted(len(several) - len(later), "different sentence")
    return Finding(reason, rows[several], partners=partners, note=note)


class Overlap:
    """Finds pairs and sources that are also in other sets.

    Args:
        others: statistics of these sets, by name.
    """

    def __init__(self, others: Mapping[str, PairStatistics]) -> None:
        self._others = others

    def find(self, data: PairStatistics) -> list[Finding]:
        """Return at most two findings per set."""
        findings = []
        for name, other in self._others.items():
            pair = _matches(data.pair_hashes, data, other.pair_hashes, other)
            source = np.where(pair < 0, _matches(data.source_hashes, data, other.source_hashes, other), -1)
            for reason, partners in ((Reason.overlap, pair), (Reason.overlap_source, source)):
                rows = np.flatnonzero(partners >= 0)
                note = f"affects {counted(len(np.unique(partners[rows])), 'pair')} of {name}"
                findings.append(Finding(reason, rows, partners=partners[rows], partner_corpus=name, note=note))
        return [finding for finding in findings if len(finding.rows)]


def _matches(hashes: Integers, data: PairStatistics, other_hashes: Integers, other: PairStatistics) -> Integers:
    """Return for each pair the index of a pair with the same hash in another set, [pairs]; -1: none, or a blank."""
    rows = np.flatnonzero(other.filled)
    if not len(rows):
        return np.full(len(hashes), -1)
    order = rows[np.argsort(other_hashes[rows], kind="stable")]
    nearest = np.minimum(np.searchsorted(other_hashes[order], hashes), len(order) - 1)
    partners = order[nearest]
    return np.where((other_hashes[partners] == hashes) & data.filled, partners, -1)
