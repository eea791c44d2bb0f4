"""Wins, and the most different sentences, counted by hand."""

import pytest
from comparing import FIRST, PAIRS, REFERENCES, SECOND
from sacrebleu import sentence_bleu, sentence_chrf

from seq2seq.comparison.config import SentenceMetric
from seq2seq.comparison.sentences import group_label, group_of, most_different, sentence_scores, wins_by_length


def test_sentences_are_scored_by_sacrebleu():
    assert sentence_scores(FIRST, REFERENCES, SentenceMetric.chrf) == pytest.approx(
        [sentence_chrf(line, [reference]).score for line, reference in zip(FIRST, REFERENCES, strict=True)]
    )
    assert sentence_scores(FIRST, REFERENCES, SentenceMetric.bleu) == pytest.approx(
        [sentence_bleu(line, [reference]).score for line, reference in zip(FIRST, REFERENCES, strict=True)]
    )
    assert sentence_scores(["A B"], ["a b"], SentenceMetric.chrf, lowercase=True) == pytest.approx([100])


def test_wins_by_length():
    # Words of the references: 10, 6, 11, 8, 2.
    baseline, other = [50.0, 100.0, 30.0, 60.0, 100.0], [100.0, 80.0, 70.0, 10.0, 100.0 + 1e-12]
    wins = wins_by_length(REFERENCES, baseline, other, [6, 10, 50])
    assert [tuple(group)[:5] for group in wins] == [
        ("0–5", 1, 0, 1, 0),
        ("6–9", 2, 2, 0, 0),
        ("10–49", 2, 0, 0, 2),
        ("all", 5, 2, 1, 2),
    ]
    assert wins[1].mean_baseline == pytest.approx(80)
    assert wins[1].mean_other == pytest.approx(45)
    assert wins[-1].mean_other == pytest.approx(72)


def test_the_most_different_sentences_of_both_directions_exclude_ties():
    scores = ([50.0, 100.0, 30.0, 60.0, 100.0], [100.0, 80.0, 70.0, 10.0, 100.0])
    result = most_different(PAIRS, (FIRST, SECOND), scores, 2)
    assert [one.line for one in result] == [4, 2, 1, 3]
    assert result[0] == (4, "source 3", REFERENCES[3], FIRST[3], SECOND[3], 60.0, 10.0)
    assert [one.line for one in most_different(PAIRS, (FIRST, SECOND), scores, 9)] == [4, 2, 1, 3]
    assert most_different(PAIRS, (FIRST, SECOND), scores, 0) == []
    assert most_different(PAIRS, (FIRST, FIRST), (scores[0], scores[0]), 5) == []


def test_groups_are_adjacent_ranges():
    starts = [0, 1, 10, 1000]
    assert [group_of(starts, value) for value in (0, 1, 9, 10, 999, 1000, 10**6)] == [0, 1, 1, 2, 2, 3, 3]
    assert [group_label(starts, number) for number in range(4)] == ["0", "1–9", "10–999", "1,000 and more"]
    assert group_label([0], 0) == "0 and more"
