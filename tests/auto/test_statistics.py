"""Counts of the training text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.auto.statistics import read_statistics
from seq2seq.corpora.corpus import Pair

WORDS = st.lists(st.text("abα漢 .7\u1019", max_size=5), max_size=6).map(" ".join)
PAIRS = st.lists(st.builds(Pair, WORDS, WORDS), max_size=8)


def test_counts_of_a_small_text():
    text = read_statistics([Pair("Anna sees Bo .", "Anna sieht Bo ."), Pair("She sees it", "Sie sieht es .")])
    assert (text.pairs, text.source.words, text.target.words, text.target.types) == (2, 7, 8, 6)
    assert text.target.characters == len("AnnasiehtBo.Siesiehtes.")
    assert text.copied == pytest.approx(2 / 6), "punctuation does not count"
    assert text.source.script == text.target.script == "LATIN"
    assert "2 training pairs" in text.in_words()
    assert ", Latin script, " in text.in_words()


def test_the_length_of_long_pairs():
    text = read_statistics([Pair("ab cd", "e")] * 95 + [Pair("a", "b" * 99)] * 5)
    assert (text.longest, text.longest_words, text.longest_tokens) == (4, 2, 2)
    assert read_statistics([Pair("ab cd", "e")] * 94 + [Pair("a", "b" * 99)] * 6).longest == 99
    assert read_statistics([]).longest == 0


def test_words_of_one_letter_are_a_token_each():
    text = read_statistics([Pair("a b c d e f", "x y z")] * 20)
    assert text.tokens_per_pair == text.longest_tokens == 6
    assert read_statistics([Pair("abcdefghi", "xyz")]).tokens_per_pair == 3


def test_scripts_and_spaces():
    text = read_statistics([Pair("これは長い文であり空白がありません", "это предложение")] * 3)
    assert (text.source.script, text.target.script) == ("HIRAGANA", "CYRILLIC")
    assert not text.source.spaced
    assert text.target.spaced
    assert not text.same_script
    assert ", Hiragana and Cyrillic script, " in text.in_words()


def test_rare_characters_are_no_part_of_the_alphabet():
    common = "abcdefghij" * 1000
    text = read_statistics([Pair(common + "ÄÖ", common)])
    assert (text.source.alphabet, text.source.all_characters, text.all_characters) == (10, 12, 12)


@given(PAIRS)
def test_any_text_has_counts_that_fit_together(pairs):
    text = read_statistics(pairs)
    assert text.pairs == text.sampled == len(pairs)
    assert 0 <= text.copied <= 1
    for side in (text.source, text.target):
        assert side.types <= side.words <= side.characters
        assert side.alphabet <= side.all_characters
    assert text.alphabet <= text.all_characters <= text.source.all_characters + text.target.all_characters
    assert text.tokens_per_pair >= 0


def test_further_pairs_count_only_as_pairs():
    pairs = [Pair("a b", "c")] * 5 + [Pair("d", "e")] * 4
    text = read_statistics(pairs, sample=5)
    assert (text.pairs, text.sampled, text.source.words, text.source.all_characters) == (9, 5, 10, 2)
    assert text.tokens_per_pair == read_statistics(pairs[:5]).tokens_per_pair
