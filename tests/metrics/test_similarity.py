"""Sentence similarity and expected utilities."""

import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.metrics.similarity import Similarity, expected_utilities

WORDS = ["the", "cat", "sat", "on", "mat", "."]
texts = st.lists(st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join), min_size=1, max_size=8)


@given(texts)
def test_expected_utility_is_the_mean_similarity_to_all_samples(samples):
    utilities = expected_utilities(samples, Similarity("chrf"))
    assert list(utilities) == list(dict.fromkeys(samples))
    for text, utility in utilities.items():
        by_hand = [
            1.0 if text == reference else sacrebleu.sentence_chrf(text, [reference]).score / 100
            for reference in samples
        ]
        assert utility == pytest.approx(sum(by_hand) / len(samples))


@pytest.mark.parametrize("metric", ["bleu", "chrf"])
def test_equal_texts_are_most_similar_even_if_empty(metric):
    similarity = Similarity(metric)
    for text in ("", " ", "Ja.", "Das ist ein langer Satz mit vielen Wörtern.", "12"):
        assert similarity([text, "etwas ganz anderes"], text)[0] == 1.0
    utilities = expected_utilities(["", "", "", "", "Ja."], similarity)
    assert utilities == {"": pytest.approx(0.8), "Ja.": pytest.approx(0.2)}


def test_sentence_bleu_uses_the_languages_tokenizer():
    hypotheses, reference = ["我们工作。", "我们在工作。"], "我们在工作。"
    result = Similarity("bleu", "zh")(hypotheses, reference)
    by_hand = [sacrebleu.sentence_bleu(text, [reference], tokenize="zh").score / 100 for text in hypotheses]
    assert result == pytest.approx(by_hand)
    assert 0.4 < result[0] < result[1] == pytest.approx(1)


def test_most_central_text_wins_over_the_most_frequent():
    samples = ["a b c d e", "a b c d f", "a b c d g", "a b c d h", "x y z", "x y z"]
    for metric in ("chrf", "bleu"):
        utilities = expected_utilities(samples, Similarity(metric))
        assert max(utilities, key=utilities.__getitem__).startswith("a b c d")
        assert utilities["x y z"] == pytest.approx(2 / 6, abs=0.1)
