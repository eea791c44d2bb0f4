"""Pairs that are there twice, at odds with each other, or in a set that is kept for judging.

All of it is sorting and searching of 64-bit hashes: two different sentences among ten million share one with a chance
of three in a million.
"""

from collections.abc import Mapping

import numpy as np

from seq2seq.doctor.chunk import Measures
from seq2seq.doctor.types import Found, Numbers, Reason


def repeated(hashes: Numbers) -> tuple[Numbers, Numbers]:
    """The items that have been there before, ascending, and for each the first like it.

    Nothing but the order is as long as the input.
    """
    order = np.argsort(hashes, kind="stable")  # equal ones stay in their order, the first in front
    ordered = hashes[order]
    same = ordered[1:] == ordered[:-1]
    later = np.flatnonzero(same) + 1
    heads = np.flatnonzero(same & np.append(True, ~same[:-1])) if len(later) else later
    first = heads[np.searchsorted(heads, later, "right") - 1]
    ascending = np.argsort(order[later])
    return order[later][ascending], order[first][ascending]


class Duplicates:
    """Pairs that have been there before, and sentences with several translations.

    A sentence's translations are counted once each, however often a pair is repeated.
    """

    def find(self, seen: Measures) -> list[Found]:
        """Up to three findings."""
        rows = np.flatnonzero(seen.filled)
        if not len(rows):
            return []
        later, first = repeated(seen.pair_hashes[rows])
        found = [Found(Reason.duplicate, rows[later], partners=rows[first])]
        once = np.delete(rows, later)
        for reason, hashes in (
            (Reason.several_targets, seen.source_hashes),
            (Reason.several_sources, seen.target_hashes),
        ):
            found.append(_at_odds(reason, hashes[once], once))
        return [one for one in found if len(one.rows)]


def _at_odds(reason: Reason, hashes: Numbers, rows: Numbers) -> Found:
    """All pairs whose sentence on one side is there in another pair; the first of each is the others' partner."""
    later, first = repeated(hashes)
    several = np.union1d(later, first)
    partners = np.full(len(several), -1)
    partners[np.searchsorted(several, later)] = rows[first]
    note = f"{len(several) - len(later):,} different sentences"
    return Found(reason, rows[several], partners=partners, note=note)


class Overlap:
    """Pairs, and sources, that are in other sets too.

    Args:
        others: the sets' measures, by name.
    """

    def __init__(self, others: Mapping[str, Measures]) -> None:
        self._others = others

    def find(self, seen: Measures) -> list[Found]:
        """Up to two findings for each of the sets."""
        found = []
        for name, other in self._others.items():
            pair = _in(seen.pair_hashes, other.pair_hashes, other, seen)
            source = np.where(pair < 0, _in(seen.source_hashes, other.source_hashes, other, seen), -1)
            for reason, partners in ((Reason.overlap, pair), (Reason.overlap_source, source)):
                rows = np.flatnonzero(partners >= 0)
                note = f"pairs of {name} concerned: {len(np.unique(partners[rows])):,}"
                found.append(Found(reason, rows, partners=partners[rows], place=name, note=note))
        return [one for one in found if len(one.rows)]


def _in(hashes: Numbers, other_hashes: Numbers, other: Measures, seen: Measures) -> Numbers:
    """For each pair the number of one with the same hash in the other set, or -1; blank pairs are left out, [pairs]."""
    rows = np.flatnonzero(other.filled)
    if not len(rows):
        return np.full(len(hashes), -1)
    order = rows[np.argsort(other_hashes[rows], kind="stable")]
    place = np.minimum(np.searchsorted(other_hashes[order], hashes), len(order) - 1)
    partners = order[place]
    return np.where((other_hashes[partners] == hashes) & seen.filled, partners, -1)
