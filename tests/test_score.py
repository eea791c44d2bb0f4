"""Scores."""

import json

import pytest
import sacrebleu
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from seq2seq.errors import DataError
from seq2seq.score import bleu, score

REFERENCES = [
    "Der Hund schläft unter dem großen Tisch in der Küche.",
    "Zwei Männer laufen am Strand entlang.",
    "Ein Kind isst heute Morgen einen Apfel, den es gefunden hat.",
    "Die Frau liest ein altes Buch im Garten.",
] * 5
HYPOTHESES = [
    "Der Hund schläft unter dem kleinen Tisch in der Küche.",
    "zwei Männer laufen entlang am Strand.",
    "Ein Kind isst einen Apfel, den es gefunden hat.",
    "Die Frau liest ein altes Buch im Garten.",
] * 4 + ["Der Hund.", "Männer laufen am Strand.", "Ein Apfel isst ein Kind.", "Eine Frau liest im alten Garten."]


def test_scores_are_sacrebleus():
    measured = score(HYPOTHESES, REFERENCES, bootstrap=0)
    assert measured.bleu.score == pytest.approx(sacrebleu.corpus_bleu(HYPOTHESES, [REFERENCES]).score)
    assert measured.chrf.score == pytest.approx(sacrebleu.corpus_chrf(HYPOTHESES, [REFERENCES]).score)
    assert measured.ter.score == pytest.approx(sacrebleu.corpus_ter(HYPOTHESES, [REFERENCES]).score)
    assert measured.bleu.ci95 is None
    assert measured.sentences == 20
    assert bleu(HYPOTHESES, REFERENCES) == pytest.approx(measured.bleu.score)


def test_signature_and_interval_are_sacrebleus(monkeypatch):
    monkeypatch.delenv("SACREBLEU_SEED", raising=False)
    measured = score(HYPOTHESES, REFERENCES, bootstrap=200)
    for ours, theirs in ((measured.bleu, BLEU()), (measured.chrf, CHRF()), (measured.ter, TER())):
        expected = theirs.corpus_score(HYPOTHESES, [REFERENCES], n_bootstrap=200)
        assert ours.signature == str(theirs.get_signature())
        assert "bs:200|seed:12345" in ours.signature
        low, high = ours.ci95
        assert low < ours.score < high
        assert (high - low) / 2 == pytest.approx(expected._ci, rel=1e-4)


def test_seed_draws_other_resamples():
    first, same, other = (score(HYPOTHESES, REFERENCES, bootstrap=50, seed=seed) for seed in (1, 1, 2))
    assert first == same
    assert first.bleu.ci95 != other.bleu.ci95
    assert "seed:2|" in other.bleu.signature


def test_lowercase():
    cased, lowercased = (score(["ein hund bellt laut ."], ["Ein Hund bellt laut ."], lowercase=low) for low in (0, 1))
    assert cased.bleu.score < lowercased.bleu.score == pytest.approx(100)
    assert cased.chrf.score < lowercased.chrf.score == pytest.approx(100)
    assert "case:mixed" in cased.bleu.signature
    assert "case:lc" in lowercased.bleu.signature


@pytest.mark.parametrize(
    ("hypotheses", "references", "expected"),
    [
        (["", ""], ["ein Hund", "zwei"], (0, 0, 100)),
        (["ein Hund", "zwei"], ["", ""], (0, 0, 100)),
        (["", ""], ["", ""], (0, 0, 0)),
        (["eins zwei drei vier"], ["eins zwei drei vier"], (100, 100, 0)),
    ],
)
def test_edges(hypotheses, references, expected):
    measured = score(hypotheses, references, bootstrap=20)
    for metric, value in zip((measured.bleu, measured.chrf, measured.ter), expected, strict=True):
        assert metric.score == pytest.approx(value)
        assert metric.ci95 == pytest.approx((value, value))


def test_resamples_that_score_nothing_beside_others():
    # sacrebleu 2.6 itself stops here: "don't know how to coerce float and float32".
    assert score(["a b c d e f", "x"], ["a b c d e f", "y z"], bootstrap=40).chrf.ci95 == pytest.approx((0, 100))


def test_as_json_and_as_lines():
    measured = score(HYPOTHESES, REFERENCES, bootstrap=40)
    read = json.loads(json.dumps(measured.as_dict()))
    assert list(read) == ["bleu", "chrf", "ter", "sentences"]
    assert read["bleu"] == {
        "score": measured.bleu.score,
        "signature": measured.bleu.signature,
        "ci95": list(measured.bleu.ci95),
    }
    low, high = measured.chrf.ci95
    first, second, third = str(measured).splitlines()
    assert first.startswith("BLEU ")
    assert second == f"chrF {measured.chrf.score:6.1f} [{low:.1f}, {high:.1f}]  {measured.chrf.signature}"
    assert third.startswith("TER ")
    unresampled = score(HYPOTHESES, REFERENCES, bootstrap=0)
    assert unresampled.as_dict()["ter"]["ci95"] is None
    assert "[" not in unresampled.table()


@pytest.mark.parametrize("measure", [score, bleu])
def test_lines_that_do_not_match(measure):
    with pytest.raises(DataError, match=r"^2 hypotheses but 1 references: .*$"):
        measure(["a", "b"], ["a"])
    with pytest.raises(DataError, match=r"^nothing to score: .*$"):
        measure([], [])
