"""Paired tests: what sacrebleu says, called directly."""

import random

import pytest
from comparing import FIRST, REFERENCES
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER
from sacrebleu.significance import PairedTest

from seq2seq.comparison.significance import PValue, Significance, joined, paired_test, pairs_of_seeds
from seq2seq.score import fresh_metrics


def worse(lines: list[str], share: float, seed: int) -> list[str]:
    """The lines without a share of their words."""
    chance = random.Random(seed)
    return [" ".join(word for word in line.split() if chance.random() > share) for line in lines]


@pytest.mark.parametrize(("kind", "name"), [("bootstrap", "bs"), ("randomization", "ar")])
def test_p_values_and_signatures_are_sacrebleus(kind, name, monkeypatch):
    monkeypatch.delenv("SACREBLEU_SEED", raising=False)
    references = REFERENCES * 8
    baseline, other = worse(references, 0.3, 1), worse(references, 0.2, 2)
    found = paired_test(Significance(kind), baseline, other, references, fresh_metrics(), 100)
    theirs = PairedTest(
        [("a", baseline), ("b", other)],
        {"BLEU": BLEU(), "chrF": CHRF(), "TER": TER()},
        [references],
        test_type=name,
        n_samples=100,
    )
    signatures, results = theirs()
    for ours, key in zip(("bleu", "chrf", "ter"), ("BLEU", "chrF2", "TER"), strict=True):
        assert found[ours].values == [results[key][1].p_value]
        assert found[ours].signature == str(signatures[key])
    assert f"{name}:100|seed:12345" in found["bleu"].signature


def test_no_difference_is_chance():
    """sacrebleu counts the samples with a larger difference alone, and so finds none, and the smallest p, here."""
    louder = [line.upper() for line in FIRST]
    for kind in Significance:
        same = paired_test(kind, FIRST * 4, FIRST * 4, REFERENCES * 4, fresh_metrics(), 50)
        assert [p.values for p in same.values()] == [[1.0]] * 3
        found = paired_test(kind, FIRST * 4, louder * 4, REFERENCES * 4, fresh_metrics(), 50)
        assert found["ter"].values == [1.0]  # which ignores case
        assert found["chrf"].values[0] < 0.1


def test_a_large_difference_does_not():
    found = paired_test(
        Significance.randomization, ["nichts"] * 20, REFERENCES * 4, REFERENCES * 4, fresh_metrics(), 200
    )
    assert all(p.values == [pytest.approx(1 / 201)] for p in found.values())


def test_seeds_are_tested_in_pairs():
    assert pairs_of_seeds(1, 1) == [(0, 0)]
    assert pairs_of_seeds(1, 3) == [(0, 0), (0, 1), (0, 2)]
    assert pairs_of_seeds(3, 2) == [(0, 0), (1, 1), (2, 0)]
    tests = [{"bleu": PValue([p], "signature")} for p in (0.3, 0.01, 0.02)]
    together = joined(tests)["bleu"]
    assert together == PValue([0.3, 0.01, 0.02], "signature")
    assert str(together) == "0.0200 (0.0100–0.3000)"
    assert str(tests[0]["bleu"]) == "0.3000"
