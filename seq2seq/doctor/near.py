"""Near copies of test sentences in other sets, and near duplicates, by the rule of `corpora.near_copies`."""

from collections.abc import Mapping, Sequence

import numpy as np

from seq2seq.corpora.corpus import Pair
from seq2seq.corpora.near_copies import near_copies
from seq2seq.doctor.arrays import PairStatistics
from seq2seq.doctor.findings import Finding, Integers
from seq2seq.doctor.reasons import Reason
from seq2seq.errors import counted


def find_near_copies(
    texts: Mapping[str, Sequence[Pair]],
    statistics: Mapping[str, PairStatistics],
    held_out: Sequence[str],
    whole: str | None = None,
) -> dict[str, list[Finding]]:
    """Find sentences that are nearly equal, but not equal, to others.

    Args:
        texts: the pairs of each corpus.
        statistics: of the same corpora, in the same order.
        held_out: the corpora that others are compared with, in their order.
        whole: the corpus that contains these, and is not compared with them.

    Returns:
        By corpus: pairs whose source or target is a near copy of one in a held-out set, and near duplicates.
    """
    pairs = [pair for corpus in texts.values() for pair in corpus]
    groups = [near_copies(side)[1] for side in zip(*pairs, strict=True)] if pairs else []
    ends = np.cumsum([len(corpus) for corpus in texts.values()])
    windows = {name: slice(end - len(texts[name]), end) for name, end in zip(texts, ends.tolist(), strict=True)}
    found: dict[str, list[Finding]] = {name: [] for name in texts}
    for name, data in statistics.items():
        own = [group[windows[name]] for group in groups]
        found[name] += _near_duplicates(own, data)
        for other in held_out[: held_out.index(name)] if name in held_out else held_out:
            if other in windows and name != whole:
                theirs = [group[windows[other]] for group in groups]
                found[name] += _near_overlap(own, data, theirs, statistics[other], other)
    return found


def _near_duplicates(own: Sequence[Integers], data: PairStatistics) -> list[Finding]:
    """Pairs whose groups are those of an earlier pair with another text."""
    if not len(data.filled):
        return []
    rows = np.flatnonzero(data.filled)
    keys = own[0][rows] * (int(own[1].max()) + 1) + own[1][rows]
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    _, exact = np.unique(data.pair_hashes[rows], return_index=True)
    later = np.setdiff1d(exact, first)  # the first of its text, but not of its group
    return [Finding(Reason.near_duplicate, rows[later], partners=rows[first[inverse[later]]])] if len(later) else []


def _near_overlap(
    own: Sequence[Integers], data: PairStatistics, theirs: Sequence[Integers], other: PairStatistics, name: str
) -> list[Finding]:
    findings = []
    hashes = (data.source_hashes, other.source_hashes), (data.target_hashes, other.target_hashes)
    for side, groups, other_groups, (mine, others) in zip(("source", "target"), own, theirs, hashes, strict=True):
        there = np.flatnonzero(other.filled)
        values, first = np.unique(other_groups[there], return_index=True)
        near = np.isin(groups, values) & data.filled & ~np.isin(mine, others[there])
        rows = np.flatnonzero(near)
        if len(rows):
            partners = there[first[np.searchsorted(values, groups[rows])]]
            note = f"affects {counted(len(np.unique(partners)), 'pair')} of {name}"
            findings.append(Finding(Reason.near_overlap, rows, side, partners, name, note))
    return findings
