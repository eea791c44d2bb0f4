"""What the source left unchanged scores."""

import pytest
import sacrebleu

from seq2seq.errors import DataError
from seq2seq.metrics.copied_source import copied_source_report, copied_source_score
from seq2seq.metrics.score import score

SOURCES = ["De hond slaapt onder de tafel in de keuken .", "Anna Berg belde nummer 555 aan het strand ."]
REFERENCES = ["De hond slaap onder die tafel in die kombuis .", "Anna Berg het nommer 555 by die strand gebel ."]


@pytest.mark.parametrize("language", ["", "af", "my", "zh"])
def test_the_score_is_that_of_sacrebleu_with_the_tokenizer_of_the_language(language):
    copied = copied_source_score(SOURCES, REFERENCES, language=language)
    tokenize = {"my": "char", "zh": "zh"}.get(language, "13a")
    assert copied.bleu.score == pytest.approx(sacrebleu.corpus_bleu(SOURCES, [REFERENCES], tokenize=tokenize).score)
    assert copied.chrf.score == pytest.approx(sacrebleu.corpus_chrf(SOURCES, [REFERENCES]).score)
    assert (copied.ter, copied.sentences, copied.bleu.ci95) == (None, 2, None)
    assert "TER" not in copied.table()
    assert copied.as_dict()["ter"] is None


def test_case_can_be_ignored():
    shouted = [text.upper() for text in REFERENCES]
    assert copied_source_score(shouted, REFERENCES).bleu.score < 50
    assert copied_source_score(shouted, REFERENCES, lowercase=True).bleu.score == pytest.approx(100)


def test_a_translator_below_the_source_is_told_so_and_how_to_mend_it():
    copied = copied_source_score(SOURCES, REFERENCES)
    worse, better = (score(texts, REFERENCES, bootstrap=0) for texts in (["nee", "ja"], REFERENCES))
    told = copied_source_report(copied, worse)
    assert f"BLEU {copied.bleu.score:.1f}, chrF {copied.chrf.score:.1f}: above the translations (BLEU" in told
    assert "model.copy=pointer" in told
    assert "\n" not in told
    assert "pointer" not in copied_source_report(copied, worse, copies=True), "it has one"
    distant = copied_source_score(["The house is big .", "i"], ["Das Haus ist neu .", "o"])
    assert copied_source_report(distant, score(["", ""], ["x", "y"], bootstrap=0)).endswith("; train longer")
    plain = copied_source_report(copied, worse, better)  # the best search counts
    assert plain == copied_source_report(copied)  # a corpus without translations
    assert plain
    assert "pointer" not in plain


def test_nothing_is_said_of_a_source_that_shares_no_words():
    copied = copied_source_score(["犬が寝ている。"], REFERENCES[:1])
    assert copied_source_report(copied, score(REFERENCES[:1], REFERENCES[:1], bootstrap=0)) == ""


def test_unequal_numbers_are_refused():
    with pytest.raises(DataError, match="2 hypotheses but 1 reference"):
        copied_source_score(SOURCES, REFERENCES[:1])
