"""Scores of single sentences: wins by length, and the sentences in which two systems differ most."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from seq2seq.comparison.config import SentenceMetric
from seq2seq.corpora.corpus import Pair
from seq2seq.corpora.languages import word_count
from seq2seq.metrics.score import sentence_bleu

TIE = 1e-9
"""Scores that differ by less are equal; the difference is rounding."""


class Wins(NamedTuple):
    """How many sentences of a group each of two systems wins, and the mean scores."""

    group: str
    sentences: int
    baseline: int
    ties: int
    other: int
    mean_baseline: float
    mean_other: float


class Difference(NamedTuple):
    """A sentence with the translations of both systems."""

    line: int
    """Line number in the test set, from 1."""
    source: str
    reference: str
    baseline: str
    other: str
    score_baseline: float
    score_other: float


def group_of(starts: Sequence[int], value: int) -> int:
    """The index of the group that contains ``value``; ``starts`` rise and begin with 0."""
    return bisect_right(starts, value) - 1


def group_label(starts: Sequence[int], group: int) -> str:
    """The range of a group, such as ``0``, ``1–9`` or ``1,000 and more``."""
    first = starts[group]
    if group == len(starts) - 1:
        return f"{first:,} and more"
    last = starts[group + 1] - 1
    return f"{first:,}" if first == last else f"{first:,}–{last:,}"


def sentence_scores(
    lines: Sequence[str],
    references: Sequence[str],
    metric: SentenceMetric,
    lowercase: bool = False,
    language: str = "",
) -> list[float]:
    """chrF, or BLEU with effective order, of each sentence; 0 to 100."""
    scorer: BLEU | CHRF = CHRF(lowercase=lowercase)
    if metric is SentenceMetric.bleu:
        scorer = sentence_bleu(language, lowercase)
    return [
        float(scorer.sentence_score(line, [reference]).score) for line, reference in zip(lines, references, strict=True)
    ]


def count_wins(group: str, baseline: Sequence[float], other: Sequence[float]) -> Wins:
    """Count wins over at least one sentence."""
    first = sum(one - two > TIE for one, two in zip(baseline, other, strict=True))
    second = sum(two - one > TIE for one, two in zip(baseline, other, strict=True))
    number = len(baseline)
    ties = number - first - second
    return Wins(group, number, first, ties, second, sum(baseline) / number, sum(other) / number)


def wins_by_length(
    references: Sequence[str],
    baseline: Sequence[float],
    other: Sequence[float],
    lengths: Sequence[int],
    language: str = "",
) -> list[Wins]:
    """Wins in each group of lengths that has sentences, and in all sentences.

    Args:
        references: their number of words (`word_count`) is the length.
        baseline: a score for each sentence.
        other: a score for each sentence.
        lengths: words at which the next group begins.
        language: language code of the references.
    """
    starts = [0, *lengths]
    groups: dict[int, list[int]] = {}
    for row, reference in enumerate(references):
        groups.setdefault(group_of(starts, word_count(reference, language)), []).append(row)
    wins = [
        count_wins(group_label(starts, number), [baseline[row] for row in rows], [other[row] for row in rows])
        for number, rows in sorted(groups.items())
    ]
    return [*wins, count_wins("all", baseline, other)]


def most_different(
    pairs: Sequence[Pair],
    lines: tuple[Sequence[str], Sequence[str]],
    scores: tuple[Sequence[float], Sequence[float]],
    count: int,
) -> list[Difference]:
    """The sentences that the baseline wins by the largest margins, then those that the other system wins.

    Args:
        pairs: the test set.
        lines: translations of the baseline and of the other system.
        scores: sentence scores of both.
        count: maximum number for each system.
    """
    gaps = [one - two for one, two in zip(*scores, strict=True)]
    rows = sorted(range(len(gaps)), key=lambda row: gaps[row], reverse=True)
    best = [row for row in rows[:count] if gaps[row] > TIE]
    worst = [row for row in rows[::-1][:count] if gaps[row] < -TIE]
    return [
        Difference(row + 1, *pairs[row], lines[0][row], lines[1][row], scores[0][row], scores[1][row])
        for row in [*best, *worst]
    ]
