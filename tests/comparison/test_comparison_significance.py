"""Paired tests: against all exchanges and all resamples, by sacreBLEU's corpus scores; and over systems alike."""

import random
from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import pytest
from comparing import FIRST, REFERENCES, SECOND
from sacrebleu.metrics.base import Score, Signature
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER
from sacrebleu.significance import PairedTest

from seq2seq.comparison.significance import PValue, Significance, join_tests, paired_test, pairs_of_seeds
from seq2seq.metrics.score import fresh_metrics

METRICS = {"bleu": BLEU, "chrf": CHRF, "ter": TER}


def worse(lines: list[str], share: float, seed: int) -> list[str]:
    """The lines without a share of their words."""
    chance = random.Random(seed)
    return [" ".join(word for word in line.split() if chance.random() > share) for line in lines]


def gap(name: str, first: Sequence[str], second: Sequence[str], references: Sequence[str]) -> float:
    """Difference of two corpus scores as sacreBLEU's own interface gives them, rounded far below any real one."""
    one, two = (METRICS[name]().corpus_score(list(lines), [list(references)]).score for lines in (first, second))
    return round(two - one, 9)


def all_exchanges(name: str, first: list[str], second: list[str], references: list[str]) -> float:
    """Return p over all exchanges of the sentences in which two outputs differ."""
    rows = [row for row, pair in enumerate(zip(first, second, strict=True)) if len(set(pair)) == 2]
    observed, result = abs(gap(name, first, second, references)), []
    for exchanged in product((False, True), repeat=len(rows)):
        one, two = list(first), list(second)
        for row, exchange in zip(rows, exchanged, strict=True):
            if exchange:
                one[row], two[row] = second[row], first[row]
        result.append(abs(gap(name, one, two, references)) >= observed)
    return sum(result) / len(result)


def all_resamples(name: str, first: list[str], second: list[str], references: list[str]) -> float:
    """Return p over all draws of the same number of sentences with replacement."""
    observed, result = gap(name, first, second, references), []
    for rows in product(range(len(references)), repeat=len(references)):
        resampled = ([lines[row] for row in rows] for lines in (first, second, references))
        result.append(round(abs(gap(name, *resampled) - observed), 8) >= round(abs(observed), 8))
    return sum(result) / len(result)


EXACT: dict[Significance, Callable[[str, list[str], list[str], list[str]], float]] = {
    Significance.randomization: all_exchanges,
    Significance.bootstrap: all_resamples,
}


@pytest.mark.parametrize("kind", list(Significance))
@pytest.mark.parametrize("rows", [slice(0, 4), pytest.param(slice(1, 5), marks=pytest.mark.slow)])
def test_p_values_are_those_of_full_enumeration(kind, rows):
    lines = FIRST[rows], SECOND[rows], REFERENCES[rows]
    result = paired_test(kind, *lines, fresh_metrics(), 1500)
    for name in METRICS:
        assert result[name].values[0] == pytest.approx(EXACT[kind](name, *lines), abs=0.05), name


@pytest.mark.parametrize("differing", [1, 2, 3, 4])
def test_few_different_sentences_are_not_significant(differing):
    """Of 50. sacreBLEU 2.6 counts only larger differences, and gives 0.001 where p is 1, 0.5 and 0.25."""
    references = [f"{line} {number}" for number, line in enumerate(REFERENCES * 10)]
    first = worse(references, 0.2, 1)
    second = [*worse(references, 0.4, 2)[:differing], *first[differing:]]
    result = paired_test(Significance.randomization, first, second, references, fresh_metrics(), 1000)
    for name in ("bleu", "chrf")[: 2 if differing < 4 else 1]:
        expected = all_exchanges(name, first, second, references)
        assert result[name].values[0] == pytest.approx(expected, abs=0.05), name
        assert result[name].values[0] >= 2**-differing
    if differing == 1:
        assert result["bleu"].values == result["chrf"].values == result["ter"].values == [1.0]
        resampled = paired_test(
            Significance.bootstrap, first, second, references, {"bleu": BLEU(), "chrf": CHRF()}, 1000
        )
        # The sentence is drawn k times (Poisson), and the difference is k-fold: p is the share of k = 0, k > 2, and
        # those k = 2 that rounding raises.
        for p in resampled.values():
            assert 0.367 + 0.080 - 0.05 < p.values[0] < 0.367 + 0.264 + 0.05


class Mean:
    """A metric that is the mean of numbers, for output that is numbers."""

    def _extract_corpus_statistics(self, hypotheses, references):
        return [[float(text), 1.0] for text in hypotheses]

    def _compute_score_from_stats(self, stats):
        return Score("mean", stats[0] / stats[1])

    def get_signature(self):
        return Signature({"num_refs": 1})


@pytest.mark.parametrize("kind", list(Significance))
@pytest.mark.parametrize("spread", [1.0, 0.0])
def test_systems_that_are_equally_good_have_uniform_p_values(kind, spread):
    """Pairs of outputs whose scores come from one distribution; sentences are hard or easy for both."""
    random, values = np.random.default_rng(5), []
    for _ in range(300):
        hard = 10 * random.random(80)
        outputs = [
            list(map(str, hard + 1 + random.normal(size=80) + spread * random.exponential(size=80))) for _ in "ab"
        ]
        result = paired_test(kind, *outputs, [""] * 80, {"mean": Mean()}, 99)
        values += result["mean"].values
    for level in (0.05, 0.1, 0.25, 0.5, 0.75, 0.9):
        spread_of_share = (level * (1 - level) / 300) ** 0.5
        assert np.mean(np.array(values) <= level) == pytest.approx(level, abs=3 * spread_of_share + 0.01)


@pytest.mark.parametrize("kind", list(Significance))
def test_one_sentence_is_not_significant(kind):
    result = paired_test(kind, ["Hund"], ["der Hund schläft"], ["der Hund schläft"], fresh_metrics(), 50)
    assert all(p.values == [1.0] for p in result.values())


@pytest.mark.parametrize(("kind", "name"), [("bootstrap", "bs"), ("randomization", "ar")])
@pytest.mark.parametrize("seed", [None, "7"])
def test_trials_and_signatures_are_sacrebleus(kind, name, seed, monkeypatch):
    """Where no difference is a tie, the randomization test is sacreBLEU's to the last digit; its bootstrap is not."""
    monkeypatch.delenv("SACREBLEU_SEED", raising=False)
    if seed is not None:
        monkeypatch.setenv("SACREBLEU_SEED", seed)
    references = REFERENCES * 8
    baseline, other = worse(references, 0.3, 1), worse(references, 0.2, 2)
    result = paired_test(Significance(kind), baseline, other, references, fresh_metrics(), 100)
    theirs = PairedTest(
        [("a", baseline), ("b", other)],
        {"BLEU": BLEU(), "chrF": CHRF(), "TER": TER()},
        [references],
        test_type=name,
        n_samples=100,
    )
    signatures, results = theirs()
    for ours, key in zip(("bleu", "chrf", "ter"), ("BLEU", "chrF2", "TER"), strict=True):
        if kind == "randomization":
            assert result[ours].values == [results[key][1].p_value]
        assert result[ours].signature == str(signatures[key])
    assert f"{name}:100|seed:{seed or 12345}" in result["bleu"].signature


def test_no_difference_is_not_significant():
    louder = [line.upper() for line in FIRST]
    for kind in Significance:
        same = paired_test(kind, FIRST * 4, FIRST * 4, REFERENCES * 4, fresh_metrics(), 50)
        assert [p.values for p in same.values()] == [[1.0]] * 3
        result = paired_test(kind, FIRST * 4, louder * 4, REFERENCES * 4, fresh_metrics(), 50)
        assert result["ter"].values == [1.0]  # which ignores case
        assert result["chrf"].values[0] < 0.1


def test_a_large_difference_is_significant():
    result = paired_test(
        Significance.randomization, ["nichts"] * 20, REFERENCES * 4, REFERENCES * 4, fresh_metrics(), 200
    )
    assert all(p.values == [pytest.approx(1 / 201)] for p in result.values())


def test_trials_are_computed_in_blocks(monkeypatch):
    whole = [paired_test(kind, FIRST, SECOND, REFERENCES, fresh_metrics(), 50) for kind in Significance]
    monkeypatch.setattr("seq2seq.comparison.significance.BLOCK", 7)
    assert whole == [paired_test(kind, FIRST, SECOND, REFERENCES, fresh_metrics(), 50) for kind in Significance]


def test_seeds_are_tested_in_pairs():
    assert pairs_of_seeds(1, 1) == [(0, 0)]
    assert pairs_of_seeds(1, 3) == [(0, 0), (0, 1), (0, 2)]
    assert pairs_of_seeds(3, 2) == [(0, 0), (1, 1), (2, 0)]
    tests = [{"bleu": PValue([p], "signature")} for p in (0.3, 0.01, 0.02)]
    together = join_tests(tests)["bleu"]
    assert together == PValue([0.3, 0.01, 0.02], "signature")
    assert str(together) == "0.0200 (0.0100–0.3000)"
    assert str(tests[0]["bleu"]) == "0.3000"
