"""Scores."""

import json

import pytest
import sacrebleu
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from seq2seq.errors import DataError
from seq2seq.metrics.score import bleu, bleu_tokenizer, chrf, score

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


PERFECT = {
    "zh": "我们在厨房里工作，孩子们吃苹果。",
    "zho": "他在写信给他的母亲。",
    "th": "เราทำงานในครัว",
    "my": "ကျွန်တော်တို့",
}


@pytest.mark.parametrize("language", PERFECT)
def test_perfect_output_without_spaces_scores_100(language):
    """With 13a it is 0: a line is one word, so there are no 4-grams."""
    lines = [PERFECT[language]] * 3
    assert bleu(lines, lines) == pytest.approx(0)
    assert bleu(lines, lines, language) == pytest.approx(100)
    assert score(lines, lines, language=language, bootstrap=0).bleu.score == pytest.approx(100)


def test_tokenizer_follows_the_language(monkeypatch):
    monkeypatch.setattr("seq2seq.metrics.score.find_spec", lambda module: object())
    bleu_tokenizer.cache_clear()
    result = {code: bleu_tokenizer(code) for code in ("de", "", "yor", "cmn", "jpn", "ko-KR", "lao")}
    assert list(result.values()) == ["13a", "13a", "13a", "zh", "ja-mecab", "ko-mecab", "char"]
    assert all(name in BLEU.TOKENIZERS for name in result.values())
    bleu_tokenizer.cache_clear()
    chinese = score(["他 们工作。"], ["他们工作。"], language="zh-Hant", bootstrap=0)
    assert "|tok:zh|" in chinese.bleu.signature
    assert "|norm:yes|" in chinese.ter.signature
    assert "|asian:yes|" in chinese.ter.signature
    assert chinese.ter.score == 0
    for code in ("de", "fra", "english", ""):
        assert score(HYPOTHESES, REFERENCES, language=code, bootstrap=0) == score(HYPOTHESES, REFERENCES, bootstrap=0)
    assert "|tok:char|" in score(["ก"], ["ข"], language="th", bootstrap=0).bleu.signature


def test_missing_mecab_is_logged_once(monkeypatch, caplog):
    monkeypatch.setattr("seq2seq.metrics.score.find_spec", lambda module: None)
    bleu_tokenizer.cache_clear()
    assert [bleu_tokenizer("ja"), bleu_tokenizer("ja"), bleu_tokenizer("ko")] == ["char"] * 3
    bleu_tokenizer.cache_clear()
    assert [record.getMessage().partition("pip install")[2] for record in caplog.records] == [
        ' -e ".[ja]" to split words by MeCab', ' -e ".[ko]" to split words by MeCab'
    ]  # fmt: skip


def test_references_of_another_script_are_logged_once(caplog):
    lines = ["我们在厨房里工作，孩子们吃苹果。"] * 3
    for _ in range(2):
        score(lines, lines, language="de", bootstrap=0)
    (record,) = caplog.records
    assert "tokenizer 13a for data.target_language=de, but the references look like Chinese, zh" in record.getMessage()
    score(lines, lines, language="zh", bootstrap=0)
    score(HYPOTHESES, REFERENCES, language="de", bootstrap=0)
    assert len(caplog.records) == 1


def test_chrf_alone_is_sacrebleus():
    assert chrf(HYPOTHESES, REFERENCES) == pytest.approx(sacrebleu.corpus_chrf(HYPOTHESES, [REFERENCES]).score)


def test_seed_changes_the_resamples():
    first, same, other = (score(HYPOTHESES, REFERENCES, bootstrap=50, seed=seed) for seed in (1, 1, 2))
    assert first == same
    assert first.bleu.ci95 != other.bleu.ci95
    assert "seed:2|" in other.bleu.signature


def test_lowercase_ignores_case():
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
def test_empty_and_perfect_output(hypotheses, references, expected):
    measured = score(hypotheses, references, bootstrap=20)
    for metric, value in zip((measured.bleu, measured.chrf, measured.ter), expected, strict=True):
        assert metric.score == pytest.approx(value)
        assert metric.ci95 == pytest.approx((value, value))


def test_resamples_may_score_zero():
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


@pytest.mark.parametrize("measure", [score, bleu, chrf])
def test_mismatched_lines_raise(measure):
    with pytest.raises(DataError, match=r"^2 hypotheses but 1 reference: .*$"):
        measure(["a", "b"], ["a"])
    with pytest.raises(DataError, match=r"^nothing to score: .*$"):
        measure([], [])
