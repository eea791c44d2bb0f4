"""All of a comparison together."""

from statistics import stdev

import pytest
from comparing import FIRST, PAIRS, REFERENCES, SECOND

from seq2seq.comparison.comparison import compare
from seq2seq.comparison.config import CompareConfig
from seq2seq.comparison.rare_words import Frequencies, Words, count_words
from seq2seq.comparison.significance import Significance, paired_test
from seq2seq.comparison.systems import Output, System
from seq2seq.metrics.score import fresh_metrics, score


def compared(*systems, **settings):
    """These outputs, several of a system in a list, compared."""
    config = CompareConfig(**{"bootstrap": 30, "randomization": 40, **settings})
    named = [
        System(f"system {number}", [Output(f"{number}.{seed}", lines, {}) for seed, lines in enumerate(outputs)])
        for number, outputs in enumerate(systems)
    ]
    counts = Frequencies(count_words(REFERENCES, Words(False)), "the references")
    return compare(named, ("five lines", "hash"), PAIRS, fresh_metrics, counts, config)


def test_scores_in_a_comparison_equal_separate_scores():
    comparison = compared([FIRST], [SECOND])
    expected = score(SECOND, REFERENCES, bootstrap=30)
    for name in ("bleu", "chrf", "ter"):
        assert comparison.systems[1].scores[0][name] == getattr(expected, name)
    assert comparison.systems[1].over_seeds("bleu") == (expected.bleu.score, None, 1)
    (contrast,) = comparison.contrasts
    assert contrast.tests[Significance.bootstrap] == paired_test(
        Significance.bootstrap, FIRST, SECOND, REFERENCES, fresh_metrics(), 30
    )
    assert "ar:40" in contrast.tests[Significance.randomization]["ter"].signature
    assert contrast.wins[-1].sentences == 5
    # chrF: the second output is better on lines 1 and 3, the first on lines 2 and 4.
    assert contrast.wins[-1][2:5] == (2, 1, 2)
    assert {one.line for one in contrast.differences} == {1, 2, 3, 4}


def test_seeds_are_averaged_and_tested_in_pairs():
    comparison = compared([FIRST, SECOND], [REFERENCES], randomization=0)
    each = [score(lines, REFERENCES, bootstrap=0).chrf.score for lines in (FIRST, SECOND)]
    mean, deviation, seeds = comparison.systems[0].over_seeds("chrf")
    assert (mean, deviation, seeds) == (pytest.approx(sum(each) / 2), pytest.approx(stdev(each)), 2)
    (contrast,) = comparison.contrasts
    assert list(contrast.tests) == [Significance.bootstrap]
    assert [len(p.values) for p in contrast.tests[Significance.bootstrap].values()] == [2, 2, 2]
    assert contrast.differences[0].baseline in FIRST


def test_every_system_is_compared_with_the_first():
    comparison = compared([FIRST], [SECOND], [REFERENCES], randomization=0, examples=0)
    assert [contrast.name for contrast in comparison.contrasts] == ["system 1", "system 2"]
    assert comparison.contrasts[1].wins[-1].baseline == 0
    assert comparison.contrasts[1].rare_words[0].found_other == comparison.contrasts[1].rare_words[0].words
    assert comparison.contrasts[0].differences == []
