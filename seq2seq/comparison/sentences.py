"""Sentence by sentence: who wins, by length, and where two systems differ most."""

from collections.abc import Sequence
from typing import NamedTuple

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from seq2seq.comparison.config import SentenceMetric
from seq2seq.comparison.groups import label, place
from seq2seq.corpora.corpus import Pair
from seq2seq.corpora.languages import word_count
from seq2seq.metrics.score import sentence_bleu

TIE = 1e-9
"""Scores closer than this are equal but for rounding."""


class Wins(NamedTuple):
    """Sentences of a group, by which of two systems has the better score; TIE is neither."""

    group: str
    sentences: int
    baseline: int
    ties: int
    other: int
    mean_baseline: float
    mean_other: float


class Difference(NamedTuple):
    """One sentence as both systems have it."""

    line: int
    """In the test set, from 1."""
    source: str
    reference: str
    baseline: str
    other: str
    score_baseline: float
    score_other: float


def sentence_scores(
    lines: Sequence[str],
    references: Sequence[str],
    metric: SentenceMetric,
    lowercase: bool = False,
    language: str = "",
) -> list[float]:
    """chrF or BLEU (of effective order) of each sentence by itself, 0 to 100."""
    scorer: BLEU | CHRF = CHRF(lowercase=lowercase)
    if metric is SentenceMetric.bleu:
        scorer = sentence_bleu(language, lowercase)
    return [
        float(scorer.sentence_score(line, [reference]).score) for line, reference in zip(lines, references, strict=True)
    ]


def counted(group: str, baseline: Sequence[float], other: Sequence[float]) -> Wins:
    """Wins over all the sentences given; at least one."""
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
    """Wins in each group of sentences that has any, then in all.

    Args:
        references: a sentence's length is theirs in words (`word_count`).
        baseline: a score for each sentence.
        other: likewise.
        lengths: words at which the next group begins.
        language: code of the language of the references.
    """
    starts = [0, *lengths]
    groups: dict[int, list[int]] = {}
    for row, reference in enumerate(references):
        groups.setdefault(place(starts, word_count(reference, language)), []).append(row)
    wins = [
        counted(label(starts, number), [baseline[row] for row in rows], [other[row] for row in rows])
        for number, rows in sorted(groups.items())
    ]
    return [*wins, counted("all", baseline, other)]


def most_different(
    pairs: Sequence[Pair],
    lines: tuple[Sequence[str], Sequence[str]],
    scores: tuple[Sequence[float], Sequence[float]],
    count: int,
) -> list[Difference]:
    """Up to ``count`` sentences that the baseline wins by most, then as many that the other does; ties are left out.

    Args:
        pairs: the test set.
        lines: translations by the baseline and by the other.
        scores: of their sentences.
        count: in either direction.
    """
    gaps = [one - two for one, two in zip(*scores, strict=True)]
    rows = sorted(range(len(gaps)), key=lambda row: gaps[row], reverse=True)
    best = [row for row in rows[:count] if gaps[row] > TIE]
    worst = [row for row in rows[::-1][:count] if gaps[row] < -TIE]
    return [
        Difference(row + 1, *pairs[row], lines[0][row], lines[1][row], scores[0][row], scores[1][row])
        for row in [*best, *worst]
    ]
